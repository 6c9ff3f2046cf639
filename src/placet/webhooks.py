"""Webhooks: signed as Standard Webhooks says, retried with growing pauses, never to an address inside.

The target's address is checked where the connection is made, on the address that is really used, so that a name which
resolves differently the second time (DNS rebinding) gains nothing. Redirects are not followed.
Source of the format: Standard Webhooks specification 1.0 (headers, signed content, whsec_ secrets).
"""

import base64
import binascii
import contextlib
import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final

import anyio
import anyio.to_thread
import httpcore
import msgspec
from httpcore import AnyIOBackend, AsyncNetworkBackend, AsyncNetworkStream

from placet.model import Micros
from placet.settings import Settings
from placet.store.contract import Delivery, Store

SECOND: Final[Micros] = 1_000_000
_DAY_S: Final = 86_400
_ERROR_CHARS: Final = 300
_AT_ONCE: Final = 32
"""Deliveries of one round, and connections: none waits for another's, so each has the whole of its time."""


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The webhook-signature header: "v1," and base64 of HMAC-SHA256 over "id.timestamp.body"."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


class TargetRefused(Exception):
    """The address is inside: private, loopback, link-local or otherwise not of the public Internet."""


class GuardedBackend(AsyncNetworkBackend):
    """Connects like httpcore's own backend, but only to public addresses."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._inner = AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncNetworkStream:
        """Resolve once, check what was resolved, connect to exactly that."""
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        if not addresses:
            raise httpcore.ConnectError(f"{host} has no address")
        refused = [address for address in addresses if not is_public(address)]
        if refused and not self._allow_private:
            raise TargetRefused("the target is not on the public Internet")
        for address in addresses[:-1]:
            with contextlib.suppress(httpcore.ConnectError):  # a name may have an address that we have no way to
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *_: Any, **__: Any) -> AsyncNetworkStream:
        """A file of this machine is never a target."""
        raise TargetRefused("the target is a socket file")

    async def sleep(self, seconds: float) -> None:
        """As httpcore asks."""
        await anyio.sleep(seconds)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public Internet; IPv4 inside IPv6 counts as what it carries."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        carried = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if carried is not None:
            ip = carried
        elif ip in _NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        elif ip not in _GLOBAL_UNICAST:  # among the rest are old forms that also carry IPv4: ::/96, ::ffff:0:0:0/96
            return False
    return ip.is_global and not ip.is_multicast


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052 section 2.1: carries an IPv4 address in its last 32 bits."""
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All that IANA gives out as global unicast (IPv6 Address Space registry)."""


class Courier:
    """Carries what stands in the outbox to its endpoints, a bounded number at once."""

    def __init__(self, store: Store, settings: Settings, clock: Callable[[], Micros]) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        backend = GuardedBackend(allow_private=settings.webhook_allow_private)
        self._pool = httpcore.AsyncConnectionPool(max_connections=_AT_ONCE, network_backend=backend, retries=0)

    async def close(self) -> None:
        """Close idle connections."""
        await self._pool.aclose()

    async def carry(self, limit: int = _AT_ONCE) -> list[Delivery]:
        """Try every delivery whose time has come, together; gives them as settled."""
        due = await self._store.deliveries("waiting", self._clock(), limit)
        if not due:
            return []
        targets = {each.id: msgspec.json.decode(each.body) for each in await self._store.credentials("webhook")}
        settled: list[Delivery] = []

        async def one(delivery: Delivery) -> None:
            after = await self._try(delivery, targets.get(delivery.endpoint))
            await self._store.settle(after)
            settled.append(after)

        async with anyio.create_task_group() as group:
            for delivery in due:
                group.start_soon(one, delivery)
        return settled

    async def _try(self, delivery: Delivery, target: dict[str, str] | None) -> Delivery:
        if target is None:
            return msgspec.structs.replace(delivery, status="dead", last_error="the endpoint was removed")
        error = await self._post(delivery, target)
        attempts = delivery.attempts + 1
        if not error:
            return msgspec.structs.replace(delivery, status="sent", attempts=attempts, last_error="")
        if attempts >= self._settings.webhook_attempts:
            return msgspec.structs.replace(delivery, status="dead", attempts=attempts, last_error=error)
        pause = min(self._settings.webhook_backoff_s * 2 ** (attempts - 1), _DAY_S)
        next_at = self._clock() + pause * SECOND
        return msgspec.structs.replace(delivery, attempts=attempts, next_at=next_at, last_error=error)

    async def _post(self, delivery: Delivery, target: dict[str, str]) -> str:
        """Send once; gives the error in words, or nothing when the receiver answered with 2xx."""
        timestamp = self._clock() // SECOND
        seconds = self._settings.webhook_timeout_s
        limits = dict.fromkeys(("connect", "read", "write", "pool"), float(seconds))
        try:
            headers: dict[bytes | str, bytes | str] = {
                "content-type": "application/json",
                "user-agent": "placet",
                "webhook-id": delivery.id,
                "webhook-timestamp": str(timestamp),
                "webhook-signature": signature(target["secret"], delivery.id, timestamp, delivery.body),
            }
            with anyio.fail_after(seconds):
                async with self._pool.stream(
                    "POST", target["url"], headers=headers, content=delivery.body, extensions={"timeout": limits}
                ) as response:
                    status = response.status
        except TargetRefused as problem:
            return str(problem)
        except TimeoutError:
            return f"no answer within {seconds} s"
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as problem:
            return f"{type(problem).__name__}: {problem}"[:_ERROR_CHARS]
        except (httpcore.UnsupportedProtocol, ValueError, binascii.Error) as problem:
            return f"unusable endpoint: {problem}"[:_ERROR_CHARS]
        return "" if 200 <= status < 300 else f"answered {status}"

    async def replay(self, delivery: str) -> bool:
        """Send a dead letter (or one already sent) again, from the first attempt; False if there is none such."""
        found = await self._store.delivery(delivery)
        if found is None or found.status == "waiting":
            return False
        fresh = msgspec.structs.replace(found, status="waiting", attempts=0, next_at=self._clock(), last_error="")
        await self._store.settle(fresh)
        return True

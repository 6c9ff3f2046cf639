"""Webhooks: signed, retried, given up visibly, sent again on request; and never to an address inside.

Two ways of testing: a serving platform with a receiver on loopback, and a courier alone over a real SQLite store, whose
clock the test drives.
"""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from platforms import NewPlatform, Platform, until
from standardwebhooks import Webhook, WebhookVerificationError
from stores import NOON, SqliteBackend, commit, delivery

from placet.settings import load
from placet.store.contract import Credential, Delivery
from placet.store.sqlite import SqliteStore
from placet.webhooks import Courier, is_public, signature

pytest_plugins = ("platforms",)

SECRET: Final = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="
INSIDE: Final = "the target is not on the public Internet"
SECOND: Final = 1_000_000


class Heard(NamedTuple):
    """A request that came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        """The message, decoded."""
        return json.loads(self.body)


class Receiver:
    """An HTTP server on loopback that keeps what it hears, and answers as told: 200 when nothing is left to say."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.answers: list[int] = []
        self.steadily = 200
        self.location = ""
        self.go_on = threading.Event()
        """What answers of status 0 wait for."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.answer(self)

            def do_GET(self) -> None:
                receiver.answer(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server calls it by
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Keep a request, then answer it."""
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in request.headers.items()}
        status = self.answers.pop(0) if self.answers else self.steadily
        self.heard.append(Heard(request.path, headers, body))
        if status == 0:
            self.go_on.wait(60)
            return
        request.send_response(status)
        if self.location:
            request.send_header("location", self.location)
        request.send_header("content-length", "0")
        request.end_headers()

    def close(self) -> None:
        """End the server."""
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on loopback."""
    made = Receiver()
    yield made
    made.close()


class Endpoint(NamedTuple):
    """An endpoint as `placet webhook add` gives it."""

    id: str
    url: str
    secret: str


def add(platform: Platform, url: str) -> Endpoint:
    """Add an endpoint by the command line; before the server starts, so that it knows it from the beginning."""
    return Endpoint(**json.loads(platform.cli("webhook", "add", url, "--json").stdout))


def dead(platform: Platform) -> list[dict[str, str]]:
    """The dead letters, as the command line lists them; it ends with 1 when there are any."""
    done = platform.cli("webhook", "dead", "--json", check=False)
    found: list[dict[str, str]] = json.loads(done.stdout)
    assert done.returncode == (1 if found else 0)
    return found


def counted(platform: Platform, result: str) -> int:
    """How many deliveries came to this result, as the metrics say."""
    metrics = platform.client().get("/metrics").text
    found = re.search(rf'^placet_deliveries_total{{result="{result}"}} (\d+)', metrics, re.MULTILINE)
    return int(found[1]) if found else 0


# --- a serving platform ------------------------------------------------------------------------------------------


def test_every_decision_is_told_signed_and_without_content(new_platform: NewPlatform, receiver: Receiver) -> None:
    """Each receiver can verify each message with its own secret; it says who and what, and nothing of the text."""
    platform = new_platform(serve=False, webhook_allow_private=True)
    endpoints = [add(platform, f"{receiver.url}/{number}") for number in range(2)]
    platform.start()
    held = platform.submit_as("held", external_id="post-7")
    reviewer = platform.staff("reviewer")
    claimed = reviewer.post(f"/v1/publications/{held['id']}/claim").json()
    decision = {"decision": "approve", "version": claimed["version"], "reason": "Between ourselves."}
    reviewer.post(f"/v1/publications/{held['id']}/decisions", json=decision).raise_for_status()
    until(lambda: len(receiver.heard) == 4, "both events reach both endpoints")
    for number, endpoint in enumerate(endpoints):
        told = [each for each in receiver.heard if each.path == f"/hook/{number}"]
        assert {each.event["type"] for each in told} == {"publication.held", "publication.approved"}
        for each in told:
            assert Webhook(endpoint.secret).verify(each.body, each.headers) == each.event
            assert each.headers["content-type"] == "application/json"
            for altered in (each.body + b" ", each.body.replace(b"post-7", b"post-8")):
                with pytest.raises(WebhookVerificationError):
                    Webhook(endpoint.secret).verify(altered, each.headers)
            with pytest.raises(WebhookVerificationError):
                Webhook(endpoints[1 - number].secret).verify(each.body, each.headers)
            data = each.event["data"]
            assert (data["id"], data["account"], data["external_id"]) == (held["id"], held["account"], "post-7")
            assert b"Telegram" not in each.body
            assert b"ourselves" not in each.body
    assert len({each.headers["webhook-id"] for each in receiver.heard}) == 4
    last = next(each.event for each in receiver.heard if each.event["type"] == "publication.approved")
    assert last["data"]["status"] == "approved"
    assert last["data"]["entry"] == platform.entries(held["id"])[-1]["id"]


def test_a_failed_delivery_is_tried_again_under_the_same_id(new_platform: NewPlatform, receiver: Receiver) -> None:
    """After errors the same message comes again, freshly signed, until it is taken; then never again."""
    platform = new_platform(serve=False, webhook_allow_private=True, webhook_backoff_s=1)
    endpoint = add(platform, receiver.url)
    receiver.answers = [500, 404, 204]
    platform.start()
    platform.submit_as("approved")
    until(lambda: len(receiver.heard) == 3, "the third attempt")
    assert len({each.headers["webhook-id"] for each in receiver.heard}) == 1
    assert len({each.body for each in receiver.heard}) == 1
    for each in receiver.heard:
        Webhook(endpoint.secret).verify(each.body, each.headers)
    stamps = [int(each.headers["webhook-timestamp"]) for each in receiver.heard]
    assert stamps[0] < stamps[1] < stamps[2]
    until(lambda: counted(platform, "sent") == 1, "it counts as sent")
    assert dead(platform) == []


def test_a_dead_letter_is_seen_and_sent_again(new_platform: NewPlatform, receiver: Receiver) -> None:
    """After the last attempt it is given up: on the page, on the command line, counted; each can send it again."""
    platform = new_platform(serve=False, webhook_allow_private=True, webhook_attempts=2, webhook_backoff_s=1)
    endpoint = add(platform, receiver.url)
    receiver.steadily = 503
    platform.start()
    ids = {platform.submit_as("approved")["id"], platform.submit_as("refused")["id"]}
    until(lambda: counted(platform, "dead") == 2, "both are given up")
    letters = dead(platform)
    assert {each["dossier"] for each in letters} == ids
    assert {(each["endpoint"], each["error"]) for each in letters} == {(endpoint.id, "answered 503")}
    assert len(receiver.heard) == 4
    with platform.desk(platform.admin) as browser:
        page = browser.get("/desk/webhooks").text
        for each in letters:
            assert each["id"] in page
            assert each["dossier"] in page
        assert "answered 503" in page
        receiver.steadily = 200
        token = re.findall(r'name="csrf" value="([^"]+)"', page)[0]
        first, second = (each["id"] for each in letters)
        browser.post(f"/desk/webhooks/deliveries/{first}/replay", data={"csrf": token}).raise_for_status()
    platform.cli("webhook", "replay", second)
    until(lambda: len(receiver.heard) == 6, "both come")
    assert {each.headers["webhook-id"] for each in receiver.heard[4:]} == {first, second}
    until(lambda: counted(platform, "sent") == 2, "both count as sent")
    assert dead(platform) == []


def test_a_platform_does_not_reach_inside_unless_allowed(new_platform: NewPlatform, receiver: Receiver) -> None:
    """By default a receiver on loopback hears nothing, and the dead letter says why."""
    platform = new_platform(serve=False, webhook_attempts=1)
    for host in ("127.0.0.1", "localhost"):
        add(platform, f"http://{host}:{receiver.port}/hook")
    platform.start()
    platform.submit_as("approved")
    until(lambda: counted(platform, "dead") == 2, "both are given up")
    letters = dead(platform)
    assert {each["error"] for each in letters} == {INSIDE}
    assert receiver.heard == []


def test_the_desk_adds_and_removes_endpoints(new_platform: NewPlatform, receiver: Receiver) -> None:
    """An endpoint added on the page is told from the next decision on; a removed one no more."""
    platform = new_platform(webhook_allow_private=True)
    with platform.desk(platform.admin) as browser:
        token = re.findall(r'name="csrf" value="([^"]+)"', browser.get("/desk/webhooks").text)[0]
        made = browser.post("/desk/webhooks", data={"csrf": token, "url": receiver.url}).text
        (secret,) = re.findall(r"whsec_[A-Za-z0-9+/=]+", made)[:1]
        platform.submit_as("approved")
        until(lambda: receiver.heard, "it is told")
        Webhook(secret).verify(receiver.heard[0].body, receiver.heard[0].headers)
        (identity,) = set(re.findall(r"/desk/webhooks/(whk_\w+)/end", browser.get("/desk/webhooks").text))
        browser.post(f"/desk/webhooks/{identity}/end", data={"csrf": token}).raise_for_status()
        assert secret not in browser.get("/desk/webhooks").text
    before = platform.recorded()
    platform.submit_as("approved")
    assert platform.recorded() == before + 1
    assert json.loads(platform.cli("webhook", "list", "--json").stdout) == []
    assert len(receiver.heard) == 1


@pytest.mark.parametrize("url", ["ftp://x.example/", "file:///etc/passwd", "/hook", "http://a b/", "x" * 2_100])
def test_an_address_that_is_none_is_not_added(platform: Platform, url: str) -> None:
    """Only an http or https address can be an endpoint."""
    done = platform.cli("webhook", "add", url, check=False)
    assert done.returncode == 1
    assert json.loads(platform.cli("webhook", "list", "--json").stdout) == []


# --- a courier alone ---------------------------------------------------------------------------------------------


class Office:
    """A courier over a store, with a clock that the test drives."""

    def __init__(self, store: SqliteStore, **settings: Any) -> None:
        self.store = store
        self.now = NOON
        chosen = {"webhook_attempts": 3, "webhook_timeout_s": 20, **settings}
        self.courier = Courier(store, load(chosen, {}), lambda: self.now)

    async def post(self, url: str, identity: str = "dlv_1") -> None:
        """Put one message to an endpoint at this address into the outbox."""
        body = msgspec.json.encode({"url": url, "secret": SECRET})
        endpoint = f"whk_{identity}"
        await self.store.put_credential(Credential(endpoint, "webhook", endpoint, endpoint.encode(), body, NOON))
        await self.store.write([commit(f"pub_{identity}", deliveries=(delivery(identity, endpoint=endpoint),))])

    async def letter(self, identity: str = "dlv_1") -> Delivery:
        """How the message stands."""
        found = await self.store.delivery(identity)
        assert found is not None
        return found


NewOffice = Callable[..., Office]


@pytest.fixture
async def new_office(sqlite: SqliteBackend) -> AsyncIterator[NewOffice]:
    """Makes offices over one open store."""
    store = sqlite.store()
    await store.open()
    made: list[Office] = []

    def make(**settings: Any) -> Office:
        made.append(Office(store, **settings))
        return made[-1]

    yield make
    for office in made:
        await office.courier.close()
    await store.close()


@pytest.fixture
def inside(new_office: NewOffice) -> Office:
    """An office whose courier may go to loopback."""
    return new_office(webhook_allow_private=True)


async def test_the_pauses_double_up_to_a_day(new_office: NewOffice, receiver: Receiver) -> None:
    """After each failure the next attempt waits twice as long, at most a day, and not a moment less."""
    office = new_office(webhook_allow_private=True, webhook_attempts=30, webhook_backoff_s=3_600)
    receiver.steadily = 500
    await office.post(receiver.url)
    for attempt in range(1, 9):
        assert len(await office.courier.carry()) == 1
        letter = await office.letter()
        hours = min(2 ** (attempt - 1), 24)
        assert (letter.attempts, letter.status) == (attempt, "waiting")
        assert letter.next_at == office.now + hours * 3_600 * SECOND
        office.now = letter.next_at - 1
        assert await office.courier.carry() == []
        office.now += 1
    assert len(receiver.heard) == 8


async def test_the_last_attempt_makes_a_dead_letter_that_can_start_anew(inside: Office, receiver: Receiver) -> None:
    """After the attempts that the setting allows nothing more is sent; a replay begins with all of them again."""
    receiver.steadily = 500
    await inside.post(receiver.url)
    for _ in range(5):
        await inside.courier.carry()
        inside.now += 86_400 * SECOND
    letter = await inside.letter()
    assert (letter.status, letter.attempts, letter.last_error) == ("dead", 3, "answered 500")
    assert len(receiver.heard) == 3
    assert await inside.courier.replay("dlv_1")
    assert not await inside.courier.replay("dlv_1")
    assert not await inside.courier.replay("dlv_none")
    letter = await inside.letter()
    assert (letter.status, letter.attempts) == ("waiting", 0)
    receiver.steadily = 200
    await inside.courier.carry()
    assert (await inside.letter()).status == "sent"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(inside: Office, receiver: Receiver, status: int) -> None:
    """An answer that points elsewhere is a failed attempt: nobody is led inside by it."""
    receiver.answers, receiver.location = [status], f"http://127.0.0.1:{receiver.port}/elsewhere"
    await inside.post(receiver.url)
    await inside.courier.carry()
    letter = await inside.letter()
    assert (letter.status, letter.last_error) == ("waiting", f"answered {status}")
    assert [each.path for each in receiver.heard] == ["/hook"]


async def test_a_receiver_that_says_nothing_is_given_up_waiting_for(new_office: NewOffice, receiver: Receiver) -> None:
    """Who does not answer in time has not taken the message, and keeps no other message waiting."""
    office = new_office(webhook_allow_private=True, webhook_timeout_s=1)
    receiver.answers = [0]
    await office.post(receiver.url)
    assert len(await office.courier.carry()) == 1
    assert (await office.letter()).last_error == "no answer within 1 s"
    await office.post(receiver.url, "dlv_2")
    await office.courier.carry()
    assert (await office.letter("dlv_2")).status == "sent"


async def test_a_receiver_that_hangs_up_has_not_taken_it(inside: Office) -> None:
    """A connection that is refused, or ends before the answer, is a failed attempt with its reason."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await inside.post(f"http://127.0.0.1:{port}/")
    await inside.courier.carry()
    assert (await inside.letter()).attempts == 1
    server.close()
    await server.wait_closed()
    await inside.post(f"http://127.0.0.1:{port}/", "dlv_2")
    await inside.courier.carry()
    for identity in ("dlv_1", "dlv_2"):
        letter = await inside.letter(identity)
        assert letter.status == "waiting"
        assert letter.last_error


async def test_what_is_on_its_way_to_a_removed_endpoint_is_dead(inside: Office, receiver: Receiver) -> None:
    """With the endpoint its messages end, and say so."""
    await inside.post(receiver.url)
    await inside.store.drop_credential("whk_dlv_1")
    await inside.courier.carry()
    letter = await inside.letter()
    assert (letter.status, letter.last_error) == ("dead", "the endpoint was removed")
    assert receiver.heard == []


TARGETS: Final = [
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://127.255.255.254:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://user:word@127.0.0.1:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[fd00::1]:{port}/",
    "http://10.0.0.1:{port}/",
    "http://10.255.255.255:{port}/",
    "http://172.16.0.1:{port}/",
    "http://192.168.1.1:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1:{port}/",
    "http://255.255.255.255:{port}/",
    "https://127.0.0.1:{port}/",
]


@pytest.mark.parametrize("target", TARGETS)
async def test_no_spelling_of_an_inside_address_is_reached(
    new_office: NewOffice, receiver: Receiver, target: str
) -> None:
    """However loopback, a private or a link-local address is written, nothing connects to it."""
    office = new_office()
    await office.post(target.format(port=receiver.port))
    await office.courier.carry()
    letter = await office.letter()
    assert letter.status == "waiting"
    assert letter.last_error == INSIDE
    assert receiver.heard == []


def _resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let names resolve to these addresses, one list a question; gives the questions."""
    asked: list[str] = []
    left = list(answers)

    async def resolve(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(None, None, 0, "", (address, port)) for address in left.pop(0)]

    monkeypatch.setattr(anyio, "getaddrinfo", resolve)
    return asked


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::ffff:10.0.0.1"], ["fe80::1%eth0"]]
)
async def test_a_name_is_judged_by_what_it_resolves_to(
    new_office: NewOffice, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    """A public-looking name with an address inside, if only one of several, is refused at the moment of connecting."""
    _resolving(monkeypatch, addresses)
    office = new_office()
    await office.post(f"http://hooks.example.org:{receiver.port}/")
    await office.courier.carry()
    assert (await office.letter()).last_error == INSIDE
    assert receiver.heard == []


async def test_a_name_is_resolved_once_for_check_and_connection(
    new_office: NewOffice, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked is what is connected to: a second answer, pointing inside, is never asked for."""
    asked = _resolving(monkeypatch, ["93.184.215.14"], ["127.0.0.1"])
    office = new_office(webhook_timeout_s=1)
    connected: list[str] = []
    inner = office.courier._pool._network_backend._inner  # type: ignore[attr-defined]

    async def connect(host: str, *_: Any) -> Any:
        connected.append(host)
        raise OSError("no route in a test")

    monkeypatch.setattr(inner, "connect_tcp", connect)
    await office.post(f"http://hooks.example.org:{receiver.port}/")
    await office.courier.carry()
    assert asked == ["hooks.example.org"]
    assert connected == ["93.184.215.14"]
    assert receiver.heard == []


async def test_the_next_address_of_a_name_is_tried(
    inside: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a name's first address cannot be reached, the next one is."""
    _resolving(monkeypatch, ["127.0.0.9", "127.0.0.1"])
    await inside.post(f"http://hooks.example.org:{receiver.port}/hook")
    await inside.courier.carry()
    assert (await inside.letter()).status == "sent"
    assert receiver.heard[0].headers["host"] == f"hooks.example.org:{receiver.port}"


# --- pieces ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("93.184.215.14", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True),
        ("2002:808:808::", True),
        ("0.0.0.0", False),
        ("0.1.2.3", False),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("169.254.169.254", False),
        ("172.16.0.1", False),
        ("172.31.255.255", False),
        ("192.0.2.1", False),
        ("192.168.0.1", False),
        ("198.18.0.1", False),
        ("203.0.113.1", False),
        ("224.0.0.1", False),
        ("239.255.255.255", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::127.0.0.1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.1.2.3", False),
        ("::ffff:0:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b:1::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2002:a00:1::1", False),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", False),
        ("2001:db8::1", False),
        ("fc00::1", False),
        ("fd12:3456::1", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("ff0e::1", False),
        ("5f00::1", False),
    ],
)
def test_what_is_of_the_public_internet(address: str, public: bool) -> None:
    """Only addresses of the public Internet; whatever carries an IPv4 address counts as that."""
    assert is_public(address) is public


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_counts_alike_however_it_is_carried(address: Any) -> None:
    """Mapped (RFC 4291) and translated (RFC 6052), an IPv4 address is as public as it is by itself."""
    assert is_public(f"::ffff:{address}") == is_public(f"64:ff9b::{address}") == is_public(str(address))


@given(st.binary(max_size=200), st.from_regex(r"\Adlv_[a-z0-9]{26}\Z"), st.integers(0, 4_000_000_000))
def test_a_signature_is_what_the_standard_says(body: bytes, identity: str, at: int) -> None:
    """Signatures are those of the Standard Webhooks reference library, for any body."""
    text = body.decode("latin-1")
    expected = Webhook(SECRET).sign(identity, datetime.fromtimestamp(at, UTC), text)
    assert signature(SECRET, identity, at, text.encode()) == expected

"""Bad luck and bad disks: processes killed, disks full, rows changed, an old copy put back. Nothing acknowledged is lost.

Servers are processes of their own and are really killed (SIGKILL); a full disk is a limit on the size of the files that
the process may write (RLIMIT_FSIZE), which makes the kernel refuse the write in the same place as a full disk does.
"""

import base64
import contextlib
import copy
import http.client
import itertools
import json
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from platforms import PLAIN, SOLICITING, WAIT_S, Doc, NewPlatform, Platform, environment, in_time, placet, until
from stores import PostgresBackend

from placet.ledger.checkpoint import Checkpoint, open_checkpoint
from placet.ledger.merkle import verify_consistency

pytest_plugins = ("platforms",)
pytestmark = pytest.mark.xdist_group("faults")

CLIENTS: Final = 8


# --- submitting until the server is gone -------------------------------------------------------------------------


class Sent(NamedTuple):
    """A submission as it was sent: its Idempotency-Key is its external_id."""

    name: str
    body: bytes


class Stream:
    """Clients that submit at once, each on a connection of its own, until their server goes away."""

    def __init__(self, servers: list[Platform], name: str) -> None:
        self.platform = servers[0]
        self.name = name
        self.account = self.platform.open_account()
        self.acknowledged: dict[Sent, str] = {}
        """What was answered with 201, and the id in the answer."""
        self.doubtful: list[Sent] = []
        """What was sent and never answered."""
        self.refused: list[str] = []
        chosen = [servers[number % len(servers)] for number in range(CLIENTS)]
        self._clients = [
            threading.Thread(target=self._submit, args=(server.port, number)) for number, server in enumerate(chosen)
        ]

    def until_killed(self, count: int, kill: Callable[[], None]) -> None:
        """Submit; kill once so many are acknowledged; wait for the clients to notice."""
        for client in self._clients:
            client.start()
        until(lambda: len(self.acknowledged) >= count or self.refused, f"{count} submissions")
        kill()
        for client in self._clients:
            client.join(WAIT_S)
        assert not self.refused

    def _submit(self, port: int, client: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        for number in itertools.count():
            sent = self._content(client, number)
            try:
                status, answer = post(connection, self.platform.api_key, sent)
            except (OSError, http.client.HTTPException):
                self.doubtful.append(sent)
                return
            if status != 201:
                self.refused.append(answer.decode())
                return
            self.acknowledged[sent] = json.loads(answer)["id"]

    def _content(self, client: int, number: int) -> Sent:
        name = f"{self.name}-{client}-{number}"
        content = SOLICITING if number % 5 == 0 else PLAIN
        asked = {"account": self.account, "external_id": name, **content, "title": f"Note {name}"}
        return Sent(name, json.dumps(asked).encode())


def post(connection: http.client.HTTPConnection, token: str, sent: Sent) -> tuple[int, bytes]:
    """Submit under the Idempotency-Key that is its name."""
    headers = {
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "idempotency-key": sent.name,
    }
    connection.request("POST", "/v1/publications", sent.body, headers)
    response = connection.getresponse()
    return response.status, response.read()


def send_again(platform: Platform, sent: Sent) -> Doc:
    """Send it again with its key; gives the publication of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=WAIT_S)
    with contextlib.closing(connection):
        status, answer = post(connection, platform.api_key, sent)
    assert status == 201, answer
    found: Doc = json.loads(answer)
    return found


def listed(platform: Platform, account: str) -> list[Doc]:
    """Every publication of an account, page by page."""
    found: list[Doc] = []
    cursor = ""
    while True:
        asked = {"account": account, "limit": 200, "cursor": cursor}
        page = platform.http.get("/v1/publications", params=asked).raise_for_status().json()
        found += page["items"]
        cursor = page.get("next_cursor") or ""
        if not cursor:
            return found


def check_stream(platform: Platform, stream: Stream) -> None:
    """Every acknowledged submission is there once, under its id; one in doubt is there once after it was sent again."""
    for sent, identity in itertools.islice(stream.acknowledged.items(), 0, None, 97):
        assert send_again(platform, sent)["id"] == identity
    again = {sent: str(send_again(platform, sent)["id"]) for sent in stream.doubtful}
    found = listed(platform, stream.account)
    expected = {sent.name: identity for sent, identity in (stream.acknowledged | again).items()}
    assert {each["external_id"]: each["id"] for each in found} == expected
    assert len(found) == len(expected)


# --- heads -------------------------------------------------------------------------------------------------------


def head_of(platform: Platform) -> Checkpoint:
    """The head that the server publishes now, its signature checked."""
    note = platform.http.get("/v1/ledger/checkpoint").raise_for_status().text
    return open_checkpoint(note, [platform.vkey])


def head_on_disk(platform: Platform) -> str:
    """The last published head as the platform itself remembers it."""
    return (platform.folder / "ledger.head").read_text("utf-8")


def check_continues(platform: Platform, heads: list[Checkpoint]) -> None:
    """What the server publishes now continues every head seen before."""
    for head in dict.fromkeys(heads):
        shown = platform.http.get(f"/v1/ledger/consistency/{head.size}").raise_for_status().json()
        now = open_checkpoint(shown["checkpoint"], [platform.vkey])
        proof = [base64.b64decode(each) for each in shown["proof"]]
        assert now.size >= head.size
        assert verify_consistency(head.size, head.root, now.size, now.root, proof)


def check_record(platform: Platform, known: str) -> None:
    """The command line finds nothing wrong, and the record continues the head `known`. The server may run."""
    platform.cli("ledger", "checkpoint")
    seen = platform.folder.parent / "known.head"
    seen.write_text(known, "utf-8")
    report = json.loads(platform.cli("ledger", "verify", "--known", str(seen), "--json").stdout)
    assert report["ok"], report
    for command in ("rebuild", "replay"):
        outcome = json.loads(platform.cli(command, "--json").stdout)
        assert outcome["checked"] > 0
        assert outcome["differences"] == []


# --- killed ------------------------------------------------------------------------------------------------------


def test_killed_twenty_times_among_ten_thousand(new_platform: NewPlatform) -> None:
    """`kill -9` in the middle of submissions, twenty times on one folder: none acknowledged is lost or doubled."""
    platform = new_platform(serve=False)
    first = head_on_disk(platform)
    heads = [open_checkpoint(first, [platform.vkey])]
    streams: list[Stream] = []
    for life in range(20):
        platform.start()
        if streams:
            check_stream(platform, streams[-1])
        check_continues(platform, heads)
        stream = Stream([platform], f"life{life}")
        stream.until_killed(500, platform.kill)
        assert stream.doubtful
        heads.append(open_checkpoint(head_on_disk(platform), [platform.vkey]))
        streams.append(stream)
    platform.start()
    for stream in streams:
        check_stream(platform, stream)
    check_continues(platform, heads)
    assert sum(len(stream.acknowledged) for stream in streams) >= 10_000
    assert heads[-1].size > heads[0].size
    platform.stop()
    check_record(platform, first)


def test_killed_on_postgres_while_another_goes_on(new_platform: NewPlatform, postgres: PostgresBackend) -> None:
    """The leading one of two servers is killed, again and again: the other takes its jobs over, nothing is lost."""
    leading = new_platform(serve=False, database=postgres.dsn)
    first = head_on_disk(leading)
    leading.start()
    heads = [head_of(leading)]
    for life in range(3):
        until(lambda one=leading: leads(one), "a server leads")  # type: ignore[misc]
        other = leading.twin().start()
        try:
            planned = leading.submit(PLAIN, schedule_at=in_time(2))["id"]
            stream = Stream([leading, other], f"life{life}")
            heads.append(head_of(leading))
            stream.until_killed(200, lambda: (leading.kill(), other.kill()) and None if life == 2 else leading_dies(leading, other))
        finally:
            other.stop()
    assert planned


def leads(platform: Platform) -> bool:
    """Whether this server has signed a head, which only the one that leads does."""
    lines = platform.client().get("/metrics").raise_for_status().text.splitlines()
    return any(line.startswith("placet_ledger_size ") and float(line.split()[1]) > 0 for line in lines)

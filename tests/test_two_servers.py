"""Two `placet serve` processes on one PostgreSQL: one platform, whichever of them is asked."""

import base64
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from platforms import PLAIN, REPORT, SOLICITING, Doc, NewPlatform, Platform, in_time, until
from stores import PostgresBackend

from placet.ledger.checkpoint import Checkpoint, open_checkpoint
from placet.ledger.merkle import verify_consistency

pytest_plugins = ("platforms",)
pytestmark = pytest.mark.xdist_group("two-servers")

Pair = tuple[Platform, Platform]


@pytest.fixture
def pair(new_platform: NewPlatform, postgres: PostgresBackend) -> Iterator[Pair]:
    """Two servers of one platform."""
    one = new_platform(database=postgres.dsn)
    other = one.twin().start()
    yield one, other
    other.stop()


def head_of(platform: Platform) -> Checkpoint:
    """The head that this server publishes now."""
    return open_checkpoint(platform.http.get("/v1/ledger/checkpoint").raise_for_status().text, [platform.vkey])


def test_submissions_through_both(pair: Pair) -> None:
    """What is submitted to either is there in both, and the heads that they publish never fork."""
    account = pair[0].open_account()
    sent: list[str] = []
    heads: list[Checkpoint] = []

    def submit(platform: Platform, token: str) -> None:
        for _ in range(100):
            sent.append(platform.submit(PLAIN, account=account, token=token)["id"])
            heads.append(head_of(platform))

    tokens = [pair[0].key().token for _ in range(2)]
    clients = [threading.Thread(target=submit, args=(platform, token)) for platform in pair for token in tokens]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert len(set(sent)) == 400
    for platform in pair:
        assert all(platform.read(each)["status"] == "approved" for each in sent[::40])
        for head in dict.fromkeys(heads):
            check_continues(platform, head)
    pair[0].cli("ledger", "verify")
    pair[0].cli("rebuild")


def check_continues(platform: Platform, head: Checkpoint) -> None:
    """What this server publishes now continues that head."""
    shown = platform.http.get(f"/v1/ledger/consistency/{head.size}").raise_for_status().json()
    now = open_checkpoint(shown["checkpoint"], [platform.vkey])
    proof = [base64.b64decode(each) for each in shown["proof"]]
    assert verify_consistency(head.size, head.root, now.size, now.root, proof)


def test_decisions_through_both(pair: Pair) -> None:
    """Two reviewers decide the same item at once, one through each server: one decision stands, the other gets 409."""
    one, other = pair
    tokens = [one.person("lead", name=name).token for name in ("First", "Second")]
    for _ in range(5):
        held = one.submit(SOLICITING)
        asked = {"decision": "approve", "version": held["version"], "reason": "Quoted to warn of it."}
        answers: list[int] = []
        barrier = threading.Barrier(2)

        def decide(platform: Platform, token: str, path: str, asked: Doc = asked) -> None:
            client = platform.client(token)
            barrier.wait()  # noqa: B023 - the thread ends within the round
            answers.append(client.post(path, json=asked).status_code)  # noqa: B023 - as above

        path = f"/v1/publications/{held['id']}/decisions"
        threads = [
            threading.Thread(target=decide, args=(platform, token, path))
            for platform, token in zip(pair, tokens, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [201, 409]
        kinds = Counter(entry["kind"] for entry in other.entries(held["id"]))
        assert kinds["publication.approved"] == 1


def test_keys_sessions_and_accounts_through_both(pair: Pair) -> None:
    """A key, a session and a change of an account count in the other server too, at the latest within seconds."""
    one, other = pair
    account = one.open_account("news_org")
    before = other.submit(REPORT, account=account)
    asked = {"rights": ["news.publish"]}
    one.http.post(f"/v1/accounts/{account}/rights", json=asked).raise_for_status()
    assert before["status"] == "refused"
    assert other.submit(REPORT, account=account)["status"] == "approved"

    key = one.key()
    assert other.client(key.token).get("/v1/publications").status_code == 200
    one.cli("key", "end", key.id)
    until(lambda: other.client(key.token).get("/v1/publications").status_code == 401, "the key's end", 20)

    with one.desk(one.person("reviewer", name="Ivo")) as browser:
        assert browser.get(f"{other.url}/desk").status_code == 200


def test_jobs_run_once(pair: Pair) -> None:
    """Scheduled releases, planned through both servers, each happen once."""
    planned = [platform.submit(PLAIN, schedule_at=in_time(1))["id"] for platform in pair for _ in range(10)]
    for each in planned:
        until(lambda each=each: pair[1].read(each)["status"] == "released", "the release")  # type: ignore[misc]
        kinds = Counter(entry["kind"] for entry in pair[0].entries(each))
        assert kinds["publication.released"] == 1


def test_same_key_through_both(pair: Pair) -> None:
    """The same Idempotency-Key, sent to both servers at once, makes one publication and gives one answer."""
    account = pair[0].open_account()
    answers: list[tuple[int, bytes]] = []

    def submit(platform: Platform) -> None:
        asked = {"account": account, **PLAIN, "external_id": "once"}
        response = platform.client(platform.api_key).post(
            "/v1/publications", json=asked, headers={"idempotency-key": "once"}
        )
        answers.append((response.status_code, response.content))

    threads = [threading.Thread(target=submit, args=(platform,)) for platform in pair * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 1
    assert answers[0][0] == 201

"""What every store must do (store/contract.py), as one suite for all databases: see test_store_*.py.

A test module subclasses StoreContract and gives a fixture `backend`. Nothing is simulated: each test runs on a real
database.
"""

import asyncio
import hashlib
import sys
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace
from stores import NOON, Backend, commit, deadline, delivery, entry, remembered, row, until

from placet.errors import StoreUnavailable
from placet.store.contract import (
    Commit,
    Committed,
    Conflict,
    Credential,
    Deadline,
    DossierRow,
    EntryRow,
    Head,
    Name,
    NameTaken,
    Query,
    Remembered,
    Repeated,
    SketchRow,
    Store,
    WriteResult,
)
from placet.store.group import GroupCommit

FOREVER = 2**62
on_a_database = settings(
    deadline=None,
    max_examples=25,
    # each example keeps to rows of its own, and one suite is run by a class for each database
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
_numbers = count()


def credential(identity: str, lookup: bytes, **fields: Any) -> Credential:
    """A sign-in link."""
    plain: dict[str, Any] = {"kind": "link", "owner": "stf_1", "body": b"{}", "created_at": NOON}
    return Credential(id=identity, lookup=lookup, **(plain | fields))


async def all_entries(store: Store) -> list[EntryRow]:
    """The whole record."""
    return await store.entries_from(0, 100_000)


class WriteContract:
    """Groups of commands: order, compare-and-swap, what is stored beside the entries."""

    async def test_entries_get_contiguous_places_over_groups(self, store: Store) -> None:
        """Places run on from 0 without a gap, over several commands and groups, and each result names the first."""
        two = commit("pub_b", 2, expects={"pub_b": 0}, entries=(entry("pub_b", 1), entry("pub_b", 2)))
        first = await store.write([commit("pub_a"), two])
        second = await store.write([commit("pub_c")])
        assert first == [Committed(0), Committed(1)]
        assert second == [Committed(3)]
        assert [(each.seq, each.id) for each in await all_entries(store)] == [
            (0, "ent_pub_a_1"),
            (1, "ent_pub_b_1"),
            (2, "ent_pub_b_2"),
            (3, "ent_pub_c_1"),
        ]
        assert await store.size() == 4

    async def test_what_was_written_survives_a_new_start(self, store: Store, backend: Backend) -> None:
        """A store opened afterwards reads the same entry, dossier and blob, byte for byte."""
        content = bytes(range(256))
        blob = (hashlib.sha256(content).digest(), content)
        one = commit("pub_a", columns={"queue": "審查", "status": "held \U0001f4f0"}, blobs=(blob,))
        await store.write([one])
        await store.close()
        again = backend.store()
        await again.open()
        try:
            assert await again.dossier("pub_a") == one.dossiers[0]
            assert await all_entries(again) == [replace(one.entries[0], seq=0)]
            assert await again.blob(blob[0]) == content
        finally:
            await again.close()

    async def test_an_empty_group_writes_nothing(self, store: Store) -> None:
        """A group without commands has no results."""
        assert await store.write([]) == []
        assert await store.size() == 0

    @pytest.mark.parametrize("body", [b"{}", b"", b"\x00", b"\xff not UTF-8", '"\u0000審\U0001f4f0"'.encode(), None])
    async def test_a_body_is_any_bytes_or_erased(self, store: Store, body: bytes | None) -> None:
        """A body comes back as it was written, whatever its bytes; an erased one, and its salt, come as None."""
        odd = entry("pub_b", body=body, salt=None if body is None else b"\x00" * 16)
        await store.write([commit("pub_a"), commit("pub_b", entries=(odd,)), commit("pub_c")])
        assert await store.entries("pub_b") == [replace(odd, seq=1)]
        plain = [replace(entry(name), seq=seq) for name, seq in (("pub_a", 0), ("pub_c", 2))]
        assert await all_entries(store) == [plain[0], replace(odd, seq=1), plain[1]]

    async def test_a_cancelled_writer_leaves_the_store_whole(self, store: Store) -> None:
        """A write that is cancelled at any moment is stored whole or not at all, and the next one gets its place."""
        for turns in range(30):
            blobs = ((turns.to_bytes(32, "big"), b"content"),)
            writing = asyncio.create_task(store.write([commit(f"pub_{turns:02}", blobs=blobs)]))
            for _ in range(turns):
                await asyncio.sleep(0.0002)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        (after,) = await store.write([commit("pub_after")])
        entries = await all_entries(store)
        assert after == Committed(len(entries) - 1)
        assert [each.seq for each in entries] == list(range(len(entries)))
        assert [each.dossier for each in entries] == [each.id async for each in store.states()]

    async def test_two_writers_share_one_order(self, store: Store, neighbour: Store) -> None:
        """Two stores that write at once give out every place once, each in its own order."""

        async def write(writer: Store, name: str) -> list[int]:
            places = []
            for number in range(15):
                group = [commit(f"pub_{name}_{number}_{part}") for part in range(3)]
                results = await writer.write(group)
                places += [result.first_seq for result in results if isinstance(result, Committed)]
            return places

        one, two = await asyncio.gather(write(store, "one"), write(neighbour, "two"))
        assert sorted(one + two) == list(range(90))
        assert one == sorted(one)
        assert two == sorted(two)
        by_place = {each.seq: each.dossier for each in await all_entries(store)}
        assert [by_place[place] for place in one] == [f"pub_one_{n}_{part}" for n in range(15) for part in range(3)]

    async def test_two_writers_cannot_both_win(self, store: Store, neighbour: Store) -> None:
        """Of commands that were decided on the same version, in several processes, exactly one is written."""
        await store.write([commit("pub_a")])
        writers = [store, neighbour] * 5
        results = await asyncio.gather(*(writer.write([commit("pub_a", 2)]) for writer in writers))
        assert sorted(type(result).__name__ for (result,) in results) == ["Committed"] + ["Conflict"] * 9
        assert await store.size() == 2

    async def test_a_conflict_leaves_its_neighbours_untouched(self, store: Store) -> None:
        """A command decided on another version is refused whole; those around it are written without a gap."""
        await store.write([commit("pub_a"), commit("pub_b")])
        stale = commit(
            "pub_a",
            1,
            deadlines=(deadline("pub_a"),),
            blobs=((b"d" * 32, b"of the stale one"),),
            names=(Name("acc_1", "taken by the stale one", "pub_a"),),
            deliveries=(delivery("dlv_stale"),),
            remember=remembered("stale"),
        )
        results = await store.write([commit("pub_c"), stale, commit("pub_b", 2)])
        assert results == [Committed(2), Conflict("pub_a"), Committed(3)]
        assert [each.dossier for each in await all_entries(store)] == ["pub_a", "pub_b", "pub_c", "pub_b"]
        assert await store.due(FOREVER, 10) == []
        assert await store.blob(b"d" * 32) is None
        assert await store.delivery("dlv_stale") is None
        assert await store.remembered("key_1", "stale") is None

    async def test_a_command_sees_those_before_it_in_the_group(self, store: Store) -> None:
        """Versions written earlier in the same group count: a follower is written, a rival is refused."""
        results = await store.write([commit("pub_a"), commit("pub_a", 2), commit("pub_a", 2), commit("pub_a", 3)])
        assert results == [Committed(0), Committed(1), Conflict("pub_a"), Committed(2)]
        stored = await store.dossier("pub_a")
        assert stored is not None
        assert (stored.version, stored.state) == (3, b"state 3")
        assert [each.version for each in await store.entries("pub_a")] == [1, 2, 3]

    async def test_expecting_zero_means_that_it_must_not_exist(self, store: Store) -> None:
        """Version 0 is expected of what is new; it is refused for what exists, and any other for what does not."""
        await store.write([commit("pub_a")])
        results = await store.write([commit("pub_a"), commit("pub_b", 2)])
        assert results == [Conflict("pub_a"), Conflict("pub_b")]

    async def test_what_was_only_read_is_compared_too(self, store: Store) -> None:
        """A command that read a dossier without writing it is refused when that dossier has moved on."""
        await store.write([commit("acc_1"), commit("acc_1", 2)])
        reader = commit("pub_a", expects={"pub_a": 0, "acc_1": 1})
        fresh = commit("pub_a", expects={"pub_a": 0, "acc_1": 2})
        assert await store.write([reader, fresh]) == [Conflict("acc_1"), Committed(2)]

    async def test_a_known_key_is_answered_with_the_first_reply(self, store: Store) -> None:
        """An Idempotency-Key used again, in the group or later, writes nothing and gives what was answered then."""
        first = remembered("k1", b"first")
        again = commit("pub_b", remember=remembered("k1", b"second"))
        results = await store.write([commit("pub_a", remember=first), again])
        assert results == [Committed(0), Repeated(first)]
        assert await store.write([again]) == [Repeated(first)]
        assert await store.remembered("key_1", "k1") == first
        assert await store.remembered("key_2", "k1") is None
        assert await store.dossier("pub_b") is None

    async def test_a_known_key_answers_before_a_conflict(self, store: Store) -> None:
        """A retry of what was written is told so, though its versions are old by now."""
        once = commit("pub_a", remember=remembered("k1"))
        await store.write([once])
        assert await store.write([once]) == [Repeated(remembered("k1"))]

    async def test_a_key_belongs_to_who_used_it(self, store: Store) -> None:
        """The same key of another asker is another key."""
        mine = remembered("k1")
        theirs = replace(mine, scope="key_2")
        results = await store.write([commit("pub_a", remember=mine), commit("pub_b", remember=theirs)])
        assert results == [Committed(0), Committed(1)]

    async def test_a_name_is_held_by_one_dossier(self, store: Store) -> None:
        """A name taken in the group or before is refused to others, allowed to its holder and free in other scopes."""
        held = Name("acc_1", "post-7", "pub_a")
        rival = commit("pub_b", names=(Name("acc_1", "post-7", "pub_b"),))
        results = await store.write([commit("pub_a", names=(held,)), rival])
        assert results == [Committed(0), NameTaken(held)]
        elsewhere = commit("pub_c", names=(Name("acc_2", "post-7", "pub_c"),))
        assert await store.write([rival, commit("pub_a", 2, names=(held,)), elsewhere]) == [
            NameTaken(held),
            Committed(1),
            Committed(2),
        ]

    async def test_deadlines_are_replaced_at_each_write(self, store: Store) -> None:
        """Writing a dossier drops its deadlines and keeps those of others; the earliest come first, up to `until`."""
        late, early = deadline("pub_a", "review", NOON + 9), deadline("pub_a", "escalate", NOON + 1)
        other = deadline("pub_b", "review", NOON + 5)
        await store.write([commit("pub_a", deadlines=(late, early)), commit("pub_b", deadlines=(other,))])
        assert await store.due(NOON + 9, 10) == [early, other, late]
        assert await store.due(NOON + 5, 10) == [early, other]
        assert await store.due(FOREVER, 1) == [early]
        moved = deadline("pub_a", "review", NOON + 3)
        await store.write([commit("pub_a", 2, deadlines=(moved,))])
        assert await store.due(FOREVER, 10) == [moved, other]
        await store.write([commit("pub_a", 3)])
        assert await store.due(FOREVER, 10) == [other]

    async def test_a_group_that_writes_a_dossier_twice_keeps_the_last_deadlines(self, store: Store) -> None:
        """Of two writes in one group, the second one's deadlines stand, whether the dossier is new or known."""
        first, second = deadline("pub_a", "review", NOON + 1), deadline("pub_a", "review", NOON + 2)
        await store.write([commit("pub_a", deadlines=(first,)), commit("pub_a", 2, deadlines=(second,))])
        assert await store.due(FOREVER, 10) == [second]
        await store.write([commit("pub_a", 3, deadlines=(first,)), commit("pub_a", 4)])
        assert await store.due(FOREVER, 10) == []

    async def test_equal_deadlines_have_an_order(self, store: Store) -> None:
        """Deadlines of one instant come by dossier, then kind."""
        names = ["pub_c", "pub_a", "pub_b"]
        kinds = ["review", "escalate"]
        await store.write([commit(n, deadlines=tuple(deadline(n, kind) for kind in kinds)) for n in names])
        assert await store.due(NOON, 10) == [deadline(n, kind) for n in sorted(names) for kind in sorted(kinds)]

    async def test_a_sketch_is_stored_under_the_seq_of_its_entry(self, store: Store) -> None:
        """It is read in the order of seq, forwards or back, or by its place."""
        ids = [f"pub_sketch_{next(_numbers)}" for _ in range(4)]
        start = await store.size()
        two = commit(ids[1], 2, expects={ids[1]: 0}, entries=(entry(ids[1], 1), entry(ids[1], 2)))
        first = [commit(ids[0], sketch=b"a"), two, commit(ids[2], sketch=bytes(range(256)))]
        await store.write([*first, commit(ids[3], sketch=b"d")])
        await store.write([commit(ids[0], 2, columns={"status": "refused"}, sketch=b"e")])
        texts = [(0, 1, b"a"), (3, 1, bytes(range(256))), (4, 1, b"d"), (5, 2, b"e")]
        dossiers = [ids[0], ids[2], ids[3], ids[0]]
        rows = [
            SketchRow(start + seq, of, NOON + version, sketch)
            for of, (seq, version, sketch) in zip(dossiers, texts, strict=True)
        ]
        assert await store.sketches(start - 1, 2) == rows[:2]
        assert await store.sketches(start, 5_000) == rows[1:]
        assert await store.sketches(start + 5, 3, back=True) == rows[2::-1]
        assert await store.sketches(start + 5, 10) == []
        assert sorted(await store.sketches_at([start + seq for seq in range(40)])) == rows
        assert await store.sketches_at([]) == []

    async def test_dossiers_are_read_together(self, store: Store) -> None:
        """Those that exist, however many are asked for."""
        ids = [f"pub_many_{next(_numbers)}" for _ in range(20)]
        await store.write([commit(one) for one in ids])
        found = await store.dossiers([*ids, *(f"pub_none_{number}" for number in range(700))])
        assert sorted(found, key=lambda each: each.id) == [await store.dossier(one) for one in sorted(ids)]
        assert await store.dossiers([]) == []

    async def test_a_sketch_belongs_to_its_command(self, store: Store) -> None:
        """The sketch of a command that failed is not kept."""
        start = await store.size()
        one = f"pub_sketch_{next(_numbers)}"
        assert isinstance((await store.write([commit(one, 6, sketch=b"a")]))[0], Conflict)
        assert await store.sketches(start - 1, 10) == []

    async def test_old_sketches_are_forgotten_in_parts(self, store: Store) -> None:
        """Of the oldest, so many at most, those that are old."""
        while await store.forget_sketches(FOREVER, 1_000):
            pass
        start = await store.size()
        ids = [f"pub_sketch_{next(_numbers)}" for _ in range(5)]
        for i, one in enumerate(ids):
            await store.write([commit(one, entries=(entry(one, at=NOON + i),), sketch=b"a")])
        assert await store.forget_sketches(NOON + 3, 2) == 2
        assert await store.forget_sketches(NOON + 3, 9) == 1
        assert await store.forget_sketches(NOON + 3, 9) == 0
        assert [row.seq for row in await store.sketches(-1, 10)] == [start + 3, start + 4]

    async def test_a_blob_may_be_sent_again(self, store: Store) -> None:
        """A content that is there already is no conflict, in the group or later; an empty one can be kept."""
        blob, empty = (b"1" * 32, b"content"), (b"0" * 32, b"")
        await store.write([commit("pub_a", blobs=(blob, empty, blob)), commit("pub_b", blobs=(blob,))])
        assert await store.write([commit("pub_c", blobs=(blob,))]) == [Committed(2)]
        assert await store.blob(b"1" * 32) == b"content"
        assert await store.blob(b"0" * 32) == b""
        assert await store.blob(b"2" * 32) is None

    async def test_a_failing_group_leaves_nothing(self, store: Store) -> None:
        """An error inside the transaction raises StoreUnavailable, nothing of the group is there, the store goes on."""
        await store.write([commit("pub_a")])
        forged = commit(
            "pub_b",
            entries=(entry("pub_b"), entry("pub_a", 1)),  # pub_a has a version 1 already
            deadlines=(deadline("pub_b"),),
            blobs=((b"f" * 32, b"forged"),),
        )
        with pytest.raises(StoreUnavailable):
            await store.write([commit("pub_c"), forged, commit("pub_d")])
        assert await store.size() == 1
        assert [await store.dossier(name) for name in ("pub_b", "pub_c", "pub_d")] == [None] * 3
        assert await store.due(FOREVER, 10) == []
        assert await store.blob(b"f" * 32) is None
        assert await store.write([commit("pub_c"), commit("pub_a", 2)]) == [Committed(1), Committed(2)]

    async def test_a_number_that_does_not_fit_is_refused(self, store: Store) -> None:
        """A number beyond 64 bits fails its group like any other error, and the store goes on."""
        with pytest.raises(StoreUnavailable):
            await store.write([commit("pub_a", columns={"priority": 2**64})])
        assert await store.write([commit("pub_a")]) == [Committed(0)]

    async def test_a_killed_process_loses_nothing_that_it_acknowledged(self, backend: Backend) -> None:
        """After a kill amid writing, every commit that was acknowledged is there, places have no gap, groups are whole.

        Whoever got no answer asks again: a commit stored but not confirmed shows as a Conflict, not twice.
        """
        program = Path(__file__).with_name("stores.py")
        arguments = (sys.executable, str(program), *backend.address.split(" ", 1))
        process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        told = [(await process.stdout.readline()).decode().strip() for _ in range(31)]
        process.kill()
        told += [name for name in (await process.stdout.read()).decode().split("\n")[:-1] if name]
        await process.wait()
        store = backend.store()
        await store.open()
        try:
            entries = await all_entries(store)
            stored = [each.dossier for each in entries]
            assert stored[: len(told)] == told
            assert [each.seq for each in entries] == list(range(len(entries)))
            assert len(entries) % 3 == 0
            again = await store.write([commit(name) for name in stored])
            assert again == [Conflict(name) for name in stored]
        finally:
            await store.close()


class ReadContract:
    """Listings, counts, histories."""

    async def test_what_is_not_there_is_none(self, store: Store) -> None:
        """Looking up what was never written gives None, an empty list or 0."""
        assert await store.dossier("pub_a") is None
        assert await store.delivery("dlv_a") is None
        assert await store.tile("tile/0/000") is None
        assert await store.head() is None
        assert await store.meta("origin") is None
        assert await store.credential("link", b"x") is None
        assert await store.entries("pub_a") == []
        assert await store.page(Query()) == []
        assert await store.count(Query(), 10) == 0
        assert [each async for each in store.states()] == []

    async def test_a_history_is_read_in_parts(self, store: Store) -> None:
        """A dossier's entries come oldest first, above a version and up to a limit; the record's from a place on."""
        await store.write([each for v in range(1, 6) for each in (commit("pub_a", v), commit("pub_b", v))])
        assert [each.version for each in await store.entries("pub_a")] == [1, 2, 3, 4, 5]
        assert [each.version for each in await store.entries("pub_a", after=2, limit=2)] == [3, 4]
        assert [each.seq for each in await store.entries_from(7, 2)] == [7, 8]
        assert await store.entries_from(10, 5) == []

    async def test_entries_can_be_read_without_bodies(self, store: Store) -> None:
        """Without bodies everything that the ledger's leaves need is there, bodies and salts are None."""
        await store.write([commit("pub_a"), commit("pub_b")])
        whole = await all_entries(store)
        assert await store.entries_from(0, 10, bodies=False) == [replace(each, body=None, salt=None) for each in whole]

    @on_a_database
    @given(
        kind=st.sampled_from(["", "publication", "account"]),
        status=st.sampled_from(["", "held", "approved"]),
        account=st.sampled_from(["", "acc_1", "acc_2"]),
        queue=st.sampled_from(["", "*", "news", "other"]),
        assignee=st.sampled_from(["", "stf_1"]),
        due_before=st.sampled_from([0, NOON, NOON + 2, FOREVER]),
        opened_from=st.sampled_from([0, NOON, NOON + 1, FOREVER]),
        order=st.sampled_from(["due", "opened", "newest"]),
        limit=st.integers(1, 60),
    )
    async def test_each_filter_and_order_means_what_it_says(self, store: Store, **fields: Any) -> None:
        """A page and a count are what a plain filter over all rows gives, for every combination of conditions."""
        rows = list(islice(_varied_rows(), 48))
        if await store.size() == 0:
            await store.write([commit(each.id, dossiers=(each,)) for each in rows])
        query = Query(**fields)
        expected = [each for each in rows if _matches(query, each)]
        expected.sort(key=lambda each: (_sort_key(query, each), each.id), reverse=query.order == "newest")
        assert await store.page(query) == expected[: query.limit]
        assert await store.count(query, 10) == min(len(expected), 10)
        assert await store.count(query, 1_000) == len(expected)

    @on_a_database
    @given(
        times=st.lists(st.integers(0, 3), max_size=12),
        limit=st.integers(1, 5),
        order=st.sampled_from(["due", "opened", "newest"]),
    )
    async def test_pages_walk_every_row_once(self, store: Store, times: list[int], limit: int, order: Any) -> None:
        """Following pages by their last row meets each row exactly once, in order, however many share a time."""
        kind = f"kind {next(_numbers)}"
        columns = [{"kind": kind, "due_at": each, "opened_at": NOON + each} for each in times]
        await store.write([commit(f"{kind} {n}", columns=each) for n, each in enumerate(columns)])
        query = Query(kind=kind, order=order, limit=limit)
        walked: list[DossierRow] = []
        while page := await store.page(query):
            assert len(page) <= limit
            walked += page
            query = replace(query, after=(_sort_key(query, page[-1]), page[-1].id))
        keys = [(_sort_key(query, each), each.id) for each in walked]
        assert keys == sorted(keys, reverse=order == "newest")
        assert sorted(each.id for each in walked) == sorted(f"{kind} {n}" for n in range(len(times)))

    async def test_ids_are_ordered_by_their_bytes(self, store: Store) -> None:
        """The order of ids is that of their code points, whatever language the server sorts by."""
        names = ["pub_a", "pub_B", "pub_Z", "pub_é", "pub-a", "pub_一", "pub_\U0001f4f0", "pub_\uffee"]
        await store.write([commit(name) for name in names])
        assert [each.id for each in await store.page(Query())] == sorted(names)
        assert [each.id async for each in store.states()] == sorted(names)

    async def test_states_gives_every_dossier(self, store: Store) -> None:
        """All dossiers come by id, also where there are more than one read fetches, from any id on."""
        names = [f"pub_{number:05}" for number in range(2_005)]
        await store.write([commit(name) for name in reversed(names)])
        assert [each.id async for each in store.states()] == names
        assert [each.id async for each in store.states("pub_02001")] == names[2_002:]
        assert await store.count(Query(), 100) == 100


class BesideContract:
    """What is not part of the record: deliveries, heads, tiles, facts, credentials, leadership."""

    async def test_a_delivery_lives(self, store: Store) -> None:
        """A delivery waits from its commit on, is put off, and is sent or dead in the end; the rest of it stays."""
        await store.write([commit("pub_a", deliveries=(delivery("dlv_a"), delivery("dlv_b", next_at=NOON + 5)))])
        assert await store.deliveries("waiting", until=NOON) == [delivery("dlv_a")]
        assert [each.id for each in await store.deliveries("waiting", until=NOON + 5)] == ["dlv_a", "dlv_b"]
        later = delivery("dlv_a", next_at=NOON + 9, attempts=1, last_error="503")
        await store.settle(later)
        assert await store.delivery("dlv_a") == later
        assert [each.id for each in await store.deliveries("waiting", until=NOON + 9)] == ["dlv_b", "dlv_a"]
        dead = replace(later, status="dead", attempts=8)
        sent = delivery("dlv_b", next_at=NOON + 5, status="sent", attempts=1)
        await store.settle(dead)
        await store.settle(sent)
        assert await store.deliveries("waiting", until=FOREVER) == []
        assert await store.deliveries("dead") == [dead]
        assert await store.deliveries("sent") == [sent]

    async def test_deliveries_are_listed_in_pages(self, store: Store) -> None:
        """Without a time, deliveries of a status come by id, after one and up to a limit."""
        await store.write([commit("pub_a", deliveries=tuple(delivery(f"dlv_{n}", next_at=-n) for n in (3, 1, 2)))])
        assert [each.id for each in await store.deliveries("waiting")] == ["dlv_1", "dlv_2", "dlv_3"]
        assert [each.id for each in await store.deliveries("waiting", after="dlv_1", limit=1)] == ["dlv_2"]

    async def test_a_head_is_published_only_upon_the_one_before(self, store: Store) -> None:
        """A head with its tiles is written when the latest has the size named; else nothing of it is."""
        first, second = Head(3, b"r" * 32, "note 3", NOON), Head(5, b"s" * 32, "note 5 — 五", NOON + 1)
        assert await store.publish(first, [("tile/0/000.p/3", b"abc"), ("tile/1/000", b"x")], previous=0)
        assert not await store.publish(second, [("tile/1/000", b"never")], previous=0)
        assert not await store.publish(replace(first, size=2), [], previous=3)
        assert (await store.head(), await store.tile("tile/1/000")) == (first, b"x")
        assert await store.publish(second, [("tile/1/000", b"y"), ("tile/1/000", b"z")], previous=3)
        assert (await store.head(), await store.tile("tile/1/000")) == (second, b"z")
        assert await store.tile("tile/0/000.p/3") == b"abc"

    async def test_a_head_may_be_signed_again(self, store: Store) -> None:
        """A head of the same size replaces the note."""
        head = Head(3, b"r" * 32, "note", NOON)
        again = replace(head, note="note with a second signature", at=NOON + 1)
        assert await store.publish(head, [], previous=0)
        assert await store.publish(again, [], previous=3)
        assert await store.head() == again

    async def test_of_many_signers_one_publishes(self, store: Store, neighbour: Store) -> None:
        """Signers that saw the same head, in several processes, cannot both publish the next."""
        heads = [Head(10 + n, bytes(32), f"note {n}", NOON) for n in range(10)]
        signers = [store, neighbour] * 5
        won = await asyncio.gather(*(s.publish(head, [], 0) for s, head in zip(signers, heads, strict=True)))
        assert won.count(True) == 1
        assert await store.head() == heads[won.index(True)]

    async def test_a_fact_is_written_once(self, store: Store, neighbour: Store) -> None:
        """Of many that write a fact at once, one is told True; its value stays."""
        writers = [store, neighbour] * 5
        won = await asyncio.gather(*(writer.set_meta("origin", f"value {n}") for n, writer in enumerate(writers)))
        assert won.count(True) == 1
        assert await neighbour.meta("origin") == f"value {won.index(True)}"
        assert not await store.set_meta("origin", "another")

    async def test_a_credential_is_found_by_what_is_shown(self, store: Store) -> None:
        """A credential is found by kind and lookup, listed by kind and owner oldest first, and dropped by id."""
        late = credential("lnk_1", b"one", created_at=NOON + 1)
        early = credential("lnk_2", b"two", owner="stf_2")
        session = credential("ses_1", b"one", kind="session")
        assert [await store.put_credential(each) for each in (late, early, session)] == [True] * 3
        assert await store.credential("link", b"one") == late
        assert await store.credential("session", b"one") == session
        assert await store.credentials("link") == [early, late]
        assert await store.credentials("link", "stf_1") == [late]
        assert await store.drop_credential("lnk_1")
        assert not await store.drop_credential("lnk_1")
        assert await store.credential("link", b"one") is None

    async def test_a_lookup_is_unique_within_its_kind(self, store: Store) -> None:
        """A second credential of a kind with the same lookup is refused, with and without `replace`."""
        first, other = credential("lnk_1", b"one"), credential("lnk_2", b"two")
        rival = credential("lnk_3", b"one")
        await store.put_credential(first)
        await store.put_credential(other)
        assert not await store.put_credential(rival)
        assert not await store.put_credential(rival, replace=True)
        assert not await store.put_credential(replace(other, lookup=b"one"), replace=True)
        assert await store.credentials("link") == [first, other]

    async def test_a_credential_is_rewritten_under_its_id(self, store: Store) -> None:
        """With `replace` the same id gets a new lookup, body and end; without it, it is left as it is."""
        first = credential("lnk_1", b"one")
        new = replace(first, lookup=b"two", body=b'{"n":2}', expires_at=NOON + 9)
        await store.put_credential(first)
        assert not await store.put_credential(new)
        assert await store.credentials("link") == [first]
        assert await store.put_credential(new, replace=True)
        assert await store.credentials("link") == [new]
        assert await store.credential("link", b"one") is None

    async def test_a_link_is_taken_by_exactly_one(self, store: Store, neighbour: Store) -> None:
        """Of twenty that take a credential at once, in two processes, one gets it and it is gone."""
        link = credential("lnk_1", b"one")
        await store.put_credential(link)
        takers = [store, neighbour] * 10
        taken = await asyncio.gather(*(taker.take_credential("link", b"one") for taker in takers))
        assert [each for each in taken if each is not None] == [link]
        assert await store.credential("link", b"one") is None

    async def test_what_is_old_is_forgotten(self, store: Store) -> None:
        """Keys and ended credentials older than the instant go and are counted; those without an end stay."""
        old, new = remembered("old"), replace(remembered("new"), at=NOON + 10)
        await store.write([commit("pub_a", remember=old), commit("pub_b", remember=new)])
        for name, end in (("ended", NOON), ("running", NOON + 10), ("endless", 0)):
            await store.put_credential(credential(name, name.encode(), expires_at=end))
        assert await store.forget(NOON + 10) == 2
        assert await store.forget(NOON + 10) == 0
        assert await store.remembered("key_1", "old") is None
        assert await store.remembered("key_1", "new") == new
        assert {each.id for each in await store.credentials("link")} == {"running", "endless"}
        assert await store.write([commit("pub_c", remember=old)]) == [Committed(2)]

    async def test_one_process_leads_until_it_ends(self, store: Store, neighbour: Store, backend: Backend) -> None:
        """The first to ask leads and keeps leading, nobody else does, and another takes over when it ends."""
        assert await store.leads()
        assert not await neighbour.leads()
        assert await store.leads()
        await store.close()
        successor = backend.store()
        await successor.open()
        try:
            assert await until(successor.leads)
        finally:
            await successor.close()

    async def test_a_closed_store_says_so(self, store: Store) -> None:
        """Closing twice is safe; afterwards every verb raises StoreUnavailable."""
        await store.close()
        await store.close()
        for verb in (store.size(), store.page(Query()), store.write([commit("pub_a")]), store.set_meta("a", "b")):
            with pytest.raises(StoreUnavailable):
                await verb


class GroupContract:
    """GroupCommit on a real store."""

    async def test_each_caller_gets_its_own_result(self, store: Store) -> None:
        """Results go to who asked, in groups no larger than allowed, written in the order of asking."""
        group = GroupCommit(store, most=7)
        group.start()
        commits = [commit(f"pub_{n}", 1 + (n % 5 == 3)) for n in range(40)]  # every fifth expects what is not there
        async with asyncio.timeout(30):
            results = await asyncio.gather(*map(group.write, commits))
        await group.stop()
        places = count()
        assert results == [Conflict(f"pub_{n}") if n % 5 == 3 else Committed(next(places)) for n in range(40)]

    async def test_a_failing_group_fails_every_caller_in_it(self, store: Store) -> None:
        """Where a group cannot be written, each caller in it hears so, and the next group is written."""
        await store.write([commit("pub_a")])
        group = GroupCommit(store, most=3)
        forged = commit("pub_b", entries=(entry("pub_a", 1),))
        futures = [group.submit(each) for each in (commit("pub_c"), forged, commit("pub_d"), commit("pub_e"))]
        group.start()
        async with asyncio.timeout(30):
            results = await asyncio.gather(*futures, return_exceptions=True)
        await group.stop()
        assert [type(each) for each in results] == [StoreUnavailable] * 3 + [Committed]
        assert [each.dossier for each in await all_entries(store)] == ["pub_a", "pub_e"]

    async def test_a_caller_that_goes_away_harms_nobody(self, store: Store) -> None:
        """Callers cancelled while they wait, in a good group and in a failing one, leave the others their results."""
        group = GroupCommit(store, most=3)
        forged = commit("pub_f", entries=(entry("pub_f"), entry("pub_f")))
        wanted = [commit("pub_a"), commit("pub_b"), commit("pub_c"), commit("pub_d"), forged, commit("pub_e")]
        callers = [asyncio.create_task(group.write(each)) for each in wanted]
        await asyncio.sleep(0)
        callers[1].cancel()
        callers[3].cancel()
        group.start()
        async with asyncio.timeout(30):
            results = await asyncio.gather(*callers, return_exceptions=True)
        await group.stop()
        kinds = [type(each).__name__ for each in results]
        assert kinds == ["Committed", "CancelledError", "Committed", "CancelledError", *["StoreUnavailable"] * 2]

    async def test_stopping_writes_what_waits(self, store: Store) -> None:
        """What was asked for before the stop is written in full; what comes after it is refused."""
        group = GroupCommit(store, most=4)
        group.start()
        futures = [group.submit(commit(f"pub_{n}")) for n in range(10)]
        async with asyncio.timeout(30):
            await group.stop()
            assert [await each for each in futures] == [Committed(n) for n in range(10)]
        assert await store.size() == 10
        with pytest.raises(StoreUnavailable):
            group.submit(commit("pub_late"))


class StoreContract(WriteContract, ReadContract, BesideContract, GroupContract):
    """All of it."""

    def test_the_store_agrees_with_a_model(self, backend: Backend) -> None:
        """Whatever groups are written, results, rows, entries, deadlines and keys are those of a model in memory."""
        run_state_machine_as_test(
            type("StoreMachineHere", (StoreMachine,), {"backend": backend}),
            settings=settings(deadline=None, max_examples=15, stateful_step_count=8),
        )


# --- what the tests compare with ---------------------------------------------------------------------------------


def _varied_rows() -> Iterator[DossierRow]:
    """Rows whose columns take their values in different rhythms, so that all combinations occur."""
    for n in count():
        yield row(
            f"pub_{n:03}",
            kind=("publication", "account", "report")[n % 3],
            status=("held", "approved")[n // 2 % 2],
            account=("acc_1", "acc_2", "")[n // 4 % 3],
            queue=("", "news", "other")[n // 3 % 3],
            assignee=("", "stf_1")[n // 5 % 2],
            due_at=(0, NOON - 1, NOON, NOON + 1, NOON + 2)[n % 5],
            opened_at=NOON + n // 7 % 3,
        )


def _matches(query: Query, each: DossierRow) -> bool:
    plain = all(
        getattr(query, column) in {"", getattr(each, column)} for column in ("kind", "status", "account", "assignee")
    )
    queue = query.queue in {"", each.queue} or (query.queue == "*" and each.queue != "")
    due = not query.due_before or 0 < each.due_at < query.due_before
    return plain and queue and due and each.opened_at >= query.opened_from


def _sort_key(query: Query, each: DossierRow) -> int:
    return each.due_at if query.order == "due" else each.opened_at


class Model:
    """A store as plain dictionaries: one command after the other."""

    def __init__(self) -> None:
        self.rows: dict[str, DossierRow] = {}
        self.entries: list[EntryRow] = []
        self.deadlines: dict[str, tuple[Deadline, ...]] = {}
        self.names: dict[tuple[str, str], Name] = {}
        self.replies: dict[str, Remembered] = {}

    def version(self, dossier: str) -> int:
        """The version of a dossier, 0 where there is none."""
        return self.rows[dossier].version if dossier in self.rows else 0

    def apply(self, one: Commit) -> WriteResult:
        """Write one command."""
        if one.remember is not None and one.remember.key in self.replies:
            return Repeated(self.replies[one.remember.key])
        for dossier, version in one.expects.items():
            if self.version(dossier) != version:
                return Conflict(dossier)
        for name in one.names:
            holder = self.names.setdefault((name.scope, name.name), name)
            if holder.dossier != name.dossier:
                return NameTaken(holder)
        place = len(self.entries)
        self.entries += [replace(each, seq=place + n) for n, each in enumerate(one.entries)]
        self.rows.update({each.id: each for each in one.dossiers})
        self.deadlines.update({each.id: one.deadlines for each in one.dossiers})
        if one.remember is not None:
            self.replies[one.remember.key] = one.remember
        return Committed(place)


_DOSSIERS = ("pub_a", "pub_b", "acc_1")
_KEYS = ("k1", "k2", "k3")
_wishes = st.fixed_dictionaries(
    {
        "dossier": st.sampled_from(_DOSSIERS),
        "read": st.sampled_from(_DOSSIERS),
        "off": st.sampled_from([0, 0, 0, 1]),
        "entries": st.integers(1, 2),
        "deadlines": st.dictionaries(st.sampled_from(["review", "escalate"]), st.integers(0, 3)),
        "name": st.sampled_from([None, None, "n1", "n2"]),
        "key": st.sampled_from([None, None, *_KEYS]),
    }
)


class StoreMachine(RuleBasedStateMachine):
    """Groups of commands to a store and to a model at once; the store is opened anew now and then."""

    backend: ClassVar[Backend]

    def __init__(self) -> None:
        super().__init__()
        self._model = Model()
        self._loop = asyncio.Runner()
        self._loop.run(self.backend.clear())
        self._store = self.backend.store()
        self._loop.run(self._store.open())

    def teardown(self) -> None:
        """Give the database back."""
        self._loop.run(self._store.close())
        self._loop.close()

    @rule(wishes=st.lists(_wishes, min_size=1, max_size=4))
    def write(self, wishes: list[dict[str, Any]]) -> None:
        """A group: the model says what each command must be answered."""
        group: list[Commit] = []
        expected: list[WriteResult] = []
        for wish in wishes:
            group.append(self._command(wish))
            expected.append(self._model.apply(group[-1]))
        assert self._loop.run(self._store.write(group)) == expected

    @rule()
    def open_anew(self) -> None:
        """Nothing of the record lives in the store object."""
        self._loop.run(self._store.close())
        self._store = self.backend.store()
        self._loop.run(self._store.open())

    @invariant()
    def reads_the_same(self) -> None:
        """What the store reads is what the model holds."""
        self._loop.run(self._compare())

    async def _compare(self) -> None:
        store, model = self._store, self._model
        assert {name: await store.dossier(name) for name in _DOSSIERS} == {n: model.rows.get(n) for n in _DOSSIERS}
        assert await all_entries(store) == model.entries
        assert await store.size() == len(model.entries)
        for name in _DOSSIERS:
            history = [each for each in model.entries if each.dossier == name]
            assert await store.entries(name) == history
        deadlines = [each for group in model.deadlines.values() for each in group]
        assert await store.due(FOREVER, 100) == sorted(deadlines, key=lambda each: (each.at, each.dossier, each.kind))
        assert {key: await store.remembered("key_1", key) for key in _KEYS} == {
            key: model.replies.get(key) for key in _KEYS
        }

    def _command(self, wish: dict[str, Any]) -> Commit:
        name = wish["dossier"]
        before = self._model.version(name)
        after = before + wish["entries"]
        expects = {wish["read"]: self._model.version(wish["read"])} | {name: before + wish["off"]}
        return commit(
            name,
            after,
            expects=expects,
            entries=tuple(entry(name, version) for version in range(before + 1, after + 1)),
            deadlines=tuple(deadline(name, kind, at) for kind, at in wish["deadlines"].items()),
            names=(Name("acc_1", wish["name"], name),) if wish["name"] else (),
            remember=remembered(wish["key"], f"reply {len(self._model.entries)}".encode()) if wish["key"] else None,
        )

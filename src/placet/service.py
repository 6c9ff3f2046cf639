"""The shell around the procedures: gather, decide, append, reply.

Every change to the record passes through `Service.carry_out`: it reads the dossier, gathers what the procedure needs,
lets it decide, and appends with compare-and-swap on every version that the decision rested on; a conflict decides
again, a bounded number of times. Clock, ids and salts are passed in, so that a test or a simulation drives them by
hand.
"""

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec

from placet import kinds
from placet.clocks import end_of
from placet.detection import Found, Source, Subject
from placet.errors import StoreCorrupt
from placet.events import deliveries
from placet.fresh import fresh_salts, new_id
from placet.judging import Judging, Screening
from placet.ledger.encode import canonical, commitment
from placet.model import (
    Basis,
    Draft,
    Entry,
    Item,
    Json,
    Micros,
    Refusal,
    Value,
)
from placet.near_copies import NearCopies
from placet.past import facts_of, past_of
from placet.policy import AccountFacts, Policy
from placet.procedure import account as accounts
from placet.procedure import activation as activations
from placet.procedure import policy_record, rule_guard
from placet.procedure import publication as publications
from placet.procedure.fold import Context
from placet.rule_guards import guard_id
from placet.shelf import Shelf, archive, policy_id
from placet.store.contract import (
    Commit,
    Committed,
    Conflict,
    Delivery,
    EntryRow,
    Name,
    NameTaken,
    Remembered,
    Repeated,
    Store,
    WriteResult,
)
from placet.store.group import GroupCommit

MOST_TRIES: Final = 12
_MOST_ACCOUNTS: Final = 20_000
_CLOCKS: Final = ("hold.max", "hold.escalated", "claim")

_item_decoder: Final = msgspec.json.Decoder(Item)


def now() -> Micros:
    """The wall clock. Entries are ordered by seq, so a clock that jumps is recorded, not trusted."""
    return time.time_ns() // 1_000


class Principal(Value, frozen=True):
    """Who asks: a person (stf_…), a program's key (key_…), or the system's own job."""

    id: str
    permissions: frozenset[str]
    account: str = ""
    """The only account that it may act for or see, or empty."""

    def may(self, permission: str) -> bool:
        """Whether the permission is held."""
        return permission in self.permissions

    def sees(self, account: str) -> bool:
        """Whether things of that account exist for this principal."""
        return self.account in ("", account)


class Plan(NamedTuple):
    """What a gathering step hands to the procedure, and what is to be stored beside the entries."""

    command: Any
    expects: Mapping[str, int] = {}
    blobs: tuple[tuple[bytes, bytes], ...] = ()
    names: tuple[Name, ...] = ()
    screening: Screening | None = None


class Done(NamedTuple):
    """A command was carried out: the new state, what was screened for it, and the stored reply when repeated."""

    state: Any
    screening: Screening | None = None
    reply: bytes | None = None


class Idempotency(NamedTuple):
    """An Idempotency-Key with the digest of its request."""

    key: str
    digest: bytes


Gather = Callable[[Any, Context], Awaitable[Plan | Refusal]]
Reply = Callable[[Done], bytes]


class Service:
    """One service over one store. Start it on the event loop that it will be used on."""

    def __init__(
        self,
        store: Store,
        policy: Policy | Shelf,
        *,
        group_most: int = 512,
        sources: Sequence[Source] = (),
        near: NearCopies | None = None,
        clock: Callable[[], Micros] = now,
        ids: Callable[[str], str] = new_id,
        salts: Callable[[], bytes] | None = None,
    ) -> None:
        self.store = store
        self.shelf = policy if isinstance(policy, Shelf) else Shelf(store, policy, clock)
        self.group = GroupCommit(store, group_most)
        self.judging = Judging(store, self.shelf, sources, near, clock)
        self.lexicons = self.judging.lexicons
        self.detection = self.judging.detection
        self.clock = clock
        self._ends: dict[str, list[tuple[str, Callable[[Micros], Micros]]]] = {}
        self.endpoints: tuple[str, ...] = ()
        self.on_entries: Callable[[Sequence[EntryRow]], None] = lambda _: None
        """Told of every entry that became durable here: metrics and logs."""
        self.ids = ids
        self._salts = salts or fresh_salts().__next__
        self._accounts: dict[str, accounts.Account] = {}

    @property
    def policy(self) -> Policy:
        """The policy in force now."""
        return self.shelf.current

    async def start(self, *, record_policy: bool = True) -> None:
        """Begin to write, and put the policy in force on the record; without that for those who only look."""
        self.group.start()
        await self.shelf.refresh()
        if record_policy:
            await self._record_policy_in_force()
        await self.refresh_endpoints()
        await self.judging.guards.refresh()
        await self.lexicons.refresh()

    async def stop(self) -> None:
        """Write what is waiting."""
        await self.group.stop()

    async def refresh_endpoints(self) -> None:
        """Read the webhook endpoints again: another process may have changed them."""
        found = await self.store.credentials("webhook")
        self.endpoints = tuple(each.id for each in found)

    async def follow(self) -> None:
        """Take over what was changed by anybody: packs that are to come into force, rules that are out, word lists."""
        await self.shelf.refresh()
        await self.judging.guards.refresh()
        await self.lexicons.refresh()

    async def _record_policy_in_force(self) -> None:
        now = self.clock()
        step = self.shelf.step(now)
        past = [digest for at, digest in await self.shelf.history() if at <= now]
        if not past or past[-1] != step.policy.digest:
            await self.record_policy(step.policy, step.at or now)

    async def record_policy(self, policy: Policy, begins: Micros) -> None:
        """Put a policy on the record, so that verdicts can rest on it; `begins` is 0 for one that is yet to come."""
        packs = policy.packs
        archives = [archive(pack) for pack in packs]
        command = policy_record.Record(
            id=policy_id(policy.digest),
            digest=policy.digest,
            packs=tuple(f"{pack.id} {pack.head.version} {pack.digest}" for pack in packs),
            archives=tuple(digest.hex() for digest, _ in archives),
            begins=begins,
        )
        plan = Plan(command, blobs=tuple(archives))
        done = await self.carry_out(SYSTEM_START, "pack", command.id, plainly(plan))
        if isinstance(done, Refusal):
            raise StoreCorrupt(f"The policy in force could not be recorded: {done.code}.")

    # --- the one way to change something -------------------------------------------------------------------------

    def context(self, who: Principal, policy: Policy | None = None) -> Context:
        """What surrounds a decision now: the clocks of today's policy, the grounds of the policy at the act."""
        at = self.clock()
        return Context(
            now=at,
            actor=who.id,
            permissions=who.permissions,
            until={name: end(at) for name, end in self._clocks_of(self.shelf.at(at))},
            grounds=(policy or self.shelf.at(at)).grounds,
        )

    def _clocks_of(self, policy: Policy) -> list[tuple[str, Callable[[Micros], Micros]]]:
        known = self._ends.get(policy.digest)
        if known is None:
            known = self._ends[policy.digest] = [(name, end_of(policy, name)) for name in _CLOCKS]
        return known

    async def carry_out(
        self,
        who: Principal,
        kind_name: str,
        dossier: str,
        gather: Gather,
        *,
        fresh: bool = False,
        once: Idempotency | None = None,
        reply: Reply | None = None,
    ) -> Done | Refusal:
        """Run one command to its end: durable, refused, or `busy` after MOST_TRIES conflicts.

        `fresh` says that the id has just been made, so that nothing need be read. With `once`, `reply` gives the
        bytes that are kept with the key, and a repetition is answered with those kept.
        """
        kind = kinds.KINDS[kind_name]
        if once is not None and (known := await self._known(who, once)) is not None:
            return known
        for _ in range(MOST_TRIES):
            state = None if fresh else await self.state(dossier)
            context = await self._context_for(who, state)
            plan = await gather(state, context)
            if isinstance(plan, Refusal):
                return plan
            drafts = kind.decide(state, plan.command, context)
            if isinstance(drafts, Refusal):
                return drafts
            if not drafts:
                return Done(state, plan.screening)
            commit, done = self._commit(kind, state, drafts, context, plan, dossier, once, reply)
            outcome = self._settled(await self.group.write(commit), commit, once, done)
            if outcome is not None:
                return outcome
        return Refusal("busy", {"dossier": dossier})

    async def state(self, dossier: str) -> Any:
        """The state of any dossier, or None."""
        row = await self.store.dossier(dossier)
        return None if row is None else kinds.decode(row)

    async def _context_for(self, who: Principal, state: Any) -> Context:
        if isinstance(state, publications.Publication):  # the law of the act governs the merits (IM14 art 10)
            return self.context(who, await self.shelf.get(state.policy))
        return self.context(who)

    async def _known(self, who: Principal, once: Idempotency) -> Done | Refusal | None:
        remembered = await self.store.remembered(who.id, once.key)
        return None if remembered is None else _again(remembered, once)

    def _settled(
        self, result: WriteResult, commit: Commit, once: Idempotency | None, done: Done
    ) -> Done | Refusal | None:
        """What a write's result means for the caller; None means: decide again."""
        match result:
            case Committed():
                self.on_entries(commit.entries)
                return done
            case Conflict():
                self._accounts.pop(result.dossier, None)
                return None
            case Repeated():
                return _again(result.remembered, once) if once else None
            case NameTaken():
                return Refusal("external_id_taken", {"dossier": result.name.dossier})

    def _commit(
        self,
        kind: kinds.Kind,
        state: Any,
        drafts: Sequence[Draft],
        context: Context,
        plan: Plan,
        dossier: str,
        once: Idempotency | None,
        reply: Reply | None,
    ) -> tuple[Commit, Done]:
        version = 0 if state is None else state.version
        basis = Basis(self.shelf.at(context.now).digest, context.now)
        rows = []
        after = state
        for place, draft in enumerate(drafts, 1):
            row = self._entry(draft, version + place, context, basis)
            rows.append(row)
            after = kind.evolve(after, _read(row, draft.body))
        done = Done(after, plan.screening)
        remember = None
        if once is not None:
            kept = b"" if reply is None else reply(done)
            remember = Remembered(context.actor, once.key, once.digest, kept, context.now)
        commit = Commit(
            expects={dossier: version, **plan.expects},
            entries=tuple(rows),
            dossiers=(kinds.row(kind, after, context.now),),
            deadlines=kinds.due(kind, after),
            blobs=plan.blobs,
            deliveries=self._told(kind, rows, after, context.now),
            names=plan.names,
            sketch=plan.screening.sketch if plan.screening else b"",
            remember=remember,
        )
        return commit, done

    def _entry(self, draft: Draft, version: int, context: Context, basis: Basis) -> EntryRow:
        body = canonical(draft.body)
        salt = self._salts()
        return EntryRow(
            id=self.ids("entry"),
            at=context.now,
            dossier=draft.dossier,
            version=version,
            kind=draft.kind,
            actor=context.actor,
            basis=basis,
            body=body,
            salt=salt,
            commitment=commitment(salt, body),
        )

    def _told(self, kind: kinds.Kind, rows: Sequence[EntryRow], state: Any, at: Micros) -> tuple[Delivery, ...]:
        if not self.endpoints or kind.name != "publication":
            return ()
        return tuple(deliveries(self.endpoints, rows, state, at, self.ids))

    # --- screening and policy ------------------------------------------------------------------------------------

    async def screen(
        self, item: Item, account: AccountFacts, dossier: str, at: Micros | None = None, attempt: int = 0
    ) -> Screening:
        """What screening and policy say of an item: nothing is recorded."""
        return await self.judging.screen(item, account, Subject(account.id, dossier, at or self.clock(), attempt))

    # --- accounts ------------------------------------------------------------------------------------------------

    async def account(self, account: str) -> accounts.Account | None:
        """An account's state; perhaps a moment old, which compare-and-swap finds out."""
        known = self._accounts.get(account)
        if known is None:
            state = await self.state(account)
            if not isinstance(state, accounts.Account):
                return None
            known = state
            if len(self._accounts) >= _MOST_ACCOUNTS:
                self._accounts.clear()
            self._accounts[account] = known
        return known

    async def facts_of(
        self, account: accounts.Account, at: Micros = 0, own: publications.Publication | None = None
    ) -> AccountFacts:
        """What rules may know of an account at that instant, its past only where a rule in force reads it."""
        at = at or self.clock()
        past = await past_of(self.store, account.id, self.shelf.at(at).past, at, own)
        return facts_of(account, past)

    async def open_account(
        self, who: Principal, command: Callable[[str], accounts.Open], once: Idempotency | None, reply: Reply | None
    ) -> Done | Refusal:
        """Open an account under a fresh id."""
        identity = self.ids("account")
        opening = command(identity)
        names = (Name("account", opening.external_id, identity),) if opening.external_id else ()
        plan = Plan(opening, names=names)
        return await self.carry_out(who, "account", identity, plainly(plan), fresh=True, once=once, reply=reply)

    async def change_account(
        self,
        who: Principal,
        account: str,
        command: accounts.Command,
        once: Idempotency | None = None,
        reply: Reply | None = None,
    ) -> Done | Refusal:
        """Change rights, agreement or profile, or close."""
        if not who.sees(account):
            return Refusal("account_not_found")
        if who.account:  # an account does not vouch for itself (IM14 art 7)
            return Refusal("forbidden", {"permission": "account.write, with a key that is bound to no account"})
        done = await self.carry_out(who, "account", account, plainly(Plan(command)), once=once, reply=reply)
        self._accounts.pop(account, None)
        return done

    # --- publications --------------------------------------------------------------------------------------------

    async def submit(
        self, who: Principal, ask: "Submission", once: Idempotency | None = None, reply: Reply | None = None
    ) -> Done | Refusal:
        """Screen, decide and record a new publication."""
        identity = self.ids("publication")
        with self.judging.attempting() as (attempt,):
            gather = self._gather_submit(who, ask, identity, attempt, None)
            return await self.carry_out(who, "publication", identity, gather, fresh=True, once=once, reply=reply)

    async def submit_many(
        self, who: Principal, asks: Sequence["Submission"], onces: Sequence[Idempotency | None], reply: Reply
    ) -> list[Done | Refusal]:
        """Submit many at once: screened in one scan, written in shared transactions; each fails or succeeds alone."""
        answers = [await self._answered(who, ask, once) for ask, once in zip(asks, onces, strict=True)]
        open_ = [place for place, answer in enumerate(answers) if answer is None]
        with self.judging.attempting(len(open_)) as attempts:
            at = self.clock()
            subjects = [
                Subject(asks[place].account, self.ids("publication"), at, attempt)
                for place, attempt in zip(open_, attempts, strict=True)
            ]
            found = await self.detection.find_many([asks[place].item for place in open_], subjects)
            waiting: list[Any] = []
            for place, subject, own in zip(open_, subjects, found, strict=True):
                waiting.append(await self._begin(who, subject, asks[place], onces[place], own, reply))
            for place, begun in zip(open_, waiting, strict=True):
                if isinstance(begun, Done | Refusal):
                    answers[place] = begun
                else:
                    future, commit, done = begun
                    answers[place] = self._settled(await future, commit, onces[place], done)
        each = zip(answers, asks, onces, strict=True)
        return [answer or await self.submit(who, ask, once, reply) for answer, ask, once in each]

    async def _answered(self, who: Principal, ask: "Submission", once: Idempotency | None) -> Done | Refusal | None:
        """The answer where the text need not be looked at: a repetition, or an account that may not submit."""
        if once is not None and (known := await self._known(who, once)) is not None:
            return known
        account = await self._submitting(who, ask.account)
        return account if isinstance(account, Refusal) else None

    async def _begin(
        self,
        who: Principal,
        subject: Subject,
        ask: "Submission",
        once: Idempotency | None,
        found: Found,
        reply: Reply,
    ) -> Any:
        """Decide one submission of a batch and queue its commit: (future, commit, done), or its answer at once."""
        context = self.context(who)
        plan = await self._gather_submit(who, ask, subject.dossier, subject.attempt, found)(None, context)
        if isinstance(plan, Refusal):
            return plan
        kind = kinds.KINDS["publication"]
        drafts = kind.decide(None, plan.command, context)
        if isinstance(drafts, Refusal):
            return drafts
        commit, done = self._commit(kind, None, drafts, context, plan, subject.dossier, once, reply)
        return self.group.submit(commit), commit, done

    async def _submitting(self, who: Principal, account: str) -> accounts.Account | Refusal:
        state = await self.account(account) if who.sees(account) else None
        if state is None:
            return Refusal("account_not_found")
        return state if state.status == "active" else Refusal("wrong_state", {"account": state.status})

    def _gather_submit(
        self, who: Principal, ask: "Submission", identity: str, attempt: int, known: Found | None
    ) -> Gather:
        async def gather(_: Any, context: Context) -> Plan | Refusal:
            account = await self._submitting(who, ask.account)
            if isinstance(account, Refusal):
                return account
            subject = Subject(account.id, identity, context.now, attempt)
            found = known or await self.detection.find(ask.item, subject)
            screening = self.judging.judged(ask.item, await self.facts_of(account, subject.at), subject, found)
            command = publications.Submit(
                id=identity,
                account=account.id,
                screened=self.judging.recorded(screening),
                schedule_at=ask.schedule_at,
                external_id=ask.external_id,
            )
            names = (Name(account.id, ask.external_id, identity),) if ask.external_id else ()
            return Plan(command, {account.id: account.version}, _blob(screening), names, screening)

        return gather

    async def revise(
        self,
        who: Principal,
        publication: str,
        item: Item,
        version: int = 0,
        once: Idempotency | None = None,
        reply: Reply | None = None,
    ) -> Done | Refusal:
        """New content for the same publication: screened and decided as if it were new."""

        async def gather(state: Any, context: Context) -> Plan | Refusal:
            if state is None or not who.sees(state.account):
                return Refusal("not_found")
            account = await self.account(state.account)
            if account is None or account.status != "active":
                return Refusal("wrong_state", {"account": "closed"})
            facts = await self.facts_of(account, context.now, state)
            screening = await self.screen(item, facts, publication, context.now, attempt)
            command = publications.Revise(self.judging.recorded(screening), version)
            return Plan(command, {account.id: account.version}, _blob(screening), (), screening)

        with self.judging.attempting() as (attempt,):
            return await self.carry_out(who, "publication", publication, gather, once=once, reply=reply)

    async def act(
        self,
        who: Principal,
        publication: str,
        command: publications.Command,
        once: Idempotency | None = None,
        reply: Reply | None = None,
        *,
        under: str = "",
    ) -> Done | Refusal:
        """Claim, decide, contest or withdraw: commands that need nothing gathered.

        `under`, where it is given, is the digest of the policy that was in force when the person read: under another
        one they read again.
        """

        async def gather(state: Any, context: Context) -> Plan | Refusal:
            if state is None or not who.sees(state.account):
                return Refusal("not_found")
            if under and under != self.shelf.at(context.now).digest:
                return Refusal("stale", {"policy": self.shelf.at(context.now).digest, "read": under})
            return Plan(command)

        return await self.carry_out(who, "publication", publication, gather, once=once, reply=reply)

    async def release(
        self,
        who: Principal,
        publication: str,
        *,
        scheduled: bool = False,
        once: Idempotency | None = None,
        reply: Reply | None = None,
    ) -> Done | Refusal:
        """Publish, if every release check holds at this moment."""

        async def gather(state: Any, context: Context) -> Plan | Refusal:
            if state is None or not who.sees(state.account):
                return Refusal("not_found")
            account = await self.state(state.account)  # read afresh: a refusal to release is not checked by a write
            if not isinstance(account, accounts.Account):
                return Refusal("not_found")
            failed = await self._release_checks(state, account, context.now)
            return Plan(publications.Release(failed, scheduled), {account.id: account.version})

        return await self.carry_out(who, "publication", publication, gather, once=once, reply=reply)

    async def _release_checks(
        self, state: publications.Publication, account: accounts.Account, at: Micros
    ) -> tuple[publications.FailedCheck, ...]:
        """What no longer holds at the moment of publishing: account, revision, right, rules."""
        failed: list[publications.FailedCheck] = []
        if account.status != "active":
            failed.append(publications.FailedCheck("account"))
        if state.approved_revision != state.revision:
            failed.append(publications.FailedCheck("revision"))
        item = await self.content(state.revision)
        facts = await self.facts_of(account, at, state)
        action: Literal["publish", "repost"] = "repost" if item.origin == "repost" else "publish"
        lapsed = self.shelf.at(at).may(facts, item.category, action, at)
        considered = set(state.approved_grounds)
        if lapsed is not None and lapsed.ground not in considered:
            failed.append(publications.FailedCheck("right", lapsed.ground, lapsed.facts))
            considered.add(lapsed.ground)
        verdict = (await self.screen(item, facts, state.id, at)).verdict
        for hit in verdict.hits:
            if hit.ground not in considered and hit.given != "approve":
                failed.append(publications.FailedCheck("rules", hit.ground, {"rule": hit.rule, "pack": hit.pack}))
                considered.add(hit.ground)
        if verdict.errors:
            known = (await self.screening_record(state)).verdict  # what the person who approved has considered
            seen = {(each.pack, each.rule) for each in known.errors}
            failed += [
                publications.FailedCheck("rule_error", "", {"rule": each.rule, "pack": each.pack})
                for each in verdict.errors
                if (each.pack, each.rule) not in seen
            ]
        return tuple(failed)

    async def fire(self, dossier: str, deadline: str) -> Done | Refusal:
        """A deadline has come. Each fires once: its row goes away in the transaction that records what it did."""
        if deadline == "activate":
            return await self.begin(dossier)
        if deadline == "release":
            return await self.release(SYSTEM_DEADLINES, dossier, scheduled=True)
        return await self.act(SYSTEM_DEADLINES, dossier, publications.Fire(deadline))

    async def begin(self, activation: str) -> Done | Refusal:
        """A version of a pack is in force since its instant: put that on record, and that others no longer are."""
        await self.shelf.refresh()
        state: activations.Activation | None = await self.state(activation)
        for step in self.shelf.steps_at(state.activate_at if state else 0):
            await self.record_policy(step.policy, step.at)
        done = await self.carry_out(SYSTEM_DEADLINES, "activation", activation, plainly(Plan(activations.Begin())))
        for other in self.shelf.superseded():
            await self.carry_out(
                SYSTEM_DEADLINES, "activation", other.id, plainly(Plan(activations.Supersede(activation)))
            )
        return done

    async def guard_rules(self) -> list[rule_guard.RuleGuard]:
        """Take out of effect what hits far beyond its history, and say which rules those are."""
        guards = self.judging.guards
        out: list[rule_guard.RuleGuard] = []
        for pause in await guards.surges(self.policy):
            done = await self.carry_out(SYSTEM_GUARD, "guard", pause.id, plainly(Plan(pause)))
            if isinstance(done, Done):
                out.append(done.state)
        if out:
            await guards.refresh()
        return out

    async def resume_rule(self, who: Principal, pack: str, rule: str, reason: str) -> Done | Refusal:
        """Put a rule back into effect that was taken out."""
        resume = plainly(Plan(rule_guard.Resume(reason)))
        done = await self.carry_out(who, "guard", guard_id(pack, rule), resume)
        if isinstance(done, Done):
            await self.judging.guards.refresh()
        return done

    # --- reading -------------------------------------------------------------------------------------------------

    async def content(self, revision: str) -> Item:
        """The content of a revision. Raises StoreCorrupt if it is missing or is not what its hash says."""
        stored = await self.store.blob(bytes.fromhex(revision))
        if stored is None or hashlib.sha256(stored).hexdigest() != revision:
            raise StoreCorrupt(f"The content of revision {revision} is missing or changed.")
        return _item_decoder.decode(stored)

    async def publication(self, who: Principal, publication: str) -> publications.Publication | None:
        """A publication's state, if it exists for this principal."""
        row = await self.store.dossier(publication)
        if row is None or row.kind != "publication" or not who.sees(row.account):
            return None
        state: publications.Publication = kinds.decode(row)
        return state

    async def screening_record(self, state: publications.Publication) -> publications.Recorded:
        """What was found of the present revision and said of it, as recorded."""
        rows = await self.store.entries(state.id, state.screened - 1, 1)
        if not rows:
            raise StoreCorrupt(f"{state.id} has no entry {state.screened}.")
        if rows[0].body is None:
            raise StoreCorrupt(f"The body of {state.id}'s entry {state.screened} has been erased.")
        return msgspec.json.decode(rows[0].body, type=publications.Recorded)


class Submission(NamedTuple):
    """A publication as asked for."""

    account: str
    item: Item
    schedule_at: Micros = 0
    external_id: str = ""


SYSTEM_START: Final = Principal("system:start", frozenset())
SYSTEM_DEADLINES: Final = Principal("system:deadlines", frozenset())
SYSTEM_GUARD: Final = Principal("system:guard", frozenset())


def _again(remembered: Remembered, once: Idempotency) -> Done | Refusal:
    if remembered.digest != once.digest:
        return Refusal("idempotency_mismatch", {"key": once.key})
    return Done(None, None, remembered.reply)


def plainly(plan: Plan) -> Gather:
    """Nothing need be gathered: the plan stands."""

    async def gather(_: Any, __: Context) -> Plan | Refusal:
        return plan

    return gather


def _blob(screening: Screening) -> tuple[tuple[bytes, bytes], ...]:
    return ((bytes.fromhex(screening.revision), screening.content),)


def _read(row: EntryRow, body: Mapping[str, Json]) -> Entry:
    return Entry(row.seq, row.id, row.at, row.dossier, row.version, row.kind, row.actor, row.basis, body)

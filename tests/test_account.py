"""The account procedure, as far as it goes: opening, rights, agreement, profile, closing."""

from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet import kinds
from placet.ledger.encode import canonical
from placet.model import Basis, Draft, Entry, Refusal
from placet.procedure.account import (
    Account,
    Close,
    Command,
    Open,
    SetAgreement,
    SetProfile,
    SetRights,
    decide,
    evolve,
)
from placet.procedure.fold import Context, replay

NOW: Final = 1_790_000_000_000_000
PLATFORM: Final = Context(NOW, "key_platform", frozenset({"account.write"}))
OPENING: Final = Open("acc_1", "news_org", "Harbour Daily", ("news.publish",), "2026-01", "hd-1", "zh-Hant")


class Case:
    """One account: gives commands and keeps the record."""

    def __init__(self, *commands: Command) -> None:
        self.entries: list[Entry] = []
        self.state: Account | None = None
        for command in commands:
            assert not isinstance(self.do(command), Refusal)

    def do(self, command: Command, context: Context = PLATFORM) -> tuple[Draft, ...] | Refusal:
        """Carry the command out, with bodies as they come back from the record."""
        drafts = decide(self.state, command, context)
        if isinstance(drafts, Refusal):
            return drafts
        for draft in drafts:
            version = len(self.entries) + 1
            body = msgspec.json.decode(canonical(draft.body))
            basis = Basis("policy", NOW)
            at = NOW + version
            entry = Entry(version, f"ent_{version}", at, draft.dossier, version, draft.kind, context.actor, basis, body)
            self.state = evolve(self.state, entry)
            self.entries.append(entry)
        return drafts


def test_an_account_opens_with_what_the_platform_vouches_for() -> None:
    """Every word of the opening is in the state, which is active from that instant."""
    assert Case(OPENING).state == Account(
        id="acc_1",
        version=1,
        status="active",
        account_class="news_org",
        display_name="Harbour Daily",
        opened_at=NOW + 1,
        rights=("news.publish",),
        agreement="2026-01",
        external_id="hd-1",
        language="zh-Hant",
    )


CHANGES: Final[list[tuple[Command, str, dict[str, Any]]]] = [
    (SetRights(("news.repost",), "licence 7"), "account.rights_set", {"rights": ("news.repost",)}),
    (SetRights(()), "account.rights_set", {"rights": ()}),
    (SetAgreement("2026-07"), "account.agreement_set", {"agreement": "2026-07"}),
    (SetProfile(display_name="Quay Daily"), "account.profile_set", {"display_name": "Quay Daily"}),
    (SetProfile(account_class="enterprise"), "account.profile_set", {"account_class": "enterprise"}),
    (SetProfile("Quay", "other"), "account.profile_set", {"display_name": "Quay", "account_class": "other"}),
    (Close(), "account.closed", {"status": "closed"}),
]


@pytest.mark.parametrize(("command", "kind", "fields"), CHANGES)
def test_a_change_changes_what_it_names_and_nothing_else(command: Command, kind: str, fields: dict[str, Any]) -> None:
    """One entry, the fields that the command names, the next version; all else stays."""
    case = Case(OPENING)
    before = case.state
    assert before is not None
    case.do(command)
    assert [each.kind for each in case.entries] == ["account.opened", kind]
    assert case.state == msgspec.structs.replace(before, version=2, **fields)


def test_what_rights_rest_on_stands_in_the_record() -> None:
    """The basis of a right is kept with the entry that gave it (IM14 art 7(2))."""
    case = Case(OPENING, SetRights(("news.repost",), "licence 7"))
    assert case.entries[-1].body == {"rights": ["news.repost"], "basis": "licence 7"}


@pytest.mark.parametrize(
    "command",
    [
        SetRights(("news.publish",), "asked again"),
        SetAgreement("2026-01"),
        SetProfile(),
        SetProfile("Harbour Daily", "news_org"),
    ],
)
def test_a_command_that_changes_nothing_leaves_no_entry(command: Command) -> None:
    """The same again is neither refused nor recorded."""
    assert Case(OPENING).do(command) == ()


@pytest.mark.parametrize("command", [each for each, _, _ in CHANGES])
def test_a_closed_account_stays_as_it_is(command: Command) -> None:
    """Nothing changes a closed account, and nothing opens it again."""
    case = Case(OPENING, Close())
    assert case.do(command) == Refusal("wrong_state", {"status": "closed", "allowed": ["active"]})
    assert case.do(OPENING) == Refusal("wrong_state", {"status": "closed"})


@pytest.mark.parametrize("command", [each for each, _, _ in CHANGES])
def test_there_must_be_an_account(command: Command) -> None:
    """Commands to an account that does not exist say so."""
    assert Case().do(command) == Refusal("account_not_found")


def test_an_account_opens_once() -> None:
    """An id that is taken is not opened over."""
    assert Case(OPENING).do(OPENING) == Refusal("wrong_state", {"status": "active"})


@pytest.mark.parametrize("command", [OPENING, *(each for each, _, _ in CHANGES)])
def test_only_who_may_write_accounts(command: Command) -> None:
    """Without `account.write` every command is forbidden, whatever else one may do."""
    anybody = Context(NOW, "stf_1", frozenset({"account.read", "staff.manage", "publication.submit"}))
    for case in (Case(), Case(OPENING)):
        assert case.do(command, anybody) == Refusal("forbidden", {"permission": "account.write"})


def test_an_entry_of_another_procedure_is_an_error() -> None:
    """Folding what does not belong here raises ValueError naming the dossier."""
    case = Case(OPENING)
    closed = msgspec.structs.replace(case.entries[0], kind="account.closed")
    foreign = msgspec.structs.replace(case.entries[0], kind="publication.withdrawn")
    with pytest.raises(ValueError, match=r"acc_1: unexpected entry account\.closed"):
        evolve(None, closed)
    with pytest.raises(ValueError, match=r"acc_1: unexpected entry publication\.withdrawn"):
        evolve(case.state, foreign)


_words = st.sampled_from(["", "a", "b"])
_rights = st.lists(st.sampled_from(["news.publish", "news.repost"]), unique=True).map(tuple)
_commands = st.lists(
    st.one_of(
        st.just(OPENING),
        st.builds(SetRights, _rights, _words),
        st.builds(SetAgreement, _words),
        st.builds(SetProfile, _words, _words),
        st.just(Close()),
    ),
    max_size=12,
)


@given(_commands)
def test_the_state_is_the_fold_of_the_entries(commands: list[Command]) -> None:
    """Whatever is asked: versions go up by one, replay gives the state, it survives storage, closed is the end."""
    case = Case()
    for command in commands:
        before = case.state
        answer = case.do(command)
        if isinstance(answer, Refusal) or not answer:
            assert case.state is before
        if before is not None and before.status == "closed":
            assert case.state is before
    assert [each.version for each in case.entries] == list(range(1, len(case.entries) + 1))
    assert replay(evolve, case.entries) == case.state
    if case.state is not None:
        assert kinds.decode(kinds.row(kinds.KINDS["account"], case.state, NOW)) == case.state

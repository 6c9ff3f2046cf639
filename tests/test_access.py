"""Who may act: the permission table, and the procedures of people, keys and webhook endpoints; recording a policy."""

from typing import Any, Final, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet import kinds
from placet.ledger.encode import canonical
from placet.model import Basis, Draft, Entry, Refusal
from placet.procedure import policy_record
from placet.procedure.access import (
    KEY_SCOPES,
    PERMISSIONS,
    ROLES,
    Access,
    Command,
    End,
    Grant,
    Note,
    Regrant,
    decide,
    evolve,
    permissions_of,
)
from placet.procedure.fold import Context, replay

NOW: Final = 1_790_000_000_000_000
MANAGERS: Final = {"staff": "staff.manage", "key": "key.manage", "webhook": "webhook.manage"}
ADMIN: Final = Context(NOW, "stf_admin", frozenset(MANAGERS.values()))
GRANTS: Final = {
    "staff": Grant("stf_1", "staff", ("reviewer",)),
    "key": Grant("key_1", "key", ("screen", "publication.submit"), "acc_1"),
    "webhook": Grant("whk_1", "webhook"),
}


class Case:
    """One person, key or endpoint: gives commands and keeps the record."""

    def __init__(self, *commands: Command) -> None:
        self.entries: list[Entry] = []
        self.state: Access | None = None
        for command in commands:
            assert not isinstance(self.do(command), Refusal)

    def do(self, command: Command, context: Context = ADMIN) -> tuple[Draft, ...] | Refusal:
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


# --- the table ---------------------------------------------------------------------------------------------------


def test_roles_and_scopes_speak_of_known_permissions() -> None:
    """Every role and every key scope is made of PERMISSIONS, and nobody is left without anything."""
    for role, permissions in ROLES.items():
        assert permissions, role
        assert permissions <= set(PERMISSIONS), role
    assert set(KEY_SCOPES) <= set(PERMISSIONS)


SEPARATED: Final = [
    # (role or scopes, what it must never hold)
    ("reviewer", {"publication.decide_escalated", "publication.take_down", "staff.manage", "policy.edit"}),
    ("lead", {"staff.manage", "key.manage", "policy.edit", "policy.approve", "account.write"}),
    ("policy_editor", {"policy.approve", "publication.decide"}),
    ("policy_approver", {"policy.edit", "publication.decide"}),
    ("admin", {"publication.claim", "publication.decide", "publication.take_down", "policy.edit", "policy.approve"}),
]


@pytest.mark.parametrize(("role", "never"), SEPARATED)
def test_duties_are_separated(role: str, never: set[str]) -> None:
    """Who reviews does not manage, who writes rules does not approve them, who manages does not judge."""
    assert not ROLES[role] & never


def test_auditors_and_programs_only_read_or_submit() -> None:
    """An auditor reads everything and changes nothing; a key is never given a decision, which is a person's."""
    assert {name.split(".")[-1] for name in ROLES["auditor"]} == {"read"}
    assert not {name for name in KEY_SCOPES if name.split(".")[-1] in ("claim", "decide", "take_down", "manage")}


@given(st.lists(st.sampled_from(sorted(ROLES)), unique=True).map(tuple))
def test_several_roles_hold_the_union(roles: tuple[str, ...]) -> None:
    """A person may do what any of their roles may, and nothing more; without a role, nothing."""
    held = permissions_of(roles)
    assert held == {name for name in PERMISSIONS if any(name in ROLES[role] for role in roles)}


# --- people, keys, endpoints -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", GRANTS)
def test_joining_changing_and_leaving(kind: Literal["staff", "key", "webhook"]) -> None:
    """Each kind is added with its grants, may be granted others, and ends; the entries carry the kind's name."""
    grant = GRANTS[kind]
    other = {"staff": ("lead", "auditor"), "key": ("screen",), "webhook": ("publication.refused",)}[kind]
    case = Case(grant)
    assert case.state == Access(grant.id, 1, kind, "active", NOW + 1, grant.grants, grant.account)
    case.do(Regrant(other))
    assert case.state == Access(grant.id, 2, kind, "active", NOW + 1, other, grant.account)
    case.do(End())
    assert case.state == Access(grant.id, 3, kind, "ended", NOW + 1, other, grant.account)
    assert [each.kind for each in case.entries] == [f"{kind}.added", f"{kind}.granted", f"{kind}.ended"]


@pytest.mark.parametrize("kind", GRANTS)
def test_each_kind_has_its_manager(kind: str) -> None:
    """Only the permission of that kind manages it: the other two are of no help."""
    other = Context(NOW, "stf_admin", frozenset(PERMISSIONS) - {MANAGERS[kind]})
    forbidden = Refusal("forbidden", {"permission": MANAGERS[kind]})
    assert Case().do(GRANTS[kind], other) == forbidden
    case = Case(GRANTS[kind])
    assert [case.do(each, other) for each in (Regrant(()), End(), Note("link_issued"))] == [forbidden] * 3


def test_the_founding_admin_is_appointed_by_nobody() -> None:
    """The first grant needs no manager, since there is none yet."""
    nobody = Context(NOW, "system:operator")
    founding = Grant("stf_1", "staff", ("admin",), founding=True)
    assert Case().do(founding, nobody) != ()
    assert Case().do(msgspec.structs.replace(founding, founding=False), nobody) == Refusal(
        "forbidden", {"permission": "staff.manage"}
    )


def test_nobody_is_added_twice() -> None:
    """An id that is or was somebody's is not given again."""
    assert Case(GRANTS["staff"]).do(GRANTS["staff"]) == Refusal("wrong_state", {"status": "active"})
    assert Case(GRANTS["staff"], End()).do(GRANTS["staff"]) == Refusal("wrong_state", {"status": "ended"})


@pytest.mark.parametrize("command", [Regrant(("lead",)), End(), Note("passkey_added")])
def test_who_has_ended_is_gone(command: Command) -> None:
    """Nothing can be done to, or by, somebody who has left or never came."""
    assert Case().do(command) == Refusal("not_found")
    assert Case(GRANTS["staff"], End()).do(command) == Refusal("not_found")


@pytest.mark.parametrize(
    ("kind", "grants", "unknown"),
    [
        ("staff", ("reviewer", "owner", "boss"), ["boss", "owner"]),
        ("staff", ("screen",), ["screen"]),
        ("key", ("publication.decide",), ["publication.decide"]),
        ("key", ("reviewer",), ["reviewer"]),
    ],
)
def test_grants_are_of_the_table(kind: Any, grants: tuple[str, ...], unknown: list[str]) -> None:
    """A role or scope that is not in the table is refused by name, at first and later."""
    refusal = Refusal("invalid", {"unknown": unknown})
    assert Case().do(Grant("x_1", kind, grants)) == refusal
    assert Case(GRANTS[kind]).do(Regrant(grants)) == refusal


def test_the_same_grants_again_leave_no_entry() -> None:
    """Granting what is held changes nothing."""
    assert Case(GRANTS["staff"]).do(Regrant(("reviewer",))) == ()


@pytest.mark.parametrize("what", ["link_issued", "passkey_added", "passkey_removed"])
def test_signing_in_is_noted_by_oneself_or_a_manager(what: Any) -> None:
    """A person notes their own passkeys without any permission; a colleague may not note them for somebody else."""
    case = Case(GRANTS["staff"])
    before = case.state
    assert before is not None
    case.do(Note(what), Context(NOW, "stf_1"))
    assert case.entries[-1].kind == f"staff.{what}"
    assert case.state == msgspec.structs.replace(before, version=2)
    assert case.do(Note(what), Context(NOW, "stf_2")) == Refusal("forbidden", {"permission": "staff.manage"})


def test_an_entry_that_does_not_fit_is_an_error() -> None:
    """A second joining, a change before joining and a foreign entry raise ValueError naming the dossier."""
    case = Case(GRANTS["staff"])
    added = case.entries[0]
    misfits = [(case.state, added), (None, msgspec.structs.replace(added, kind="staff.ended"))]
    misfits.append((case.state, msgspec.structs.replace(added, kind="account.closed")))
    for state, entry in misfits:
        with pytest.raises(ValueError, match="stf_1: unexpected entry"):
            evolve(state, entry)


_roles = st.lists(st.sampled_from([*sorted(ROLES), "owner"]), unique=True, max_size=3).map(tuple)
_commands = st.lists(
    st.one_of(
        st.builds(Grant, st.just("stf_1"), st.just("staff"), _roles),
        st.builds(Regrant, _roles),
        st.builds(Note, st.sampled_from(["link_issued", "passkey_added", "passkey_removed"])),
        st.just(End()),
    ),
    max_size=12,
)


@given(_commands)
def test_the_state_is_the_fold_of_the_entries(commands: list[Command]) -> None:
    """Whatever is asked: versions go up by one, replay gives the state, it survives storage, ended is the end."""
    case = Case()
    for command in commands:
        before = case.state
        case.do(command)
        if before is not None and before.status == "ended":
            assert case.state is before
    assert [each.version for each in case.entries] == list(range(1, len(case.entries) + 1))
    assert replay(evolve, case.entries) == case.state
    if case.state is not None:
        assert set(case.state.grants) <= set(ROLES)
        assert kinds.decode(kinds.row(kinds.KINDS["staff"], case.state, NOW)) == case.state


# --- recording a policy ------------------------------------------------------------------------------------------

RECORD: Final = policy_record.Record("pak_1", "sha256:aa", ("community 1.0.0 sha256:bb",), ("cc",), NOW)


def test_a_policy_is_recorded_once_and_by_the_system() -> None:
    """The first record is an entry, the second nothing; a person, however powerful, does not write it."""
    system = Context(NOW, "system:start")
    drafts = policy_record.decide(None, RECORD, system)
    assert not isinstance(drafts, Refusal)
    entry = Entry(1, "ent_1", NOW, "pak_1", 1, drafts[0].kind, "system:start", Basis("x", NOW), drafts[0].body)
    state = policy_record.evolve(None, entry)
    assert state == policy_record.PolicyRecord("pak_1", 1, RECORD.digest, RECORD.packs, RECORD.archives, NOW, (NOW,))
    assert policy_record.decide(state, RECORD, system) == ()
    assert policy_record.decide(None, RECORD, ADMIN) == Refusal("forbidden", {"permission": "system"})
    with pytest.raises(ValueError, match="pak_1: unexpected entry"):
        policy_record.evolve(state, entry)

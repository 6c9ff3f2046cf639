"""The documents are true of the code: what is there is documented, what is documented is there, examples run."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import unquote

import msgspec
import pytest
import typer
from litestar import Litestar
from platforms import Platform
from stores import PostgresBackend

from placet import cli
from placet.audit import rebuild
from placet.errors import CODES
from placet.events import SILENT
from placet.house import DATABASE_FILE, House, open_house
from placet.kinds import ENTRY_KINDS
from placet.lists import Lists
from placet.metrics import Metrics
from placet.model import Item, Micros, Refusal
from placet.people import DAY, SYSTEM_OPERATOR
from placet.policy import load_pack
from placet.policy.cel import compile_rule
from placet.policy.cel.functions import FUNCTIONS
from placet.policy.cel.macros import MACRO_NAMES
from placet.policy.environment import ENVIRONMENT, FindingIndex, Seen
from placet.procedure import account as accounts
from placet.procedure import publication as publications
from placet.procedure.access import KEY_SCOPES, PERMISSIONS, ROLES, permissions_of
from placet.procedure.activation import NOTICE
from placet.procedure.rule_guard import Pause
from placet.procedure.word_list import Addition
from placet.rule_guards import guard_id
from placet.service import SYSTEM_GUARD, Done, Plan, Principal, Submission, now, plainly
from placet.settings import SETTINGS, load
from placet.web.app import create_app

pytest_plugins = ("platforms",)

ROOT: Final = Path(__file__).resolve().parents[1]
DOCS: Final = ROOT / "docs"
SOURCE: Final = ROOT / "src" / "placet"
RECORDS: Final = sorted((DOCS / "decisions").glob("[0-9]*.md"))
PAGES: Final = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
NAMES: Final = [page.relative_to(ROOT).as_posix() for page in PAGES]


def text_of(name: str) -> str:
    """A document's text: "docs/api.md"."""
    return (ROOT / name).read_text("utf-8")


def section(name: str, title: str) -> str:
    """The part of a document under a heading, up to the next of its rank."""
    found = re.search(rf"(?m)^(#+) {re.escape(title)}$", text_of(name))
    assert found, f"{name} has no section {title!r}"
    rest = text_of(name)[found.end() :]
    following = re.search(rf"(?m)^#{{1,{len(found[1])}}} ", rest)
    return rest[: following.start()] if following else rest


def rows(text: str) -> list[list[str]]:
    """The cells of every table row in a text, without heads and rules."""
    found = []
    lines = text.splitlines()
    for place, line in enumerate(lines):
        following = lines[place + 1] if place + 1 < len(lines) else ""
        if line.startswith("|") and not re.match(r"\|[-: |]+\|$", line) and not re.match(r"\|[-: |]+\|$", following):
            found.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


def quoted(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`\n]+)`", text)


def fenced(text: str, language: str = "") -> list[str]:
    """The fenced blocks of a text in a language; "" for those that name none."""
    return [body for named, body in re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", text) if named == language]


def blocks(name: str, language: str = "") -> list[str]:
    """The fenced blocks of a document."""
    return fenced(text_of(name), language)


def prose(name: str) -> str:
    """A document without its fenced blocks."""
    return re.sub(r"(?ms)^```.*?^```$", "", text_of(name))


# --- settings, metrics, logs -------------------------------------------------------------------------------------


def shown_default(value: Any) -> str:
    """How a default stands in the table."""
    if value == "":
        return "empty"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def test_every_setting_is_documented() -> None:
    """The table in operations.md has each setting, in order, with its default, bounds and help."""
    table = rows(section("docs/operations.md", "Settings"))
    expected = [
        [
            f"`{row.name}`",
            shown_default(row.default),
            "" if row.least is None else f"{row.least:,} to {row.most:,}",
            row.help,
        ]
        for row in SETTINGS
    ]
    assert table == expected


def test_every_metric_is_documented() -> None:
    """The table in operations.md has the metrics that there are, with their labels."""
    families = list(Metrics().registry.collect())
    expected = {f"{each.name}_total" if each.type == "counter" else each.name: each.type for each in families}
    table = {quoted(row[0])[0]: row[1].partition(",")[0] for row in rows(section("docs/operations.md", "Metrics"))}
    assert table == expected


def test_every_log_event_is_documented() -> None:
    """The table in operations.md has every event that the code logs by a name of its own."""
    called = re.compile(r"log\.(?:debug|info|warning|error|critical)\(\s*\"(\w+)\"")
    logged = {name for path in SOURCE.rglob("*.py") for name in called.findall(path.read_text("utf-8"))}
    table = {name for row in rows(section("docs/operations.md", "Logs")) for name in quoted(row[0])}
    assert logged == {name for name in table if "." not in name}


def test_every_reason_of_a_halt_is_documented() -> None:
    """operations.md says of every reason for which the recorder halts what it means."""
    code = text_of("src/placet/recorder.py")
    reasons = re.findall(r"""(?:LedgerHalted|StoreCorrupt)\(\s*f"([^"]+)\"""", code)
    told = {name for row in rows(section("docs/operations.md", "When the ledger is halted")) for name in quoted(row[0])}
    openings = [re.sub(r"\s*…\s*", ".*", re.escape(name).replace("\\ ", " ")) for name in told]
    own = [
        reason for reason in reasons if not reason.startswith("{")
    ]  # those of ledger/checkpoint.py come by their names
    assert len(own) >= 8
    assert [reason for reason in own if not any(re.match(opening, reason) for opening in openings)] == []


# --- the API -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A platform without a server, on a clock that a test may move."""
    settings = load({"data": str(tmp_path / "data"), "log_level": "error"}, {})
    async with open_house(settings, serving=False, create_key=True, clock=Clock()) as opened:
        yield opened


class Clock:
    """The wall clock, moved on by a test."""

    def __init__(self) -> None:
        self.ahead: Micros = 0

    def __call__(self) -> Micros:
        """The present instant."""
        return now() + self.ahead


def shape(path: str) -> str:
    """A path with its parameters as in the documents: /v1/publications/{publication}."""
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", path)


def routes(app: Litestar) -> dict[str, str]:
    """Every route of the application, "GET /rules", with the scope that it names."""
    found = {}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            for method in set(handler.http_methods) - {"OPTIONS", "HEAD"}:
                found[f"{method} {shape(route.path)}"] = str(handler.opt.get("scope", ""))
    return found


REMNANTS: Final = frozenset({"GET /v1/described", "GET /v1/described/{path}", "GET /v1/described/openapi.json"})
"""What litestar serves beside our own description of the API: the same as JSON, and a page that says 404. No more: its
other pages would load scripts from elsewhere."""


async def test_every_route_is_documented(house: House) -> None:
    """api.md lists the routes that there are and no others, each with the scope that it asks for."""
    there = routes(create_app(house))
    documented: dict[str, str] = {}
    for row in rows(section("docs/api.md", "Routes")):
        documented[quoted(row[0])[0]] = next(iter(quoted(row[1])), "")
    pages = {name for row in rows(section("docs/api.md", "Pages of the desk")) for name in quoted(row[0])}
    assert set(documented) & pages == set()
    assert set(documented) | pages == set(there) - REMNANTS
    assert {name: scope for name, scope in documented.items() if there.get(name) != scope} == {}


def test_every_error_code_is_documented() -> None:
    """The table in api.md has each code with its status, title and next step."""
    expected = [[f"`{name}`", str(code.status), code.title, code.next_step] for name, code in CODES.items()]
    assert rows(section("docs/api.md", "Errors")) == expected


def test_routes_name_only_codes_that_there_are() -> None:
    """Every error named beside a route is a code."""
    named = {name for row in rows(section("docs/api.md", "Routes")) for name in quoted(row[4])}
    assert named - set(CODES) == set()


def test_every_status_and_event_is_documented() -> None:
    """api.md has every status of a publication, and a webhook event for each."""
    statuses = set(get_args(publications.Status))
    assert {quoted(row[0])[0] for row in rows(section("docs/api.md", "Statuses"))} == statuses
    events = {quoted(row[0])[0] for row in rows(section("docs/api.md", "Webhooks"))}
    assert events == {f"publication.{status}" for status in statuses}


def test_every_decision_is_documented() -> None:
    """api.md has every choice of a person."""
    choices = {quoted(row[0])[0] for row in rows(section("docs/api.md", "Decisions"))}
    assert choices == set(get_args(publications.Choice))


def test_every_permission_is_documented() -> None:
    """The table in api.md says of each permission which roles have it, and whether a key can."""
    table = rows(section("docs/api.md", "Roles and permissions"))
    expected = [
        [
            f"`{permission}`",
            *("yes" if permission in granted else "" for granted in ROLES.values()),
            "yes" if permission in KEY_SCOPES else "",
        ]
        for permission in PERMISSIONS
    ]
    assert table == expected
    assert f"| permission | {' | '.join(f'`{role}`' for role in ROLES)} | key |" in text_of("docs/api.md")


# --- entry kinds: documented, and the fields are those of entries that were really made -----------------------------


def documented_fields() -> dict[str, set[str]]:
    """Of each entry kind the fields of its body, as api.md lists them; words in brackets are not fields."""
    table = rows(section("docs/api.md", "Entry kinds"))
    return {quoted(row[0])[0]: set(quoted(re.sub(r"\([^)]*\)", "", row[2]))) for row in table}


def test_every_entry_kind_is_documented() -> None:
    """api.md has every kind of entry that the record may hold, in the order of the code within a procedure."""
    assert set(documented_fields()) == set(ENTRY_KINDS)
    assert {kind for kind in ENTRY_KINDS if kind.startswith("publication.")} > SILENT


async def test_entry_bodies_have_the_documented_fields(house: House) -> None:
    """Entries of every kind, made by the service, have the fields that api.md lists for them, and all of them."""
    await _live_through_everything(house)
    seen: dict[str, set[str]] = {}
    for row in await house.store.entries_from(0, 1_000):
        assert row.body is not None
        seen[row.kind] = seen.get(row.kind, set()) | set(msgspec.json.decode(row.body))
    documented = documented_fields()
    assert set(seen) == set(ENTRY_KINDS) - {"key.granted", "webhook.granted"}, "these two have no way to be made yet"
    assert {kind: fields for kind, fields in seen.items() if documented[kind] != fields} == {}


HELD: Final = Item(title="Spring tea", body="Add me on Telegram for the price list.")
WHY: Final = {"ground": "community.solicitation", "facts": "An offer of contact elsewhere.", "reason": "Clause 1."}


async def _live_through_everything(house: House) -> None:
    """Every command that leads to an entry, on one platform."""
    admin = _ok(await house.people.add(SYSTEM_OPERATOR, "Ana", ("admin", "lead", "reviewer"), founding=True))
    second = _ok(await house.people.add(SYSTEM_OPERATOR, "Bo", ("reviewer",)))
    key, _ = _ok(await house.people.add_key(SYSTEM_OPERATOR, "platform"))
    lead, platform = await _who(house, admin.id), await _who(house, key.id)
    for what in ("link_issued", "token_issued", "passkey_added", "passkey_removed"):
        _ok(await house.people.note(lead, what))
    _ok(await house.people.change_roles(SYSTEM_OPERATOR, second.id, ("auditor",)))
    _ok(await house.people.end(SYSTEM_OPERATOR, second.id))
    spare, _ = _ok(await house.people.add_key(SYSTEM_OPERATOR, "spare"))
    _ok(await house.people.end_key(SYSTEM_OPERATOR, spare.id))
    endpoint, _ = _ok(await house.people.add_webhook(SYSTEM_OPERATOR, "https://hooks.example/placet"))
    _ok(await house.people.end_webhook(SYSTEM_OPERATOR, endpoint))
    lists = Lists(house.service)
    _ok(await lists.change(lead, "community/gambling", "A wave.", add=(Addition("quilltern"),)))
    _ok(await lists.change(lead, "community/gambling", "Harmless.", remove=("online casino bonus",)))
    await _publish(house, lead, platform)
    await _activate(house)


async def _activate(house: House) -> None:
    """A version of a pack that is withdrawn, and two that come into force one after the other."""
    packs, clock = house.activations, house.service.clock
    assert isinstance(clock, Clock)
    editor = Principal("stf_editor", permissions_of(("policy_editor",)))
    approver = Principal("stf_approver", permissions_of(("policy_approver",)))
    files = house.service.policy.packs[-1].files
    versions = [{**files, "rules.toml": f"{files['rules.toml']}# {number}\n"} for number in range(2)]
    for version in (*versions, dict(files)):
        state = _ok(await packs.open(editor, "community", version)).state
        _ok(await packs.propose(editor, state.id, 0, "Spring."))
        _ok(await packs.give_back(approver, state.id, "Wait."))
        _ok(await packs.propose(editor, state.id, 0, "Now."))
        _ok(await packs.approve(approver, state.id, state.archive))
        clock.ahead += NOTICE
        _ok(await house.service.fire(state.id, "activate"))
    community = next(pack for pack in house.service.policy.packs if pack.id == "community")
    name = ("community", community.rules[0].id)
    pause = Pause(guard_id(*name), *name, community.digest, (60, 60), (1_200, 3), 20)
    _ok(await house.service.carry_out(SYSTEM_GUARD, "guard", pause.id, plainly(Plan(pause))))
    _ok(await house.service.resume_rule(approver, *name, "It was a sale."))
    state = _ok(await packs.open(editor, "community", versions[0])).state
    _ok(await packs.withdraw(editor, state.id, "Not needed."))


async def _publish(house: House, lead: Principal, platform: Principal) -> None:
    service, clock = house.service, house.service.clock
    assert isinstance(clock, Clock)
    opening = accounts.Open(id="", account_class="individual", display_name="Corner", agreement="1")
    opened = await service.open_account(platform, lambda i: msgspec.structs.replace(opening, id=i), None, None)
    account = _ok(opened).state.id

    async def act(made: Done, command: publications.Command, who: Principal = lead) -> Done:
        done: Done = _ok(await service.act(who, made.state.id, command))
        return done

    async def submit(item: Item = HELD) -> Done:
        done: Done = _ok(await service.submit(platform, Submission(account, item)))
        return done

    def decide(made: Done, choice: publications.Choice, **fields: str) -> publications.Decide:
        return publications.Decide(choice=choice, version=made.state.version, **(WHY | fields))

    held = await act(await submit(), publications.Claim())
    held = await act(held, publications.Unclaim())
    held = await act(held, decide(held, "escalate"))
    returned = await act(held, decide(held, "return", changes="Leave the offer out."))
    _ok(await service.revise(platform, returned.state.id, msgspec.structs.replace(HELD, title="Tea")))
    refused = await submit()
    await act(refused, decide(refused, "refuse"))
    approved = await submit()
    await act(approved, decide(approved, "approve"))
    released = _ok(await service.release(platform, approved.state.id))
    await act(released, decide(released, "take_down"))
    empty = await submit(Item())
    await act(await act(empty, publications.Contest(), platform), publications.Withdraw(), platform)
    waiting = await act(await submit(), publications.Claim())
    clock.ahead += 30 * DAY
    _ok(await service.fire(waiting.state.id, "claim"))
    _ok(await service.fire(waiting.state.id, "hold"))
    late = await submit(Item(title="Opening hours", body="We open at nine."))
    for command in (accounts.SetRights(("news.repost",)), accounts.SetAgreement("2"), accounts.SetProfile("New")):
        _ok(await service.change_account(platform, account, command))
    _ok(await service.change_account(platform, account, accounts.Close()))
    _ok(await service.release(platform, late.state.id))


async def _who(house: House, identity: str) -> Principal:
    found = await house.people.principal_of(identity)
    assert found is not None
    return found


def _ok(result: Any) -> Any:
    assert not isinstance(result, Refusal), result
    return result


# --- the command line --------------------------------------------------------------------------------------------


def commands() -> dict[str, Any]:
    """Every command of the command line, as its parser has it: "staff add"."""

    def walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        for each, below in (inner or {}).items():
            yield from walk(below, f"{name} {each}".strip())

    return dict(walk(typer.main.get_command(cli.app), ""))


COMMON: Final = {"--data", "--database", "--help"}


def test_every_command_is_documented() -> None:
    """The table in cli.md has the commands that there are, each with its own options."""
    documented: dict[str, set[str]] = {}
    for row in rows(text_of("docs/cli.md")):
        name = re.sub(r"(?: \[?[A-Z]+\]?…?)+$", "", quoted(row[0])[0]).removeprefix("placet ")
        documented[name] = set(re.findall(r"--[a-z-]+", row[2])) - COMMON
    there = {
        name: {option for each in command.params for option in each.opts if option.startswith("--")} - COMMON
        for name, command in commands().items()
    }
    assert documented == there


@pytest.mark.parametrize("name", NAMES)
def test_commands_in_documents_exist(name: str) -> None:
    """Every `placet …` in a document is a command, or a group of them, that there is."""
    known = set(commands()) | {command.split()[0] for command in commands()}
    written = re.findall(r"(?m)(?:`|bin/|^)placet ((?:[a-z]+ ?){1,2})", text_of(name))
    wrong = [text for text in written if text.strip() not in known and text.split()[0] not in known - GROUPS]
    assert wrong == []


GROUPS: Final = frozenset({"pack", "ledger", "staff", "key", "webhook"})


def test_make_targets_in_documents_exist() -> None:
    """Every `make …` in a document is a target of the Makefile."""
    targets = set(re.findall(r"(?m)^([a-z]+):", text_of("Makefile")))
    written = {each for name in NAMES for each in re.findall(r"(?m)(?:`|^)make ([a-z]+)\b", text_of(name))}
    assert written - targets == set()
    assert {"run", "test", "check", "bench", "dev"} <= written


# --- links, names, glossary, records -----------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors of a document's headings."""
    titles = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", page.read_text("utf-8")))
    plain = [re.sub(r"[^\w\s-]", "", title.replace("`", "").lower()).strip() for title in titles]
    return {re.sub(r"\s", "-", each) for each in plain}


LATER: Final = frozenset({"docs/desk.png"})
"""A picture that is taken from a running desk, and may not be there in a fresh change."""


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    """Every link to a file of the project leads to one, and its anchor to a heading."""
    page = ROOT / name
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(name)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        missing = not target.exists() and target.relative_to(ROOT).as_posix() not in LATER
        if missing or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


PATH: Final = re.compile(r"[\w.-]+(?:/[\w.*-]+)*(?:/|\.(?:py|toml|sql|css|js|md|html|svg|jsonl))")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/design.md", "docs/glossary.md", "docs/api.md"])
def test_paths_in_documents_exist(name: str) -> None:
    """Every file or folder named in a document is there, seen from the root, the package or the documents."""
    pack_files = {"pack.toml", "rules.toml", "grounds.toml", "lists/", "placet.toml"}
    named = {each for each in quoted(prose(name)) if PATH.fullmatch(each)} - pack_files
    places = (ROOT, SOURCE, DOCS)
    missing = [each for each in sorted(named) if not any(list(place.glob(each.rstrip("/"))) for place in places)]
    assert missing == []


def test_names_in_the_table_of_changes_exist() -> None:
    """design.md answers at least twenty times where a change would go, and every name that it gives is in the code."""
    table = rows(section("docs/design.md", "Where would a change go?"))
    assert len(table) >= 20
    code = "\n".join(path.read_text("utf-8") for path in SOURCE.rglob("*.py"))
    names = {each for row in table for each in quoted(row[1]) if re.fullmatch(r"\w+(?:\.\w+)?", each)}
    words = {part for each in names if not PATH.fullmatch(each) for part in each.split(".")}
    settings = {row.name for row in SETTINGS}
    plain = {"format", "until", "from"}
    assert {word for word in words - settings - plain if not re.search(rf"\b{word}\b", code)} == set()


def test_the_glossary_has_each_term_once() -> None:
    """The glossary has sixty terms or more, in order, each once, in three languages, with meaning and place."""
    table = rows(text_of("docs/glossary.md"))
    terms = [row[0] for row in table]
    assert len(terms) >= 60
    assert terms == sorted(set(terms), key=str.casefold)
    han = re.compile(r"[\u4e00-\u9fff]")
    whole = [row for row in table if len(row) == 5 and all(row) and han.search(row[1]) and han.search(row[2])]
    assert whole == table
    for column in (1, 2):
        given = [row[column] for row in table]
        assert [each for each in given if given.count(each) > 1 and each not in SHARED] == []


SHARED: Final = frozenset({"發布", "发布"})
"""Chinese words that stand for two of our terms."""


def test_decision_records_are_whole() -> None:
    """Records are numbered without a gap, have their parts and what they cost, and stand in the list."""
    listed = re.findall(r"(?m)^\d+\. \[(.+)\]\((.+)\)$", text_of("docs/decisions/README.md"))
    assert [file for _, file in listed] == [record.name for record in RECORDS]
    for number, (record, (title, _)) in enumerate(zip(RECORDS, listed, strict=True), 1):
        text = record.read_text("utf-8")
        assert record.name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number}. {title}\n")
        headings = re.findall(r"(?m)^## (.+)$", text)
        assert headings == ["Context", "Decision", "Consequences"]
        assert re.search(r"(?m)^Status: (?:accepted|replaced by \[)", text)
        assert len(re.findall(r"(?m)^- ", text.partition("What it costs:")[2])) >= 1, record.name


def test_the_changelog_knows_this_version() -> None:
    """The changelog has a part for the version of the package."""
    version = re.search(r'(?m)^version = "(.+)"', text_of("pyproject.toml"))
    assert version
    assert f"## [{version[1]}]" in text_of("CHANGELOG.md")


def test_the_picture_stands_by_itself() -> None:
    """The flow's picture brings its own ground, says in words what it shows, and loads nothing."""
    picture = text_of("docs/flow.svg")
    assert "<title" in picture
    assert "<desc" in picture
    assert '<rect class="card"' in picture
    assert re.search(r"(?:href|src)=|url\((?!#)|<script|<image", picture) is None
    for word in ("submission", "screening", "policy", "procedure", "record", "people"):
        assert word in picture


# --- examples run ------------------------------------------------------------------------------------------------


def test_the_pack_in_the_documents_loads() -> None:
    """The five files printed in packs.md are a pack that loads, its golden case included."""
    files = {}
    for block in blocks("docs/packs.md", "toml"):
        name, _, _ = block.removeprefix("# ").partition("\n")
        if re.fullmatch(r"[\w/-]+\.toml", name):
            files[name] = block
    assert len(files) == 5
    assert load_pack(files).require().id == "garden"


def test_the_first_rule_works(tmp_path: Path) -> None:
    """Every step of first-rule.md can be followed: what it adds to files is added, what it types is answered so."""
    placet_ = f'placet() {{ "{sys.executable}" -m placet "$@"; }}\n'
    steps = re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", text_of("docs/first-rule.md"))
    assert len(steps) >= 8
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PLACET_")}
    for language, step in steps:
        if language == "toml":
            place, _, more = step.removeprefix("# ").partition("\n")
            with (tmp_path / place).open("a", encoding="utf-8") as file:
                file.write(f"\n{more}")
            continue
        for typed, answer in re.findall(r"(?m)^\$ (.*)\n((?:(?!\$ ).*\n)*)", step):
            done = subprocess.run(
                ["bash", "-c", placet_ + typed],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert re.fullmatch(re.escape(answer).replace("…", ".*"), done.stdout), (typed, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "example",
    [row[-1].strip("`") for part in ("Operators", "Macros", "Functions") for row in rows(section("docs/cel.md", part))],
)
def test_examples_of_the_rule_language_are_true(example: str) -> None:
    """Every line `for instance` in cel.md is a condition that a rule could have, and true."""
    assert compile_rule(example, ENVIRONMENT).run({}, Seen("none", FindingIndex([]), {})) is True


def test_every_function_of_the_rule_language_is_documented() -> None:
    """cel.md has every operator, function and macro that a rule can use."""
    text = text_of("docs/cel.md")
    calls = set(re.findall(r"[\w.]+(?=\()", text))
    named = {call for call in calls if call in FUNCTIONS} | {call.rpartition(".")[2] for call in calls}
    operators = {name for name in FUNCTIONS if not name[0].isalpha()}
    assert {name for name in FUNCTIONS if name.isidentifier()} | (MACRO_NAMES - {"cel.bind"}) <= named
    assert {name for name in FUNCTIONS if "." in name} | {"cel.bind"} <= calls
    assert [name for name in operators if f"`{name.removesuffix('_')}`" not in text] == []


def test_the_screening_example_runs() -> None:
    """The Python example in screening.md runs, with its assertions."""
    (example,) = blocks("docs/screening.md", "python")
    exec(compile(example, "docs/screening.md", "exec"), {})


async def test_moving_to_postgresql_works(house: House, postgres: PostgresBackend, tmp_path: Path) -> None:
    """The program in operations.md copies a platform into PostgreSQL: same record, same head, states that fold."""
    await _live_through_everything(house)
    head = await house.recorder.checkpoint()
    file = tmp_path / "move.py"
    file.write_text(next(each for each in blocks("docs/operations.md", "python") if "async def move" in each), "utf-8")
    move = runpy.run_path(str(file))["move"]
    await move(str(tmp_path / "data" / DATABASE_FILE), postgres.dsn)
    store = postgres.store()
    await store.open()
    try:
        assert await store.head() == head
        assert await store.entries_from(0, 1_000) == await house.store.entries_from(0, 1_000)
        outcome = await rebuild(store)
        assert outcome.checked > 5
        assert outcome.differences == []
    finally:
        await store.close()


def test_the_example_settings_load(tmp_path: Path) -> None:
    """The placet.toml printed in operations.md is one that loads."""
    (example,) = blocks("docs/operations.md", "toml")
    (tmp_path / "placet.toml").write_text(example, "utf-8")
    assert load({"data": str(tmp_path)}, {}).public_url == "https://review.example"


def bash(script: str, **variables: str) -> str:
    """Run a script as a reader would, and give what it prints."""
    if shutil.which("curl") is None or shutil.which("bash") is None:
        assert os.environ.get("CI") != "true", "curl and bash are needed to try the examples"
        pytest.skip("no curl or no bash to try the examples with")
    environment = {**os.environ, **variables}
    done = subprocess.run(
        ["bash", "-euc", script], capture_output=True, text=True, env=environment, timeout=60, check=True
    )
    return done.stdout


def test_the_readme_example_works(platform: Platform) -> None:
    """What README.md has a newcomer type opens an account and has a post approved."""
    (script,) = [block for block in blocks("README.md") if "curl" in block]
    script = script.replace("plk_…", platform.api_key).replace("http://localhost:8420", platform.url)
    assert json.loads(bash(script))["status"] == "approved"


@pytest.mark.parametrize("title", ["A publication", "Accounts", "Word lists", "History and ledger"])
def test_the_api_examples_work(platform: Platform, title: str) -> None:
    """The curl examples of api.md are answered without a problem."""
    account = platform.open_account()
    made = platform.http.post("/v1/publications", json={"account": account, "body": "We open at nine."}).json()
    (script,) = [each for each in fenced(section("docs/api.md", title)) if "curl" in each]
    script = re.sub(r"acc_\w{26}", account, script)
    answer = json.loads(bash(script, URL=platform.url, KEY=platform.api_key, PUB=made["id"]))
    assert "code" not in answer


def test_the_decision_example_works(platform: Platform) -> None:
    """The curl example of a decision refuses the publication that the example before has submitted."""
    item = {"account": platform.open_account(), "body": HELD.body}
    made = platform.http.post("/v1/publications", json=item).json()
    (script,) = [each for each in fenced(section("docs/api.md", "Decisions")) if "curl" in each]
    token = platform.person("reviewer").token
    answer = json.loads(bash(script, URL=platform.url, TOKEN=token, PUB=made["id"]))
    assert answer["status"] == "refused"


def test_the_backup_command_works(house: House, tmp_path: Path) -> None:
    """The Python line that operations.md gives for a back-up makes a whole copy of a database in use."""
    (script,) = [block for block in blocks("docs/operations.md") if "VACUUM INTO" in block]
    command = re.search(r"(?ms)^python3 -c .*?\n.*?$", script)
    assert command
    line = command[0].replace("/var/lib/placet", str(house.settings.folder)).replace("/backup", str(tmp_path))
    bash(line)
    (copy,) = tmp_path.glob("placet-*.db")
    assert copy.read_bytes().startswith(b"SQLite format 3")

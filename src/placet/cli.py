"""The command line: `placet`. Exit 0 when all is fine, 1 when trouble was found, 2 for misuse."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from placet import __version__, audit
from placet.automata import FolderKeep, default_folder
from placet.backtest.command import backtest
from placet.errors import PlacetError, SettingsError
from placet.founding import accepted, check_initialised, found
from placet.house import House, head_file_of, open_house
from placet.ledger import verify as verifier
from placet.ledger.checkpoint import NoteError
from placet.logs import make_log
from placet.pack_cli import pack_app
from placet.people import SYSTEM_OPERATOR, Key, Person
from placet.procedure.access import KEY_SCOPES, ROLES
from placet.screening.kept import keep_in
from placet.settings import Settings, load

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
staff_app = typer.Typer(no_args_is_help=True, help="People on the staff.")
key_app = typer.Typer(no_args_is_help=True, help="Keys of programs.")
webhook_app = typer.Typer(no_args_is_help=True, help="Webhook endpoints and their deliveries.")
ledger_app = typer.Typer(no_args_is_help=True, help="The ledger: heads, proofs, export, verification.")
app.add_typer(pack_app, name="pack")
app.add_typer(staff_app, name="staff")
app.add_typer(key_app, name="key")
app.add_typer(webhook_app, name="webhook")
app.add_typer(ledger_app, name="ledger")
app.command()(backtest)

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

QUIET = "warning"
"""The log level of commands: what they did is what they print, and it is on the record."""

DataOption = Annotated[str | None, typer.Option("--data", help="The data folder.")]
DatabaseOption = Annotated[str | None, typer.Option("--database", help="postgresql://… instead of SQLite.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def main() -> None:
    """Run the command line; an error of ours is one clear line, never a traceback."""
    if (folder := default_folder()) is not None:
        keep_in(FolderKeep(folder))
    os.umask(0o077)  # what a platform writes holds submissions and secrets: for its own user only
    try:
        sys.exit(app(standalone_mode=False))  # what `typer.Exit` carried, or None
    except typer.Abort:
        sys.exit(130)
    except PlacetError as problem:
        err.print(f"[bold red]placet:[/] {_escaped(str(problem))}")
        sys.exit(2 if isinstance(problem, SettingsError) else 1)
    except OSError as problem:
        if problem.filename is None:  # not about a file that somebody named
            raise
        err.print(f"[bold red]placet:[/] {_escaped(str(problem.filename))}: {problem.strerror}.")
        sys.exit(2)
    except Exception as problem:
        if hasattr(problem, "show") and hasattr(problem, "exit_code"):  # a usage error of the parser
            problem.show()
            sys.exit(2)
        raise


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


def _settings(**options: Any) -> Settings:
    return load(options)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[House]:
    """The platform's parts for one command, beside a server that may be running."""
    check_initialised(settings)
    async with open_house(settings, serving=False, log=make_log(QUIET)) as house:
        yield house


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def _print(value: Any, text: str, *, as_json: bool) -> None:
    """Print for a script or for a person."""
    if as_json:
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    else:
        out.print(text, markup=False)


@asynccontextmanager
async def _progress(label: str, *, quiet: bool) -> AsyncIterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=quiet or not err.is_terminal, transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


# --- set-up and serving ------------------------------------------------------------------------------------------


@app.command()
def version() -> None:
    """Print the version."""
    out.print(__version__, markup=False)


@app.command()
def init(
    data: DataOption = None,
    database: DatabaseOption = None,
    pack: Annotated[list[str] | None, typer.Option("--pack", help="A rule pack in force (repeat).")] = None,
    origin: Annotated[str | None, typer.Option(help="Name of the ledger; never change it later.")] = None,
    admin: Annotated[str, typer.Option(help="Name of the first admin.")] = "admin",
    as_json: JsonOption = False,
) -> None:
    """Make a new platform: database, ledger key, first admin, first API key."""
    settings = _settings(data=data, database=database, packs=pack, origin=origin)
    made = _run(found(settings, admin))
    text = (
        f"Placet is ready in {settings.folder}.\n\n"
        f"  sign in (once)  {made['sign_in_link']}\n"
        f"  API key         {made['api_key']}\n\n"
        f"Both are shown only now. Start it with: placet serve --data {settings.folder}"
    )
    _print(made, text, as_json=as_json)


@app.command()
def serve(
    data: DataOption = None,
    database: DatabaseOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve the API and the desk."""
    from placet.web.server import serve as run  # noqa: PLC0415 - the web stack is not loaded for other commands

    settings = _settings(data=data, database=database, host=host, port=port)
    check_initialised(settings)
    run(settings, lambda house: _greet(house.settings))


async def _greet(settings: Settings) -> None:
    err.print(
        f"Placet listens on http://{settings.host}:{settings.port}  (desk: {settings.base_url}/desk)", markup=False
    )


@app.command()
def demo(
    data: Annotated[str, typer.Option("--data", help="The data folder of the demo.")] = "./demo-data",
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Start the demo platform: made on the first start, with sample accounts and submissions."""
    from placet.demo.platform import run_demo  # noqa: PLC0415 - only the demo needs it

    run_demo(data=data, host=host, port=port)


# --- checks ------------------------------------------------------------------------------------------------------


@app.command()
def screen(
    file: Annotated[str, typer.Argument(help="JSON lines, or - for standard input.")],
    pack: Annotated[list[str] | None, typer.Option("--pack", help="A rule pack to screen with (repeat).")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes that screen; without it, one for each core.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", help="A file for the answers, so that it can go on.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run with --out ended.")] = False,
    summary: Annotated[Path | None, typer.Option(help="Write the summary to this file, as JSON.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress and no summary.")] = False,
) -> None:
    """Screen JSON lines: an item a line in, findings and verdict a line out. Nothing is recorded."""
    from placet.screening_cli import Options, cores, screen_file  # noqa: PLC0415 - it loads the wire types of the web

    options = Options(file, workers or cores(), to, resume, summary, quiet)
    raise typer.Exit(screen_file(options, _settings(packs=pack)))


@app.command()
def replay(data: DataOption = None, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Derive every recorded verdict again and compare it, byte for byte."""

    async def work() -> audit.Outcome:
        async with (
            _opened(_settings(data=data, database=database)) as house,
            _progress("replaying", quiet=as_json) as bar,
        ):
            return await audit.replay(house.service, bar)

    _report(_run(work()), "verdicts derived again", as_json=as_json)


@app.command()
def rebuild(
    data: DataOption = None,
    database: DatabaseOption = None,
    repair: Annotated[bool, typer.Option(help="Write what the entries say where it differs.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Derive every state again from the entries and compare it with what is stored."""

    async def work() -> audit.Outcome:
        async with (
            _opened(_settings(data=data, database=database)) as house,
            _progress("rebuilding", quiet=as_json) as bar,
        ):
            return await audit.rebuild(house.store, repair=repair, progress=bar)

    _report(_run(work()), "states derived again", as_json=as_json)


def _report(outcome: audit.Outcome, what: str, *, as_json: bool) -> None:
    value = {
        "checked": outcome.checked,
        "differences": [{"where": each.where, "what": each.what} for each in outcome.differences],
    }
    lines = [f"{outcome.checked} {what}, {len(outcome.differences)} differ."]
    lines += [f"  {each.where}: {each.what}" for each in outcome.differences[:50]]
    _print(value, "\n".join(lines), as_json=as_json)
    if outcome.differences:
        raise typer.Exit(1)


# --- ledger ------------------------------------------------------------------------------------------------------


@ledger_app.command("checkpoint")
def ledger_checkpoint(data: DataOption = None, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Sign a head over everything recorded so far, and print it."""

    async def work() -> dict[str, Any]:
        async with _opened(_settings(data=data, database=database)) as house:
            head = await house.recorder.checkpoint()
            if head is None:
                raise PlacetError("The record is empty.", code="not_found")
            return {"size": head.size, "root": head.root.hex(), "note": head.note, "vkey": house.recorder.vkey}

    made = _run(work())
    _print(made, made["note"].rstrip("\n"), as_json=as_json)


@ledger_app.command("prove")
def ledger_prove(
    seq: Annotated[int, typer.Argument(help="The entry's number, from 0.")],
    data: DataOption = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that an entry is under the latest head."""

    async def work() -> dict[str, Any]:
        async with _opened(_settings(data=data, database=database)) as house:
            proven = await house.recorder.prove(seq)
            if proven is None:
                raise PlacetError(f"No signed head covers entry {seq}.", code="not_found")
            return {
                "seq": seq,
                "header": proven.header.decode(),
                "leaf": proven.leaf.hex(),
                "proof": [each.hex() for each in proven.proof],
                "size": proven.head.size,
                "root": proven.head.root.hex(),
                "checkpoint": proven.head.note,
                "verified": proven.verified,
            }

    found = _run(work())
    steps = "\n".join(f"  {each}" for each in found["proof"])
    text = f"{found['header']}\nleaf {found['leaf']}\n{steps}\nroot {found['root']} of {found['size']}\n"
    _print(found, text + ("verified" if found["verified"] else "NOT VERIFIED"), as_json=as_json)
    if not found["verified"]:
        raise typer.Exit(1)


@ledger_app.command("export")
def ledger_export(
    to: Annotated[str, typer.Option("--out", help="The file to write, or - for standard output.")] = "-",
    bodies: Annotated[bool, typer.Option(help="Disclose the bodies too: they may hold what people wrote.")] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Export the ledger for offline verification: headers, tiles and the signed head; no content."""

    async def work() -> tuple[int, bool]:
        async with (
            _opened(_settings(data=data, database=database)) as house,
            _progress("exporting", quiet=to == "-") as bar,
        ):
            lines = [line async for line in audit.export(house.store, house.recorder, bodies=bodies, progress=bar)]
            whole = verifier.verify(lines, house.recorder.vkey).ok
        _write_lines(to, lines)
        return len(lines), whole

    count, whole = _run(work())
    if to != "-":
        err.print(f"{count} lines written to {to}.", markup=False)
    if not whole:
        err.print("The export does not verify: run placet ledger verify on it to see where.", markup=False)
        raise typer.Exit(1)


def _write_lines(to: str, lines: list[bytes]) -> None:
    if to == "-":
        sys.stdout.buffer.writelines(lines)
        return
    with Path(to).open("wb") as file:
        file.writelines(lines)


@ledger_app.command("verify")
def ledger_verify(
    file: Annotated[Path | None, typer.Argument(help="An export; without one, the database itself is checked.")] = None,
    vkey: Annotated[str | None, typer.Option(help="The verifier key, from a source other than the file.")] = None,
    known: Annotated[Path | None, typer.Option(help="A signed head that was seen before.")] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify an export offline, or the database; names the first bad entry."""
    seen = known.read_text("utf-8") if known else None
    try:
        if file is not None:
            report = _verify_file(file, vkey, seen)
        else:
            report = _run(_verify_database(_settings(data=data, database=database), vkey, seen))
    except NoteError as problem:
        raise typer.BadParameter(f"The key or the head known before cannot be used: {problem}") from problem
    shown = {
        "ok": report.ok,
        "origin": report.origin,
        "size": report.size,
        "root": report.root,
        "first_bad": report.first_bad,
        "problems": [{"index": each.index, "code": each.code, "message": each.message} for each in report.problems],
    }
    _print(shown, verifier.render(report, trusted=vkey is not None).rstrip("\n"), as_json=as_json)
    if not report.ok:
        raise typer.Exit(1)


def _verify_file(file: Path, vkey: str | None, seen: str | None) -> verifier.Report:
    try:
        with file.open("rb") as lines:
            return verifier.verify(iter(lambda: lines.readline(verifier.MAX_LINE), b""), vkey, seen)
    except OSError as problem:
        raise SettingsError(f"{file} cannot be read: {problem.strerror}.") from problem


async def _verify_database(settings: Settings, vkey: str | None, seen: str | None) -> verifier.Report:
    async with _opened(settings) as house:
        head = head_file_of(settings)  # read before the record, which a running server carries on
        seen = seen or (head.read_text("utf-8") if head.exists() else None)
        lines = [line async for line in audit.export(house.store, house.recorder, bodies=True)]
        return verifier.verify(lines, vkey or house.recorder.vkey, seen)


@ledger_app.command("key")
def ledger_key(data: DataOption = None, database: DatabaseOption = None) -> None:
    """Print the public key that heads are signed with: publish it elsewhere too."""

    async def work() -> str:
        async with _opened(_settings(data=data, database=database)) as house:
            return house.recorder.vkey

    out.print(_run(work()), markup=False)


# --- staff -------------------------------------------------------------------------------------------------------


def _person_json(person: Person) -> dict[str, Any]:
    return {"id": person.id, "name": person.name, "roles": list(person.roles), "ended": person.ended}


def _check_roles(roles: list[str]) -> tuple[str, ...]:
    if unknown := sorted(set(roles) - set(ROLES)):
        raise typer.BadParameter(f"unknown role {', '.join(unknown)}; there are {', '.join(ROLES)}")
    return tuple(dict.fromkeys(roles))


@staff_app.command("add")
def staff_add(
    name: Annotated[str, typer.Argument(help="The person's name on the desk.")],
    role: Annotated[list[str], typer.Option("--role", help=f"One of {', '.join(ROLES)} (repeat).")],
    data: DataOption = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a person: prints a personal API token and a one-time sign-in link."""
    roles = _check_roles(role)

    async def work() -> dict[str, Any]:
        async with _opened(_settings(data=data, database=database)) as house:
            person = accepted(await house.people.add(SYSTEM_OPERATOR, name, roles))
            link = accepted(await house.people.link(SYSTEM_OPERATOR, person.id))
            token = accepted(await house.people.token(SYSTEM_OPERATOR, person.id))
            return _person_json(person) | {"api_token": token, "sign_in_link": house.settings.base_url + link}

    made = _run(work())
    text = (
        f"{made['name']} ({', '.join(made['roles'])}) is {made['id']}.\n\n"
        f"  sign in (once)  {made['sign_in_link']}\n  API token       {made['api_token']}\n\nBoth are shown only now."
    )
    _print(made, text, as_json=as_json)


@staff_app.command("link")
def staff_link(
    name: Annotated[str, typer.Argument(help="The person's name.")],
    data: DataOption = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new one-time sign-in link for a person."""

    async def work() -> dict[str, Any]:
        async with _opened(_settings(data=data, database=database)) as house:
            person = await house.people.named(name)
            link = accepted(await house.people.link(SYSTEM_OPERATOR, person.id))
            return {"id": person.id, "name": person.name, "sign_in_link": house.settings.base_url + link}

    made = _run(work())
    _print(made, made["sign_in_link"], as_json=as_json)


@staff_app.command("token")
def staff_token(
    name: Annotated[str, typer.Argument(help="The person's name.")],
    data: DataOption = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new personal API token; the old one stops to work."""

    async def work() -> dict[str, Any]:
        async with _opened(_settings(data=data, database=database)) as house:
            person = await house.people.named(name)
            return {
                "id": person.id,
                "name": person.name,
                "api_token": accepted(await house.people.token(SYSTEM_OPERATOR, person.id)),
            }

    made = _run(work())
    _print(made, made["api_token"], as_json=as_json)


@staff_app.command("list")
def staff_list(data: DataOption = None, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """List the staff."""

    async def work() -> list[Person]:
        async with _opened(_settings(data=data, database=database)) as house:
            return await house.people.staff()

    people = _run(work())
    lines = [f"{p.id}  {p.name}  {', '.join(p.roles)}{'  (left)' if p.ended else ''}" for p in people]
    _print([_person_json(person) for person in people], "\n".join(lines) or "Nobody yet.", as_json=as_json)


@staff_app.command("roles")
def staff_roles(
    name: Annotated[str, typer.Argument(help="The person's name.")],
    role: Annotated[list[str], typer.Option("--role", help="The roles from now on (repeat).")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Give a person other roles."""
    roles = _check_roles(role)

    async def work() -> None:
        async with _opened(_settings(data=data, database=database)) as house:
            person = await house.people.named(name)
            accepted(await house.people.change_roles(SYSTEM_OPERATOR, person.id, roles))

    _run(work())


@staff_app.command("end")
def staff_end(
    name: Annotated[str, typer.Argument(help="The person's name.")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """A person leaves: sessions, passkeys and tokens stop to work."""

    async def work() -> None:
        async with _opened(_settings(data=data, database=database)) as house:
            person = await house.people.named(name)
            accepted(await house.people.end(SYSTEM_OPERATOR, person.id))

    _run(work())


# --- keys --------------------------------------------------------------------------------------------------------


def _key_json(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "label": key.label,
        "scopes": list(key.scopes),
        "account": key.account,
        "ended": key.ended,
    }


@key_app.command("add")
def key_add(
    label: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[list[str] | None, typer.Option("--scope", help=f"Of {', '.join(KEY_SCOPES)} (repeat).")] = None,
    account: Annotated[str, typer.Option(help="Bind the key to one account.")] = "",
    data: DataOption = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an API key; it is shown once."""
    if unknown := sorted(set(scope or ()) - set(KEY_SCOPES)):
        raise typer.BadParameter(f"unknown scope {', '.join(unknown)}; there are {', '.join(KEY_SCOPES)}")

    async def work() -> dict[str, Any]:
        async with _opened(_settings(data=data, database=database)) as house:
            scopes = tuple(scope) if scope else KEY_SCOPES
            key, token = accepted(await house.people.add_key(SYSTEM_OPERATOR, label, scopes, account))
            return _key_json(key) | {"api_key": token}

    made = _run(work())
    _print(made, f"{made['id']}\n{made['api_key']}", as_json=as_json)


@key_app.command("list")
def key_list(data: DataOption = None, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """List the keys."""

    async def work() -> list[Key]:
        async with _opened(_settings(data=data, database=database)) as house:
            return await house.people.keys()

    keys = _run(work())
    lines = [f"{k.id}  {k.label}  {' '.join(k.scopes)}{'  (ended)' if k.ended else ''}" for k in keys]
    _print([_key_json(key) for key in keys], "\n".join(lines) or "No keys yet.", as_json=as_json)


@key_app.command("end")
def key_end(
    identity: Annotated[str, typer.Argument(help="The key's id: key_…")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Revoke a key."""

    async def work() -> None:
        async with _opened(_settings(data=data, database=database)) as house:
            accepted(await house.people.end_key(SYSTEM_OPERATOR, identity))

    _run(work())


# --- webhooks ----------------------------------------------------------------------------------------------------


@webhook_app.command("add")
def webhook_add(
    url: Annotated[str, typer.Argument(help="Where decisions are sent.")],
    data: DataOption = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an endpoint; its signing secret is shown once."""

    async def work() -> dict[str, Any]:
        async with _opened(_settings(data=data, database=database)) as house:
            identity, secret = accepted(await house.people.add_webhook(SYSTEM_OPERATOR, url))
            return {"id": identity, "url": url, "secret": secret}

    made = _run(work())
    _print(made, f"endpoint  {made['id']}\nsecret    {made['secret']}", as_json=as_json)


@webhook_app.command("list")
def webhook_list(data: DataOption = None, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """List the endpoints."""

    async def work() -> list[dict[str, Any]]:
        async with _opened(_settings(data=data, database=database)) as house:
            return [{"id": each.id, "url": url} for each, url in await house.people.webhooks()]

    found = _run(work())
    _print(found, "\n".join(f"{each['id']}  {each['url']}" for each in found) or "No endpoints.", as_json=as_json)


@webhook_app.command("end")
def webhook_end(
    identity: Annotated[str, typer.Argument(help="The endpoint's id: whk_…")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Remove an endpoint."""

    async def work() -> None:
        async with _opened(_settings(data=data, database=database)) as house:
            accepted(await house.people.end_webhook(SYSTEM_OPERATOR, identity))

    _run(work())


@webhook_app.command("dead")
def webhook_dead(data: DataOption = None, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """List dead letters: deliveries that were given up."""

    async def work() -> list[dict[str, Any]]:
        async with _opened(_settings(data=data, database=database)) as house:
            return [
                {"id": d.id, "endpoint": d.endpoint, "event": d.event, "dossier": d.dossier, "error": d.last_error}
                for d in await house.store.deliveries("dead", limit=1_000)
            ]

    found = _run(work())
    lines = [f"{d['id']}  {d['event']}  {d['dossier']}  {d['error']}" for d in found]
    _print(found, "\n".join(lines) or "No dead letters.", as_json=as_json)
    if found:
        raise typer.Exit(1)


@webhook_app.command("replay")
def webhook_replay(
    delivery: Annotated[str, typer.Argument(help="The delivery's id: dlv_…")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Send a dead letter again."""

    async def work() -> bool:
        async with _opened(_settings(data=data, database=database)) as house:
            return await house.courier.replay(delivery)

    if not _run(work()):
        raise PlacetError(f"There is no settled delivery {delivery}.", code="not_found")


if __name__ == "__main__":
    main()

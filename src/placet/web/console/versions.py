"""A version of a pack: its files, what is wrong with them, what changes, trying it, and its way into force."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from placet.activations import instant_in
from placet.errors import CODES, BadInput, PlacetError, SettingsError
from placet.model import ID_PREFIXES, Item, Json, Micros, Refusal, Value
from placet.policy import LoadResult, Pack, say
from placet.policy.parse import FILE_NAME
from placet.procedure.activation import Activation
from placet.service import Done, Principal
from placet.trials import Comparison
from placet.web.console import pack_view, show
from placet.web.pack_contexts import PackDraft, PackPage, TrialDraft, TrialResult
from placet.web.strict import StrictRequest, check_text
from placet.web.visit import Visit, check_same_origin, go, signed_in
from placet.web.wire import check_id, encode

_MOST_SHOWN: Final = 400_000
"""Characters of a file that is edited on a page."""
_MOST_TRIED: Final = 20_000
_HISTORY: Final = 200
_ACTS: Final = {
    "draft": {"save": "policy.edit", "withdraw": ""},
    "checked": {"save": "policy.edit", "propose": "policy.edit", "withdraw": ""},
    "proposed": {"approve": "policy.approve", "return": "policy.approve", "withdraw": ""},
    "scheduled": {"withdraw": ""},
    "superseded": {"reopen": "policy.edit"},
    "withdrawn": {"reopen": "policy.edit"},
}
"""What can be done in which state, by whom; a withdrawal by editors and approvers alike."""


class _Shown(Value, frozen=True):
    """What a page shows beside the version itself."""

    file: str = ""
    line: int = 0
    draft: PackDraft | None = None
    refusal: Refusal | None = None
    theirs: str = ""
    trial: TrialDraft = TrialDraft()
    trial_problem: str = ""
    trial_facts: tuple[str, ...] = ()
    result: TrialResult | None = None


@get("/desk/packs/{activation:str}", include_in_schema=False)
async def version_page(request: StrictRequest, activation: str) -> Response[str]:
    """The version."""
    here = await signed_in(request, "policy.read")
    asked = request.query_params
    line = asked.get("line", "")
    return await _page(here, activation, _Shown(file=asked.get("file", ""), line=int(line) if _is_line(line) else 0))


def _is_line(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 8


async def _state(here: Visit, activation: str) -> Activation:
    state = await here.desk.activations.state(check_id(activation, "activation"))
    if state is None:
        raise PlacetError(code="not_found")
    return state


async def _page(here: Visit, activation: str, shown: _Shown) -> Response[str]:
    state = await _state(here, activation)
    files = await here.desk.activations.files(state.archive)
    checked = await here.desk.trials.check(state.pack, files)
    names = await here.desk.people.labels()
    entries = await here.desk.store.entries(state.id, max(0, state.version - _HISTORY), _HISTORY)
    head = await here.desk.store.head()
    policy, language, refusal = here.desk.service.policy, here.language, shown.refusal
    in_force = here.desk.activations.in_force(state.pack)
    pack = checked.pack
    changes, more = pack_view.change_rows(in_force, pack) if in_force and pack else ([], 0)
    actions, own = _actions(here, state)
    file = shown.file if shown.file in files else _first(files, checked)
    draft = shown.draft or PackDraft()
    page = PackPage(
        chrome=here.chrome(),
        id=state.id,
        pack=state.pack,
        version=pack.head.version if pack else "",
        title=pack_view.title_of(pack or in_force, state.pack, language),
        status=state.status,
        digest=state.digest,
        archive=state.archive,
        opened_at=state.opened_at,
        activate_at=state.activate_at,
        zone=pack.head.timezone if pack else "UTC",
        editors=pack_view.people(state.editors, names),
        proposed_by=names.get(state.proposed_by, state.proposed_by),
        approved_by=names.get(state.approved_by, state.approved_by),
        backtest=state.backtest,
        report=pack_view.report_of(await here.desk.activations.backtest(state.backtest)),
        reason=state.reason,
        files=tuple((name, sum(each.file == name for each in checked.problems)) for name in sorted(files)),
        file=file,
        line=shown.line,
        text=files[file] if shown.draft is None or "save" not in actions else draft.text,
        theirs=shown.theirs,
        mistakes=pack_view.mistake_rows(checked.problems, files),
        compared_with=in_force.head.version if in_force else "",
        same=in_force is not None and in_force.digest == state.digest,
        changes=tuple(changes),
        more_changes=more,
        actions=actions,
        own=own,
        timeline=show.timeline(entries, names, policy.grounds, language, head.size if head else 0),
        categories=tuple((name, say(one.title, language)) for name, one in policy.categories.items()),
        classes=tuple((name, say(one.title, language)) for name, one in policy.classes.items()),
        draft=draft,
        problem=pack_view.refusal_key(refusal) if refusal else "",
        problem_field=str(refusal.facts.get("field", "")) if refusal else "",
        problem_facts=pack_view.refusal_facts(refusal, names) if refusal else (),
        trial=shown.trial,
        trial_problem=shown.trial_problem,
        trial_facts=shown.trial_facts,
        result=shown.result,
    )
    failed = 422 if shown.trial_problem else 200
    return here.page(page, status=CODES[refusal.code].status if refusal else failed)


def _first(files: Mapping[str, str], checked: LoadResult) -> str:
    """The file to begin with: the one with the first mistake, or the rules."""
    wrong = [problem.file for problem in checked.problems if problem.file in files]
    return next(name for name in (*wrong, "rules.toml", *sorted(files)) if name in files)


def _actions(here: Visit, state: Activation) -> tuple[frozenset[str], bool]:
    """What this person could do now, and whether it is their own proposal; the procedure checks again."""
    may = here.who.principal.may
    either = may("policy.edit") or may("policy.approve")
    acts = _ACTS.get(state.status, {})
    found = {act for act, permission in acts.items() if (may(permission) if permission else either)}
    found |= {"try"} if may("screen") else set()
    own = "approve" in found and here.who.person.id in state.editors
    return frozenset(found - {"approve"} if own else found), own


# --- editing -----------------------------------------------------------------------------------------------------


@post("/desk/packs/{activation:str}/files", status_code=303, include_in_schema=False)
async def save(request: StrictRequest, activation: str) -> Redirect | Response[str]:
    """Save the file that is shown, add one, or take it out; then go on to the one that is asked for."""
    here = await signed_in(request, "policy.edit")
    form = await here.form()
    draft = PackDraft(text=form.get("text", ""), note=form.get("note", "")[:2_000], new_file=form.get("new_file", ""))
    state = await _state(here, activation)
    files = await here.desk.activations.files(state.archive)
    file, act = form.get("file", ""), form.get("do", "save")

    async def refused(refusal: Refusal, theirs: str = "") -> Response[str]:
        return await _page(here, activation, _Shown(file=file, draft=draft, refusal=refusal, theirs=theirs))

    if form.get("archive", "") != state.archive:
        return await refused(Refusal("stale", {"version": state.version}), files.get(file, ""))
    changed = {**files, file: draft.text} if file in files else dict(files)
    following = act.removeprefix("go:") if act.startswith("go:") else file
    if act == "add":
        following = draft.new_file.strip()
        if not FILE_NAME.fullmatch(following) or following in files:
            return await refused(Refusal("invalid", {"field": "new_file"}))
        changed[following] = ""
    elif act == "remove":
        if len(changed) == 1:
            return await refused(Refusal("invalid", {"field": "file"}))
        changed.pop(file, None)
    path = f"/desk/packs/{activation}?file={following}"
    if changed == files and act.startswith("go:"):
        return go(f"{path}#editor")
    done = await here.desk.activations.save(here.who.principal, activation, changed, draft.note)
    return await refused(done) if isinstance(done, Refusal) else go(path, "pack_saved")


@post("/desk/packs/{activation:str}/check", status_code=200, include_in_schema=False)
async def check_file(request: StrictRequest, activation: str) -> Response[bytes]:
    """The mistakes that saving this text would find, for the page's script; nothing is recorded."""
    here = await signed_in(request, "policy.edit")
    check_same_origin(request)
    if request.headers.get("x-csrf-token") != here.who.csrf:
        raise PlacetError(code="bad_form_token")
    sent = await request.json()
    file, text = (sent.get("file"), sent.get("text")) if isinstance(sent, dict) else (None, None)
    if not isinstance(file, str) or not isinstance(text, str):
        raise BadInput("Send {file, text}.", code="invalid", facts={"field": "text"})
    check_text(text, "text")
    state = await _state(here, activation)
    files = await here.desk.activations.files(state.archive)
    if file not in files:
        raise PlacetError(code="not_found")
    files[file] = text
    checked = await here.desk.trials.check(state.pack, files)
    rows: list[Json] = [msgspec.to_builtins(row) for row in pack_view.mistake_rows(checked.problems, files)]
    return Response(encode({"mistakes": rows, "count": len(checked.problems)}), media_type="application/json")


# --- into force --------------------------------------------------------------------------------------------------


@post("/desk/packs/{activation:str}/propose", status_code=303, include_in_schema=False)
async def propose(request: StrictRequest, activation: str) -> Redirect | Response[str]:
    """Ask that another person puts it in force, at an instant of the pack's own clocks or as soon as may be."""
    here = await signed_in(request, "policy.edit")
    form, files_sent = await here.form_and_files()
    local = form.get("activate_at", "").strip()[:40]
    at = 0
    if local:
        state = await _state(here, activation)
        files = await here.desk.activations.files(state.archive)
        pack = (await here.desk.trials.check(state.pack, files)).pack
        found = instant_in(pack.head.timezone if pack else "UTC", local)
        if found is None:
            return await _done(here, activation, form, Refusal("invalid", {"field": "activate_at"}), "")
        at = found
    reason, report = form.get("reason", "")[:2_000], files_sent.get("backtest", b"")
    done = await here.desk.activations.propose(here.who.principal, activation, at, reason, report)
    return await _done(here, activation, form, done, "pack_proposed")


@post("/desk/packs/{activation:str}/approve", status_code=303, include_in_schema=False)
async def approve(request: StrictRequest, activation: str) -> Redirect | Response[str]:
    """Put in force what the form says that the person has read."""
    here = await signed_in(request, "policy.approve")
    form = await here.form()
    await _state(here, activation)
    archive, reason = form.get("archive", ""), form.get("reason", "")[:2_000]
    done = await here.desk.activations.approve(here.who.principal, activation, archive, reason)
    return await _done(here, activation, form, done, "pack_approved")


@post("/desk/packs/{activation:str}/return", status_code=303, include_in_schema=False)
async def give_back(request: StrictRequest, activation: str) -> Redirect | Response[str]:
    """Return a proposal to its editors."""
    here = await signed_in(request, "policy.approve")
    return await _for_a_reason(here, activation, here.desk.activations.give_back, "pack_returned")


@post("/desk/packs/{activation:str}/withdraw", status_code=303, include_in_schema=False)
async def withdraw(request: StrictRequest, activation: str) -> Redirect | Response[str]:
    """Give the version up."""
    here = await signed_in(request, "policy.read")
    return await _for_a_reason(here, activation, here.desk.activations.withdraw, "pack_withdrawn")


async def _for_a_reason(
    here: Visit, activation: str, act: Callable[[Principal, str, str], Awaitable[Done | Refusal]], said: str
) -> Redirect | Response[str]:
    form = await here.form()
    await _state(here, activation)
    done = await act(here.who.principal, activation, form.get("reason", "")[:2_000])
    return await _done(here, activation, form, done, said)


async def _done(
    here: Visit, activation: str, form: Mapping[str, str], done: Done | Refusal, said: str
) -> Redirect | Response[str]:
    """On to the version with a word, or the page again with what was typed."""
    if isinstance(done, Done):
        return go(f"/desk/packs/{activation}", said)
    state = await _state(here, activation)
    files = await here.desk.activations.files(state.archive)
    file = form.get("file", "") if form.get("file", "") in files else _first(files, LoadResult(None))
    draft = PackDraft(files[file], "", "", form.get("activate_at", "")[:40], form.get("reason", "")[:2_000])
    return await _page(here, activation, _Shown(file=file, draft=draft, refusal=done))


# --- trying it ---------------------------------------------------------------------------------------------------


@post("/desk/packs/{activation:str}/try", status_code=200, include_in_schema=False)
async def try_it(request: StrictRequest, activation: str) -> Response[str]:
    """What the version says of a text, or of a past item, beside what is said of it now; nothing is recorded."""
    here = await signed_in(request, "screen")
    form = await here.form()
    trial = TrialDraft(**{name: form.get(name, "")[:_MOST_TRIED] for name in TrialDraft.__struct_fields__})
    state = await _state(here, activation)
    files = await here.desk.activations.files(state.archive)
    pack = (await here.desk.trials.check(state.pack, files)).pack
    if pack is None:
        return await _page(here, activation, _Shown(trial=trial, trial_problem="pack_refusal.pack_has_mistakes"))
    try:
        found = await _compared(here, pack, trial, max(here.now, state.activate_at))
    except SettingsError as problem:
        key = "pack_refusal.pack_unfit_together"
        return await _page(here, activation, _Shown(trial=trial, trial_problem=key, trial_facts=(problem.detail,)))
    if isinstance(found, str):
        return await _page(here, activation, _Shown(trial=trial, trial_problem=found))
    return await _page(here, activation, _Shown(trial=trial, result=pack_view.result_of(found, here.language)))


async def _compared(here: Visit, pack: Pack, trial: TrialDraft, at: Micros) -> Comparison | str:
    """What is said now and what would be, or the message that says why nothing was tried. Raises SettingsError."""
    identity = trial.publication.strip()
    if identity:
        known = here.who.principal.may("publication.read") and identity.startswith(f"{ID_PREFIXES['publication']}_")
        publication = await here.desk.service.publication(here.who.principal, identity[:60]) if known else None
        return await here.desk.trials.past(pack, publication, at) if publication else "packs.no_such_item"
    if not (trial.title + trial.body).strip():
        return "trial.empty"
    item = Item(title=trial.title, body=trial.body, category=trial.category or Item().category)
    return await here.desk.trials.text(pack, item, trial.account_class, at)


HANDLERS: Final = (version_page, save, check_file, propose, approve, give_back, withdraw, try_it)

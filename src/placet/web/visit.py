"""One request to a page: who visits, in which language, and what surrounds the page."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from litestar import Response
from litestar.datastructures import Cookie
from litestar.response import Redirect

from placet.errors import BadInput, PlacetError
from placet.model import LANGUAGES, Language, Refusal, Value
from placet.store.contract import Query
from placet.web.auth import Session
from placet.web.contexts import Chrome, Person
from placet.web.desk import Desk, desk_of
from placet.web.multipart import read_parts
from placet.web.render import render
from placet.web.strict import StrictRequest, check_text

SESSION_COOKIE: Final = "placet_session"
LANGUAGE_COOKIE: Final = "placet_language"
_MOST_FIELDS: Final = 200
_YEAR_S: Final = 31_536_000
MOST_COUNTED: Final = 1_000
_VISIT: Final = "placet_visit"

NAV: Final[tuple[tuple[str, str, str], ...]] = (
    ("nav.queue", "/desk", "publication.read"),
    ("nav.accounts", "/desk/accounts", "account.read"),
    ("nav.trial", "/desk/try", "screen"),
    ("nav.packs", "/desk/packs", "policy.read"),
    ("nav.lists", "/desk/lists", "policy.read"),
    ("nav.ledger", "/desk/ledger", "ledger.read"),
    ("nav.staff", "/desk/staff", "staff.manage"),
    ("nav.keys", "/desk/keys", "key.manage"),
    ("nav.webhooks", "/desk/webhooks", "webhook.manage"),
)
"""The sections of the desk: message key, path, the permission that shows it."""


class SignInNeeded(Exception):
    """The page is for staff who are signed in: the browser is sent to the sign-in page."""


class Visit:
    """A request to a page. Make one with `visit(request)`, or `signed_in(request, permission)` for the desk."""

    def __init__(self, request: StrictRequest, session: Session | None) -> None:
        self.request = request
        self.session = session
        self.desk: Desk = desk_of(request)
        self.now = self.desk.now()
        asked = request.query_params.get("lang", "")
        self.language = _language(asked, request, self.desk)
        self._sets_language = asked in LANGUAGES
        self._waiting = self._overdue = 0

    @property
    def who(self) -> Session:
        """The session; a page of the desk always has one."""
        assert self.session is not None
        return self.session

    async def prepare(self) -> None:
        """Read what the frame of the desk shows: how much waits, how much is late."""
        store = self.desk.store
        self._waiting = await store.count(Query(queue="*"), MOST_COUNTED)
        self._overdue = await store.count(Query(queue="*", due_before=self.now), MOST_COUNTED)

    def chrome(self) -> Chrome:
        """What every page shows around its content."""
        session = self.session
        permitted = frozenset[str]() if session is None else session.principal.permissions
        person = None
        if session is not None:
            person = Person(session.person.id, session.person.name, session.person.roles, permitted)
        return Chrome(
            language=self.language,
            path=_path_without_language(self.request),
            csrf="" if session is None else session.csrf,
            person=person,
            nav=tuple((key, path) for key, path, permission in NAV if permission in permitted),
            waiting=self._waiting,
            overdue=self._overdue,
            halted=bool(self.desk.recorder.halted),
            demo=self.desk.demo,
            flash=_flash(self.request),
            tone="bad" if self.request.query_params.get("done") == "blocked" else "good",
            now=self.now,
        )

    def page(self, page: Value, *, status: int = 200) -> Response[str]:
        """The page as a response; a language that was asked for is remembered."""
        cookies = []
        if self._sets_language:
            cookies.append(Cookie(LANGUAGE_COOKIE, value=self.language, max_age=_YEAR_S, path="/", samesite="lax"))
        return Response(render(page), status_code=status, media_type="text/html", cookies=cookies)

    async def form(self) -> dict[str, str]:
        """The fields of a posted form, the last of each name. Raises `bad_form_token` unless it is ours."""
        return dict(await self.fields())

    async def form_and_files(self) -> tuple[dict[str, str], dict[str, bytes]]:
        """The same of a form that may come with files, and the files by the names of their fields."""
        sent = self.request.header("content-type") or ""
        if not sent.lower().startswith("multipart/form-data"):
            return await self.form(), {}
        self.request.check_media_type("multipart/form-data")
        check_same_origin(self.request)
        parts = read_parts(sent, await self.request.body())
        return dict(self._ours(parts.fields)), parts.files

    async def fields(self) -> list[tuple[str, str]]:
        """All fields of a posted form, in order."""
        self.request.check_media_type("application/x-www-form-urlencoded")
        check_same_origin(self.request)
        body = await self.request.body()
        try:
            fields = parse_qsl(
                body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
            )
        except ValueError as problem:
            raise BadInput(f"The form cannot be read: {problem}.", code="malformed_json") from problem
        return self._ours(fields)

    def _ours(self, fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """The fields of a form that this session's page sent. Raises BadInput, or `bad_form_token`."""
        for name, value in fields:
            check_text(value, name)
        if self.session is not None and dict(fields).get("csrf") != self.session.csrf:
            raise PlacetError(code="bad_form_token")
        # Browsers send line ends of a text area as CR LF; what was typed had none of the CRs.
        return [(name, value.replace("\r\n", "\n")) for name, value in fields]


async def visit(request: StrictRequest) -> Visit:
    """A visit by anybody."""
    desk = desk_of(request)
    session = await desk.gate.session(request.cookies.get(SESSION_COOKIE, ""), desk.now())
    found = Visit(request, session)
    if session is not None:
        await found.prepare()
    request.scope[_VISIT] = found  # type: ignore[typeddict-unknown-key]  # our own key beside ASGI's
    return found


def visit_so_far(request: StrictRequest) -> Visit:
    """The visit as far as it got before an error: for the page that tells of it, which may not read anything more."""
    found = request.scope.get(_VISIT)
    return found if isinstance(found, Visit) else Visit(request, None)


async def signed_in(request: StrictRequest, permission: str = "") -> Visit:
    """A visit by staff. Raises SignInNeeded without a session, `forbidden` without the permission."""
    found = await visit(request)
    if found.session is None:
        raise SignInNeeded
    if permission and not found.session.principal.may(permission):
        raise PlacetError(code="forbidden", facts={"permission": permission})
    return found


def check_same_origin(request: StrictRequest) -> None:
    """Refuse a form that another site sent: browsers say where a request comes from, and scripts cannot change it."""
    site = request.headers.get("sec-fetch-site", "")
    origin = request.headers.get("origin", "")
    if site and site not in ("same-origin", "none"):
        raise PlacetError(code="bad_form_token")
    if not site and origin and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise PlacetError(code="bad_form_token")


def go(path: str, done: str = "") -> Redirect:
    """Send the browser on after a form (303), with a message to show there."""
    sign = "&" if "?" in path else "?"
    return Redirect(f"{path}{sign}done={done}" if done else path, status_code=303)


def problem_of(refusal: Refusal) -> str:
    """The message key of a refusal."""
    return f"error.{refusal.code}"


def _flash(request: StrictRequest) -> str:
    done = request.query_params.get("done", "")
    return f"flash.{done}" if done.isidentifier() and len(done) < 40 else ""


def _path_without_language(request: StrictRequest) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in ("lang", "done")]
    query = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in kept)
    return request.url.path + (f"?{query}" if query else "")


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _language(asked: str, request: StrictRequest, desk: Desk) -> Language:
    """The language asked for now, before, by the browser, or by the operator's setting."""
    for wanted in (asked, request.cookies.get(LANGUAGE_COOKIE, "")):
        if wanted in LANGUAGES:
            return wanted
    for part in request.headers.get("accept-language", "")[:200].split(","):
        found = _BY_TAG.get(part.partition(";")[0].strip().lower()) or _BY_TAG.get(part[:2].strip().lower())
        if found is not None:
            return found
    return desk.settings.language  # type: ignore[return-value]  # settings.py has checked it


_BY_TAG: Final[Mapping[str, Language]] = {
    "en": "en",
    "zh": "zh-Hans",
    "zh-cn": "zh-Hans",
    "zh-sg": "zh-Hans",
    "zh-hans": "zh-Hans",
    "zh-tw": "zh-Hant",
    "zh-hk": "zh-Hant",
    "zh-mo": "zh-Hant",
    "zh-hant": "zh-Hant",
    "zh-hant-tw": "zh-Hant",
    "zh-hant-hk": "zh-Hant",
    "zh-hans-cn": "zh-Hans",
}


def set_cookie(name: str, value: str, max_age: int, desk: Desk) -> Cookie:
    """A cookie that scripts cannot read and other sites cannot send."""
    return Cookie(
        name, value=value, max_age=max_age, path="/", httponly=True, samesite="lax", secure=desk.settings.secure
    )

"""Everything that can go wrong, in one tree, with stable codes.

    PlacetError                 what the product raises; carries a code of CODES
    ├── BadInput                the caller's data: says where and what to do
    ├── SettingsError           the operator's settings: stops the start
    ├── StoreError              the database
    │   ├── StoreUnavailable    disk full, I/O error, connection lost: nothing was acknowledged
    │   ├── StoreLocked         another process writes this SQLite file
    │   └── StoreCorrupt        what is stored does not fit what was promised
    ├── LedgerHalted            the record does not verify: no head is signed until a person has looked
    └── StaffError              a person or key that cannot be found, changed or invited so

A Refusal (model.py) is not an error: it is a value that a procedure answers with; it uses the same codes.
Sentences in every language stand in web/locale/*.toml under `error.<code>`; those here are the English ones.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple


class Code(NamedTuple):
    """A stable error code: its HTTP status, what happened, what to do next."""

    status: int
    title: str
    next_step: str


CODES: Final[dict[str, Code]] = {
    # the request cannot be read
    "malformed_json": Code(
        400, "The body is not valid JSON.", "Send one JSON value in UTF-8; check commas and quotes."
    ),
    "duplicate_key": Code(400, "A key stands twice in one object.", "Send each key once."),
    "too_deep": Code(400, "The JSON is nested too deeply.", "Nest at most 32 levels."),
    "not_a_number": Code(400, "NaN and Infinity are not JSON numbers.", "Send a finite number or leave the field out."),
    "bad_text": Code(
        400, "A text holds a lone surrogate or a NUL character.", "Send well-formed Unicode without U+0000."
    ),
    "bad_cursor": Code(400, "This cursor is not one of ours.", "Use `next_cursor` of the page before, unchanged."),
    "bad_idempotency_key": Code(
        400, "The Idempotency-Key is not usable.", "Send 1 to 200 printable ASCII characters, such as a UUID."
    ),
    "invalid": Code(422, "A field has a wrong value.", "See `detail` and `facts` for the field."),
    "wrong_id_kind": Code(422, "This id names another kind of thing.", "See which prefix is expected in `facts`."),
    "zone_missing": Code(422, "A time has no zone.", "Send RFC 3339 with Z or an offset: 2026-11-24T09:00:00+08:00."),
    "time_past": Code(422, "This time is in the past.", "Choose a time to come, or leave the field out."),
    "too_large": Code(
        413, "The body is too large.", "See the limit in `facts`; send large amounts in several batches."
    ),
    "wrong_media_type": Code(
        415, "This content type is not accepted here.", "Send the type named in `facts`, without Content-Encoding."
    ),
    "not_acceptable": Code(406, "None of the types you accept can be given.", "Accept application/json."),
    "body_timeout": Code(408, "The body did not arrive in time.", "Send again on a faster connection."),
    "method_not_allowed": Code(405, "This address does not take that method.", "See the API page for what it takes."),
    # who is asking
    "unauthenticated": Code(401, "No valid key or session.", "Send `Authorization: Bearer <key>`, or sign in."),
    "forbidden": Code(403, "This key or role may not do that.", "Ask an admin for the permission named in `facts`."),
    "bad_form_token": Code(403, "This form is out of date or came from elsewhere.", "Load the page again and repeat."),
    "own_submission": Code(403, "Nobody decides what they submitted themselves.", "Leave it to another reviewer."),
    "own_proposal": Code(
        403, "Nobody approves a pack that they edited or proposed.", "Leave it to another person with that role."
    ),
    "link_spent": Code(410, "This link has been used or has expired.", "Ask for a new one: placet staff link NAME."),
    "passkey_failed": Code(401, "The passkey was not accepted.", "Try again, or sign in with a new link."),
    # what is asked for
    "not_found": Code(404, "There is no such thing here, or it is not yours.", "Check the id and the key you use."),
    "account_not_found": Code(
        404, "There is no such account, or it is not this key's.", "Create the account first: POST /v1/accounts."
    ),
    # procedure
    "stale": Code(409, "It has changed since you read it.", "Read it again, then decide on what it is now."),
    "claimed_by_other": Code(
        409, "Another person is working on this.", "Take the next one, or wait for the claim to end."
    ),
    "wrong_state": Code(
        409, "This cannot be done in its present state.", "See `facts` for the state and what it allows."
    ),
    "idempotency_mismatch": Code(
        409, "This Idempotency-Key was used with another body.", "Use a new key for a new request."
    ),
    "external_id_taken": Code(
        409, "This account has already sent that external_id.", "See the earlier publication in `facts`."
    ),
    "agreement_missing": Code(
        422, "The account has no agreement.", "Name the agreement version that its holder signed."
    ),
    "ground_unknown": Code(422, "No rule pack in force has this ground.", "Choose a ground of the rules in force."),
    "ground_needs_law": Code(
        422, "This ground is only usable with a named law.", "Name the law and article, or choose a specific ground."
    ),
    "reason_missing": Code(
        422, "A decision against the author needs facts and a reason.", "Say what was seen and why the clause applies."
    ),
    "changes_missing": Code(422, "A return needs what to change.", "Say what the author should change."),
    "unchanged": Code(
        422, "This is the content that was already decided.", "Change the content, or contest the decision."
    ),
    "bad_terms": Code(
        422,
        "Some terms cannot be taken; the list is as it was.",
        "See `facts` for each term and what is wrong with it.",
    ),
    "list_full": Code(
        409,
        "The list differs from its pack by as many terms as it may.",
        "Put the list as it is now into its pack, or undo changes; then add or remove further terms.",
    ),
    "pack_has_mistakes": Code(
        409, "The pack has mistakes and cannot be proposed.", "Mend what its page lists, save, then propose it."
    ),
    "pack_unfit": Code(
        409,
        "The pack cannot be in force beside the others.",
        "See `facts` for the reason; change it and propose again.",
    ),
    "staff_exists": Code(409, "A person of that name is already on the staff.", "Choose another name."),
    "last_admin": Code(409, "The last admin cannot be removed.", "Make somebody else admin first."),
    "busy": Code(503, "Too many changes to the same thing at once.", "Try again in a moment; nothing was changed."),
    # the house
    "store_unavailable": Code(503, "The record cannot be written now.", "Try again later; nothing was recorded."),
    "store_locked": Code(
        503, "Another process writes this database.", "Stop it, or use PostgreSQL for several processes."
    ),
    "store_corrupt": Code(
        500, "What is stored does not fit its promise.", "Stop, keep the files, run placet ledger verify."
    ),
    "ledger_halted": Code(
        503, "The record does not verify; no head is signed.", "Keep the files and run placet ledger verify."
    ),
    "settings": Code(500, "A setting is wrong.", "See docs/operations.md for each setting."),
    "internal": Code(500, "This is our mistake.", "It has been logged; please report the request id."),
}


class PlacetError(Exception):
    """The root of the tree: `code` is one of CODES, `facts` hold no content and no personal data."""

    code = "internal"

    def __init__(self, detail: str = "", *, code: str | None = None, facts: Mapping[str, Any] | None = None) -> None:
        self.code = code or type(self).code
        self.detail = detail
        self.facts = dict(facts or {})
        known = CODES[self.code]
        super().__init__(f"{detail or known.title} {known.next_step}")


class BadInput(PlacetError):
    """The caller's data cannot be taken as it is."""

    code = "invalid"


class SettingsError(PlacetError):
    """The start is stopped by a setting."""

    code = "settings"


class StoreError(PlacetError):
    """The database failed."""

    code = "store_unavailable"


class StoreUnavailable(StoreError):
    """The database cannot write or answer now; whatever was waiting was not acknowledged."""


class StoreLocked(StoreError):
    """Another process holds the writer's place on this SQLite file."""

    code = "store_locked"


class StoreCorrupt(StoreError):
    """Stored rows contradict each other."""

    code = "store_corrupt"


class LedgerHalted(PlacetError):
    """The signer has found that the record does not verify."""

    code = "ledger_halted"


class StaffError(PlacetError):
    """A person or key cannot be found, changed or invited so."""

    code = "not_found"

"""Settings: one table, read from a TOML file and PLACET_* variables. An unknown key stops the start.

Order of precedence: command-line option, environment, `placet.toml` in the data folder, default.
docs/operations.md lists every row of SETTINGS; a test holds the two equal.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from placet.errors import SettingsError


class Setting(NamedTuple):
    """One row: its name, default, what it is for, and the bounds that it must keep (numbers only)."""

    name: str
    default: Any
    help: str
    least: int | None = None
    most: int | None = None


SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("data", "./placet-data", "Folder for the embedded database, keys and settings file."),
    Setting("database", "", "Empty for SQLite in the data folder, or postgresql://user@host/name."),
    Setting("host", "127.0.0.1", "Address to listen on."),
    Setting("port", 8420, "Port to listen on.", 0, 65535),
    Setting(
        "public_url", "", "How browsers reach the desk; passkeys are bound to its host. Empty: http://localhost:PORT."
    ),
    Setting("origin", "placet.local/ledger", "Name of the ledger in its checkpoints. Never change it once used."),
    Setting("ledger_key_file", "", "File with the signing key of the ledger. Empty: ledger.key in the data folder."),
    Setting("packs", ["community"], "Rule packs in force: names of shipped packs, or folders."),
    Setting("detectors", [], "Detectors from outside, as import paths: yourteam.classifier:Detector."),
    Setting("detector_timeout_ms", 500, "Milliseconds that one call of a detector may take.", 10, 60_000),
    Setting("detector_batch_max", 32, "Most texts in one call of a detector.", 1, 1_024),
    Setting("detector_start_s", 60, "Seconds that a detector has to load.", 1, 3_600),
    Setting("near_days", 30, "Days for which near copies of a text are looked for; 0: not at all.", 0, 3_650),
    Setting("near_texts", 1_000_000, "Most texts among which they are looked for, the latest.", 1_000, 20_000_000),
    Setting("language", "en", "Language of pages when the reader asks for none: en, zh-Hant or zh-Hans."),
    Setting("max_body_bytes", 4_194_304, "Largest body of one request.", 1_024, 67_108_864),
    Setting("max_batch_bytes", 33_554_432, "Largest body of one batch.", 1_024, 1_073_741_824),
    Setting("max_batch_lines", 10_000, "Most lines in one batch.", 1, 1_000_000),
    Setting(
        "max_text_chars", 200_000, "Most characters in one title or body; longer texts are refused.", 100, 5_000_000
    ),
    Setting("body_timeout_s", 20, "Seconds within which a request body must arrive.", 1, 600),
    Setting("group_commit_max", 512, "Most commands in one durable transaction.", 1, 10_000),
    Setting(
        "checkpoint_ms", 1_000, "Milliseconds between two signed heads of the ledger, while there is news.", 50, 60_000
    ),
    Setting("scrub_rows", 1_000, "Old rows that are hashed again before each head is signed.", 0, 1_000_000),
    Setting("deadline_poll_ms", 500, "Milliseconds between two looks at the deadlines.", 20, 60_000),
    Setting("link_hours", 24, "Hours for which a sign-in link may be used, once.", 1, 720),
    Setting("session_hours", 12, "Hours after which a person signs in again.", 1, 720),
    Setting("idempotency_days", 7, "Days for which an Idempotency-Key is remembered.", 1, 365),
    Setting("webhook_allow_private", False, "Whether webhooks may go to private, loopback and link-local addresses."),
    Setting("webhook_timeout_s", 10, "Seconds that a webhook receiver has to answer.", 1, 120),
    Setting("webhook_attempts", 8, "Deliveries that are tried before one becomes a dead letter.", 1, 30),
    Setting("webhook_backoff_s", 5, "Seconds before the second attempt; doubled each time, one day at most.", 1, 3_600),
    Setting("log_level", "info", "debug, info, warning or error."),
)

_ROWS: Final = {row.name: row for row in SETTINGS}
_IMPORT_PATH: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_LOG_LEVELS: Final = ("debug", "info", "warning", "error")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in force, one field for each row of SETTINGS."""

    data: str
    database: str
    host: str
    port: int
    public_url: str
    origin: str
    ledger_key_file: str
    packs: tuple[str, ...]
    detectors: tuple[str, ...]
    detector_timeout_ms: int
    detector_batch_max: int
    detector_start_s: int
    near_days: int
    near_texts: int
    language: str
    max_body_bytes: int
    max_batch_bytes: int
    max_batch_lines: int
    max_text_chars: int
    body_timeout_s: int
    group_commit_max: int
    checkpoint_ms: int
    scrub_rows: int
    deadline_poll_ms: int
    link_hours: int
    session_hours: int
    idempotency_days: int
    webhook_allow_private: bool
    webhook_timeout_s: int
    webhook_attempts: int
    webhook_backoff_s: int
    log_level: str

    @property
    def folder(self) -> Path:
        """The data folder."""
        return Path(self.data)

    @property
    def base_url(self) -> str:
        """How browsers reach the desk, without a trailing slash."""
        return (self.public_url or f"http://localhost:{self.port}").rstrip("/")

    @property
    def secure(self) -> bool:
        """Whether pages are served over TLS, so that cookies may insist on it."""
        return self.base_url.startswith("https://")

    @property
    def key_file(self) -> Path:
        """Where the signing key of the ledger lies."""
        return Path(self.ledger_key_file) if self.ledger_key_file else self.folder / "ledger.key"


def load(options: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; `options` are those of the command line (None means not given).

    Raises SettingsError, naming the key and where it stands, for an unknown key, a wrong type or a broken bound.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in (options or {}).items() if value is not None}
    from_environ = _from_environ(environ)
    data = str(given.get("data") or from_environ.get("data") or _ROWS["data"].default)
    file = Path(data) / "placet.toml"
    merged = {row.name: row.default for row in SETTINGS}
    merged |= {"data": data} | _checked(_from_file(file), str(file))
    merged |= (
        _checked(from_environ, "the environment (PLACET_*)") | _checked(given, "the command line") | {"data": data}
    )
    return msgspec.convert(merged, Settings)


def _from_file(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise SettingsError(f"{file} is not valid TOML: {problem}.") from problem


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for variable, text in environ.items():
        if not variable.startswith("PLACET_"):
            continue
        name = variable.removeprefix("PLACET_").lower()
        row = _ROWS.get(name)
        if row is None:
            raise SettingsError(f"The environment sets {variable}, but there is no setting {name!r}.")
        found[name] = _parsed(row, text, variable)
    return found


def _parsed(row: Setting, text: str, variable: str) -> Any:
    if isinstance(row.default, bool):
        if text.lower() not in ("true", "false", "1", "0"):
            raise SettingsError(f"{variable} must be true or false, not {text!r}.")
        return text.lower() in ("true", "1")
    if isinstance(row.default, int):
        if not text.strip().isdecimal():
            raise SettingsError(f"{variable} must be a whole number, not {text!r}.")
        return int(text)
    if isinstance(row.default, list):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _checked(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    for name, value in values.items():
        row = _ROWS.get(name)
        if row is None:
            raise SettingsError(f"There is no setting {name!r} (in {where}).")
        _check_row(row, value, where)
    return dict(values)


def _check_row(row: Setting, value: Any, where: str) -> None:
    wanted: Any = (list, tuple) if isinstance(row.default, list) else type(row.default)
    fits: bool = isinstance(value, wanted)
    if not fits or (isinstance(value, bool) and not isinstance(row.default, bool)):
        raise SettingsError(f"{row.name} must be a {type(row.default).__name__}, not {value!r} (in {where}).")
    if (row.least is not None and value < row.least) or (row.most is not None and value > row.most):
        raise SettingsError(f"{row.name} must be from {row.least} to {row.most}, not {value} (in {where}).")
    if row.name == "detectors" and (wrong := [path for path in value if not _IMPORT_PATH.fullmatch(str(path))]):
        raise SettingsError(
            f"detectors: {wrong[0]!r} is no import path such as yourteam.classifier:Detector (in {where})."
        )
    if row.name == "log_level" and value not in _LOG_LEVELS:
        raise SettingsError(f"log_level must be one of {', '.join(_LOG_LEVELS)} (in {where}).")
    if row.name == "language" and value not in ("en", "zh-Hant", "zh-Hans"):
        raise SettingsError(f"language must be en, zh-Hant or zh-Hans (in {where}).")
    if row.name == "public_url" and value and urlsplit(value).scheme not in ("http", "https"):
        raise SettingsError(f"public_url must begin with http:// or https:// (in {where}).")
    if row.name == "public_url" and value and urlsplit(value).path.rstrip("/"):
        raise SettingsError(f"public_url has no path: the desk is served at the root of its host (in {where}).")
    if row.name == "origin" and not (value and value.isprintable() and not set(value) & set(" +")):
        raise SettingsError(f"origin is a name without spaces and plus signs, such as example.org/ledger (in {where}).")
    if row.name == "database" and value and not value.startswith(("postgresql://", "postgres://")):
        raise SettingsError(f"database must be empty (SQLite) or begin with postgresql:// (in {where}).")

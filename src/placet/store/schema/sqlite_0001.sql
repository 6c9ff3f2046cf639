CREATE TABLE entry (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    dossier TEXT NOT NULL,
    version INTEGER NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    policy TEXT NOT NULL,
    instant INTEGER NOT NULL,
    body BLOB,
    salt BLOB,
    commitment BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX entry_dossier ON entry (dossier, version);

CREATE TABLE dossier (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    version INTEGER NOT NULL,
    status TEXT NOT NULL,
    account TEXT NOT NULL,
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    assignee TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    state BLOB NOT NULL
) STRICT;
CREATE INDEX dossier_opened ON dossier (kind, status, opened_at, id);
CREATE INDEX dossier_kind ON dossier (kind, opened_at, id);
CREATE INDEX dossier_assignee ON dossier (assignee, due_at, id) WHERE assignee <> '';
CREATE INDEX dossier_account ON dossier (account, kind, opened_at, id) WHERE account <> '';
CREATE INDEX dossier_queue ON dossier (queue, due_at, id) WHERE queue <> '';
CREATE INDEX dossier_waiting ON dossier (due_at, id) WHERE queue <> '';

CREATE TABLE blob (digest BLOB PRIMARY KEY, content BLOB NOT NULL) STRICT;

CREATE TABLE due (
    dossier TEXT NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (dossier, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX due_at ON due (at);

CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    endpoint TEXT NOT NULL,
    dossier TEXT NOT NULL,
    event TEXT NOT NULL,
    body BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    status TEXT NOT NULL,
    last_error TEXT NOT NULL
) STRICT;
CREATE INDEX outbox_next ON outbox (status, next_at, id);

CREATE TABLE tile (path TEXT PRIMARY KEY, hashes BLOB NOT NULL) STRICT;
CREATE TABLE head (size INTEGER PRIMARY KEY, root BLOB NOT NULL, note TEXT NOT NULL, at INTEGER NOT NULL) STRICT;

CREATE TABLE name (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    dossier TEXT NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    reply BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency (at);

CREATE TABLE credential (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    lookup BLOB NOT NULL,
    body BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX credential_lookup ON credential (kind, lookup);
CREATE INDEX credential_owner ON credential (kind, owner, created_at);

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

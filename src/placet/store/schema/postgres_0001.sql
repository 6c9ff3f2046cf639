-- Text is compared byte by byte (COLLATE "C"), so that the order of ids is the same on every server and on SQLite.

CREATE TABLE schema_version (number integer PRIMARY KEY);

CREATE TABLE entry (
    seq bigint PRIMARY KEY,
    id text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    dossier text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    actor text COLLATE "C" NOT NULL,
    policy text COLLATE "C" NOT NULL,
    instant bigint NOT NULL,
    body bytea,
    salt bytea,
    commitment bytea NOT NULL
);
CREATE UNIQUE INDEX entry_dossier ON entry (dossier, version);

CREATE TABLE dossier (
    id text COLLATE "C" PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    status text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    queue text COLLATE "C" NOT NULL,
    priority bigint NOT NULL,
    assignee text COLLATE "C" NOT NULL,
    due_at bigint NOT NULL,
    opened_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    state bytea NOT NULL
);
CREATE INDEX dossier_opened ON dossier (kind, status, opened_at, id);
CREATE INDEX dossier_kind ON dossier (kind, opened_at, id);
CREATE INDEX dossier_account ON dossier (account, kind, opened_at, id) WHERE account <> '';
CREATE INDEX dossier_queue ON dossier (queue, due_at, id) WHERE queue <> '';
CREATE INDEX dossier_waiting ON dossier (due_at, id) WHERE queue <> '';
CREATE INDEX dossier_assignee ON dossier (assignee, due_at, id) WHERE assignee <> '';

CREATE TABLE blob (digest bytea PRIMARY KEY, content bytea NOT NULL);

CREATE TABLE due (
    dossier text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (dossier, kind)
);
CREATE INDEX due_at ON due (at, dossier, kind);

CREATE TABLE outbox (
    id text COLLATE "C" PRIMARY KEY,
    endpoint text COLLATE "C" NOT NULL,
    dossier text COLLATE "C" NOT NULL,
    event text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    created_at bigint NOT NULL,
    next_at bigint NOT NULL,
    attempts bigint NOT NULL,
    status text COLLATE "C" NOT NULL,
    last_error text COLLATE "C" NOT NULL
);
CREATE INDEX outbox_next ON outbox (status, next_at, id);

CREATE TABLE tile (path text COLLATE "C" PRIMARY KEY, hashes bytea NOT NULL);
CREATE TABLE head (size bigint PRIMARY KEY, root bytea NOT NULL, note text COLLATE "C" NOT NULL, at bigint NOT NULL);

CREATE TABLE name (
    scope text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    dossier text COLLATE "C" NOT NULL,
    PRIMARY KEY (scope, name)
);

CREATE TABLE idempotency (
    scope text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    reply bytea NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_at ON idempotency (at);

CREATE TABLE credential (
    id text COLLATE "C" PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL,
    lookup bytea NOT NULL,
    body bytea NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);
CREATE UNIQUE INDEX credential_lookup ON credential (kind, lookup);
CREATE INDEX credential_owner ON credential (kind, owner, created_at);

CREATE TABLE meta (key text COLLATE "C" PRIMARY KEY, value text COLLATE "C" NOT NULL);

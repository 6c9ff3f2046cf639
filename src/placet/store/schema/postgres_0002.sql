-- Near copies: what is kept of each submitted text, and the keys under which it is found. Derived; dropped when old.
CREATE TABLE near_text (
    seq bigint PRIMARY KEY, -- of the entry that it was submitted with
    dossier text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    minima bytea NOT NULL,
    keys bigint[] NOT NULL
);

CREATE TABLE near_key (
    key bigint NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (key, seq)
);

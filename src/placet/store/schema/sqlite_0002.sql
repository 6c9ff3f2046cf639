-- Near copies: what is kept of each submitted text, and the keys under which it is found. Derived; dropped when old.
CREATE TABLE near_text (
    seq INTEGER PRIMARY KEY, -- of the entry that it was submitted with
    dossier TEXT NOT NULL,
    account TEXT NOT NULL,
    at INTEGER NOT NULL,
    minima BLOB NOT NULL,
    keys BLOB NOT NULL -- each key as eight bytes, so that its rows are found again
) STRICT;

CREATE TABLE near_key (
    key INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (key, seq)
) STRICT, WITHOUT ROWID;

-- The sketch of each submitted text, by which near copies are found. Derived from the text; dropped when it is old.
CREATE TABLE sketch (
    seq INTEGER PRIMARY KEY, -- of the entry that the text was submitted with
    dossier TEXT NOT NULL,
    at INTEGER NOT NULL,
    sketch BLOB NOT NULL
) STRICT;

-- An account's past is counted by status with every submission.
CREATE INDEX dossier_tally ON dossier (account, kind, status) WHERE account <> '';

-- One row of the source table that was dealt with. `position` is where the row stood, `id` its document's _id,
-- `content` the hash of all its values, `outcome` what became of it (see outcome_code in entry.rs), `run` which export.
CREATE TABLE entry (
    position PRIMARY KEY,
    id       BLOB    NOT NULL,
    content  BLOB    NOT NULL,
    outcome  INTEGER NOT NULL,
    run      INTEGER NOT NULL
) WITHOUT ROWID;

-- What there is to tell of a row that isn't in the collection. `detail` never holds a value of the row;
-- `duplicate_of` is an ObjectId's bytes, or another _id as extended JSON.
CREATE TABLE remark (
    position     PRIMARY KEY,
    id           BLOB    NOT NULL,
    key          TEXT    NOT NULL,
    outcome      INTEGER NOT NULL,
    code         INTEGER,
    detail       TEXT    NOT NULL,
    duplicate_of,
    attempts     INTEGER NOT NULL,
    first_at     INTEGER NOT NULL,
    last_at      INTEGER NOT NULL
) WITHOUT ROWID;

-- A document that is somebody else's now makes its duplicates pending again.
CREATE INDEX remark_duplicate_of ON remark (duplicate_of) WHERE duplicate_of IS NOT NULL;

-- Rejected rows are few, and may stand among millions of duplicates. The number is outcome_code's.
CREATE INDEX rejected ON remark (position) WHERE outcome = 102;

-- One export. Times are milliseconds since the Unix epoch; `ended_at` is NULL while it runs. The counters are of the rows
-- whose outcomes are recorded; `recorded_to` is the time that their documents bear at most: whatever this export wrote
-- later than that isn't counted yet.
CREATE TABLE run (
    number     INTEGER PRIMARY KEY,
    export_id  TEXT    NOT NULL,
    trigger    TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    state      TEXT    NOT NULL,
    total      INTEGER NOT NULL DEFAULT 0,
    successful INTEGER NOT NULL DEFAULT 0,
    failed     INTEGER NOT NULL DEFAULT 0,
    skipped    INTEGER NOT NULL DEFAULT 0,
    updated    INTEGER NOT NULL DEFAULT 0,
    duplicates INTEGER NOT NULL DEFAULT 0,
    kept       INTEGER NOT NULL DEFAULT 0,
    recorded_to TEXT,
    reason     TEXT,
    error      TEXT
);

CREATE INDEX run_by_export ON run (export_id);

-- Which source and which target the entries speak of, and what else must survive a restart.
CREATE TABLE fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- What terminals report, what is to be told of it, and what terminals there are.

-- +goose Up

-- What a terminal reported, once.
CREATE TABLE records (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    dialect      TEXT    NOT NULL,
    device       TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    record_key   TEXT    NOT NULL,
    passed       INTEGER NOT NULL,
    person_id    TEXT    NOT NULL,
    person_name  TEXT    NOT NULL,
    person_type  TEXT    NOT NULL,
    person_code  TEXT    NOT NULL,
    verdict      TEXT, -- NULL for none
    captured_at  INTEGER, -- NULL where the device did not say
    received_at  INTEGER NOT NULL,
    retained     INTEGER NOT NULL,
    image_sha256 TEXT    NOT NULL,
    image_bytes  INTEGER NOT NULL,
    reason       TEXT    NOT NULL
);
CREATE INDEX records_by_time ON records (received_at);

-- The ids of all records that came, long after the records are gone.
CREATE TABLE seen (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id  TEXT    NOT NULL UNIQUE,
    at  INTEGER NOT NULL
);

-- The record whose picture a job looks at; NULL for other jobs.
ALTER TABLE jobs ADD COLUMN record_id TEXT;
CREATE UNIQUE INDEX jobs_by_record ON jobs (record_id) WHERE record_id IS NOT NULL;
CREATE INDEX jobs_unfinished_by_device ON jobs (device) WHERE finished_at IS NULL AND device <> '';

-- Why an outcome is what it is, in a sentence.
ALTER TABLE results ADD COLUMN reason TEXT NOT NULL DEFAULT '';

-- What a sink is to be told of a record. For each sink and device, rows go out
-- in the order of seq, which is that of the records' arrival; a row that is not
-- ready waits for its record's result, and those behind it wait with it.
CREATE TABLE outbox (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    sink       TEXT    NOT NULL,
    device     TEXT    NOT NULL,
    record_id  TEXT    NOT NULL,
    access     INTEGER NOT NULL, -- 1: never shed
    picture    INTEGER NOT NULL, -- 1: wants the picture
    ready      INTEGER NOT NULL DEFAULT 0,
    held       INTEGER NOT NULL DEFAULT 0, -- 1: the device is not accepted yet
    bytes      INTEGER NOT NULL, -- about what it keeps on the disk
    created_at INTEGER NOT NULL
);
CREATE INDEX outbox_in_order ON outbox (sink, device, seq);
CREATE INDEX outbox_by_record ON outbox (record_id);
CREATE INDEX outbox_to_shed ON outbox (seq) WHERE access = 0;

-- How much waits for each sink, kept by triggers.
CREATE TABLE outbox_totals (
    sink  TEXT PRIMARY KEY,
    rows  INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) WITHOUT ROWID;
-- +goose StatementBegin
CREATE TRIGGER outbox_total_insert AFTER INSERT ON outbox BEGIN
    INSERT INTO outbox_totals (sink, rows, bytes) VALUES (NEW.sink, 1, NEW.bytes)
        ON CONFLICT DO UPDATE SET rows = rows + 1, bytes = bytes + excluded.bytes;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER outbox_total_delete AFTER DELETE ON outbox BEGIN
    UPDATE outbox_totals SET rows = rows - 1, bytes = bytes - OLD.bytes WHERE sink = OLD.sink;
END;
-- +goose StatementEnd

CREATE TABLE devices (
    id         TEXT PRIMARY KEY,
    dialect    TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    online     INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    counters   TEXT    NOT NULL -- a JSON object
);

CREATE TABLE commands (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT    NOT NULL UNIQUE,
    device      TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    detail      TEXT    NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    deadline    INTEGER NOT NULL,
    sent_at     INTEGER,
    finished_at INTEGER
);
CREATE INDEX commands_open ON commands (seq) WHERE finished_at IS NULL;
CREATE INDEX commands_by_device ON commands (device, seq);

-- +goose Up

-- What the images of a place show (docs/states.md), as it was last. answers is a JSON list; label is '' while it is unknown.
CREATE TABLE states (
    name       TEXT    PRIMARY KEY,
    device     TEXT    NOT NULL,
    label      TEXT    NOT NULL,
    since      INTEGER, -- NULL while it is unknown
    confidence REAL    NOT NULL,
    image_at   INTEGER, -- NULL for no image
    answers    TEXT    NOT NULL
) WITHOUT ROWID;

-- The changes of states. record_id is that of the record whose image was the last one needed, '' for another image.
CREATE TABLE state_changes (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    device     TEXT    NOT NULL,
    label      TEXT    NOT NULL,
    former     TEXT    NOT NULL,
    confidence REAL    NOT NULL,
    model      TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    image_at   INTEGER NOT NULL,
    record_id  TEXT    NOT NULL,
    at         INTEGER NOT NULL
);
CREATE INDEX state_changes_by_name ON state_changes (name, seq);
CREATE INDEX state_changes_by_time ON state_changes (at);
CREATE INDEX state_changes_by_record ON state_changes (record_id) WHERE record_id <> '';

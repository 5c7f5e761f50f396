-- +goose Up

-- The chain of each device's events: docs/adr/0050-signed-results.md.
CREATE TABLE chains (
    device         TEXT    PRIMARY KEY,
    id             TEXT    NOT NULL,
    placed         INTEGER NOT NULL DEFAULT 0,  -- the newest event that has a place
    linked         INTEGER NOT NULL DEFAULT 0,  -- the newest event whose hash is known
    hash           TEXT    NOT NULL DEFAULT '', -- that of linked
    -- The links up to check_seq were removed, and are summed up here.
    check_seq      INTEGER NOT NULL DEFAULT 0,
    check_hash     TEXT    NOT NULL DEFAULT '',
    erased         INTEGER NOT NULL DEFAULT 0,
    expired        INTEGER NOT NULL DEFAULT 0,
    checked_at     INTEGER,
    signature      TEXT    NOT NULL DEFAULT ''
) WITHOUT ROWID;

CREATE TABLE chain_links (
    device    TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    record_id TEXT,             -- NULL where the event was erased
    digest    TEXT,             -- NULL until there is a hash
    prev      TEXT    NOT NULL DEFAULT '',
    hash      TEXT    NOT NULL DEFAULT '', -- '' until those before have theirs
    state     TEXT    NOT NULL DEFAULT 'kept' CHECK (state IN ('kept', 'erased', 'expired')),
    ended_at  INTEGER,
    signature TEXT    NOT NULL DEFAULT '', -- of the tombstone
    PRIMARY KEY (device, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX chain_links_by_record ON chain_links (record_id) WHERE record_id IS NOT NULL;
CREATE INDEX chain_links_ended ON chain_links (device, seq) WHERE state <> 'kept';

-- Whatever removes a record or its result: the event has expired, unless it was erased.
-- +goose StatementBegin
CREATE TRIGGER chain_after_record AFTER DELETE ON records BEGIN
    UPDATE chain_links SET state = 'expired' WHERE record_id = OLD.id AND state = 'kept';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER chain_after_result AFTER DELETE ON results BEGIN
    UPDATE chain_links SET state = 'expired' WHERE record_id = OLD.id AND state = 'kept';
END;
-- +goose StatementEnd

-- The public keys of devices that seal their messages: docs/adr/0051-envelopes.md. public is PKIX, DER.
CREATE TABLE device_keys (
    id       TEXT    PRIMARY KEY,
    device   TEXT    NOT NULL,
    public   BLOB    NOT NULL,
    added_at INTEGER NOT NULL,
    -- The guard against replays: the largest counter, and the time up to which nothing is accepted any more.
    counter  INTEGER NOT NULL DEFAULT 0,
    floor    INTEGER NOT NULL DEFAULT 0,
    stamps   INTEGER NOT NULL DEFAULT 0 -- rows of envelope_stamps
) WITHOUT ROWID;

-- The envelopes that were accepted and could be replayed.
CREATE TABLE envelope_stamps (
    key_id     TEXT    NOT NULL REFERENCES device_keys (id) ON DELETE CASCADE,
    id         TEXT    NOT NULL,
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (key_id, id)
) WITHOUT ROWID;
CREATE INDEX envelope_stamps_by_time ON envelope_stamps (key_id, issued_at);
CREATE INDEX envelope_stamps_by_end ON envelope_stamps (expires_at);

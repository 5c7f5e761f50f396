-- +goose Up

-- The keys of clients; those that were revoked stay, so that there was one. hash is the
-- SHA-256 of the token; scopes, devices and models are JSON lists of texts.
CREATE TABLE keys (
    id           TEXT PRIMARY KEY,
    name         TEXT    NOT NULL,
    hash         BLOB    NOT NULL CHECK (length(hash) = 32),
    scopes       TEXT    NOT NULL,
    devices      TEXT    NOT NULL,
    models       TEXT    NOT NULL,
    see_all      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER, -- NULL for never
    last_used_at INTEGER, -- NULL for never
    revoked_at   INTEGER  -- NULL where it was not
);
CREATE UNIQUE INDEX keys_by_name ON keys (name) WHERE revoked_at IS NULL;

-- The key of the client that submitted a job; '' for none. In idempotency_key, the key's
-- id and a line feed precede the client's text, so that clients have names of their own.
ALTER TABLE jobs ADD COLUMN owner TEXT NOT NULL DEFAULT '';
CREATE INDEX jobs_by_owner ON jobs (owner) WHERE owner <> '';
ALTER TABLE results ADD COLUMN owner TEXT NOT NULL DEFAULT '';
CREATE INDEX results_by_owner ON results (owner) WHERE owner <> '';

-- Whose an event is, as in the job or result. Earlier events have what their data has.
ALTER TABLE events ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN device TEXT NOT NULL DEFAULT '';
UPDATE events SET device = CASE type WHEN 'device' THEN subject ELSE coalesce(json_extract(data, '$.device'), '') END;

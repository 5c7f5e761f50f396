-- Times are microseconds since 1970 in UTC. Everything is ordered by seq, never
-- by time: the clock of a Pi may jump.

-- +goose Up

CREATE TABLE jobs (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    face            TEXT    NOT NULL,
    device          TEXT    NOT NULL,
    queue           TEXT    NOT NULL,
    model           TEXT    NOT NULL,
    top_k           INTEGER NOT NULL,
    min_score       REAL    NOT NULL,
    no_cache        INTEGER NOT NULL,
    sha256          TEXT    NOT NULL,
    bytes           INTEGER NOT NULL,
    idempotency_key TEXT UNIQUE, -- NULL for none
    deadline        INTEGER,     -- NULL for none
    status          TEXT    NOT NULL CHECK (status IN
                        ('queued', 'running', 'succeeded', 'failed', 'canceled', 'expired')),
    attempts        INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    started_at      INTEGER,
    finished_at     INTEGER,
    error_code      TEXT,
    error_detail    TEXT,
    picture         INTEGER NOT NULL DEFAULT 1, -- 0: its file is, or is to be, deleted
    CHECK ((finished_at IS NOT NULL) = (status IN ('succeeded', 'failed', 'canceled', 'expired')))
);
CREATE INDEX jobs_unfinished ON jobs (seq) WHERE finished_at IS NULL;
CREATE INDEX jobs_by_status ON jobs (status);
CREATE INDEX jobs_by_deadline ON jobs (deadline) WHERE finished_at IS NULL AND deadline IS NOT NULL;
CREATE INDEX jobs_by_end ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_with_old_picture ON jobs (picture) WHERE finished_at IS NOT NULL AND picture = 1;

-- What an answer was, for the history; a job has at most one.
CREATE TABLE results (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    job_id       TEXT UNIQUE REFERENCES jobs (id) ON DELETE CASCADE,
    face         TEXT    NOT NULL,
    device       TEXT    NOT NULL,
    outcome      TEXT    NOT NULL,
    label        TEXT    NOT NULL,
    probability  REAL    NOT NULL,
    created_at   INTEGER NOT NULL,
    result       TEXT, -- edgelens.Result as JSON; NULL where there is an error
    error_code   TEXT,
    error_detail TEXT
);
CREATE INDEX results_by_device ON results (device);
CREATE INDEX results_by_label ON results (label);
CREATE INDEX results_by_outcome ON results (outcome);
CREATE INDEX results_by_time ON results (created_at);

CREATE TABLE events (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    type    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    data    TEXT    NOT NULL
);
CREATE INDEX events_by_time ON events (at);

-- How many jobs are in each state and how large their pictures are, kept by
-- triggers, so that asking does not count rows.
CREATE TABLE job_totals (
    status        TEXT PRIMARY KEY,
    jobs          INTEGER NOT NULL DEFAULT 0,
    picture_bytes INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
INSERT INTO job_totals (status) VALUES
    ('queued'), ('running'), ('succeeded'), ('failed'), ('canceled'), ('expired');

-- +goose StatementBegin
CREATE TRIGGER jobs_total_insert AFTER INSERT ON jobs BEGIN
    UPDATE job_totals SET jobs = jobs + 1, picture_bytes = picture_bytes + NEW.picture * NEW.bytes
        WHERE status = NEW.status;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER jobs_total_update AFTER UPDATE OF status, picture ON jobs BEGIN
    UPDATE job_totals SET jobs = jobs - 1, picture_bytes = picture_bytes - OLD.picture * OLD.bytes
        WHERE status = OLD.status;
    UPDATE job_totals SET jobs = jobs + 1, picture_bytes = picture_bytes + NEW.picture * NEW.bytes
        WHERE status = NEW.status;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER jobs_total_delete AFTER DELETE ON jobs BEGIN
    UPDATE job_totals SET jobs = jobs - 1, picture_bytes = picture_bytes - OLD.picture * OLD.bytes
        WHERE status = OLD.status;
END;
-- +goose StatementEnd

-- A job leaves its terminal state never, whatever the program does.
-- +goose StatementBegin
CREATE TRIGGER jobs_terminal BEFORE UPDATE OF status ON jobs WHEN OLD.finished_at IS NOT NULL BEGIN
    SELECT RAISE(ABORT, 'the job is terminal');
END;
-- +goose StatementEnd

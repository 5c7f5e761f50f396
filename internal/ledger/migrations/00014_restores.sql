-- +goose Up

-- The restores from a backup, the last one last; taken_at is when the backup was taken.
CREATE TABLE restores (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    taken_at    INTEGER NOT NULL,
    restored_at INTEGER NOT NULL
);

-- 1: the row was undelivered in a backup that was restored, and is set aside until someone
-- decides to send it.
ALTER TABLE outbox ADD COLUMN restored INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_restored ON outbox (seq) WHERE restored = 1;

-- 1: the job was unfinished in a backup that was restored, and runs once it is released.
ALTER TABLE jobs ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
CREATE INDEX jobs_held ON jobs (seq) WHERE held = 1;

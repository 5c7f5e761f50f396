-- +goose Up

-- What the age of a job that is done is counted from: finished_at, moved along
-- when the clock jumps forward. NULL while the job is not done.
ALTER TABLE jobs ADD COLUMN kept_since INTEGER;
UPDATE jobs SET kept_since = finished_at;
DROP INDEX jobs_by_end;
CREATE INDEX jobs_by_age ON jobs (kept_since) WHERE kept_since IS NOT NULL;

-- +goose Up

-- The forward steps of the wall clock, in order: a row's time that is not after before was written before the step, and
-- counts as later by jump. So its age stays what it is, without a change of the row.
CREATE TABLE clock_steps (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    before INTEGER NOT NULL,
    jump   INTEGER NOT NULL CHECK (jump > 0)
);

-- So that a sweep finds out without a look at all rows that nothing is due.
CREATE INDEX seen_by_age ON seen (at);
CREATE INDEX outbox_by_age ON outbox (created_at) WHERE access = 0;
CREATE INDEX results_by_device_outcome ON results (device, outcome);
CREATE INDEX results_by_device_time ON results (device, created_at);
CREATE INDEX commands_by_time ON commands (created_at);
CREATE INDEX outbox_held ON outbox (device) WHERE held = 1;
CREATE INDEX results_without_job ON results (created_at) WHERE job_id IS NULL;

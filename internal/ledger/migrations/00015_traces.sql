-- +goose Up

-- The span that a job and a record are a part of, as in the header traceparent; empty for none. The rows of the outbox
-- have that of their record.
ALTER TABLE jobs ADD COLUMN trace TEXT NOT NULL DEFAULT '';
ALTER TABLE records ADD COLUMN trace TEXT NOT NULL DEFAULT '';

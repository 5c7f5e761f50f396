-- +goose Up

-- When a row was set aside, because its sink never takes it, and why; NULL for
-- those that wait in order.
ALTER TABLE outbox ADD COLUMN aside_at INTEGER;
ALTER TABLE outbox ADD COLUMN aside_reason TEXT NOT NULL DEFAULT '';
CREATE INDEX outbox_aside ON outbox (sink, seq) WHERE aside_at IS NOT NULL;

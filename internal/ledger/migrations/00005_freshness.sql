-- +goose Up

-- Whether a record was news when it came: fresh, replayed, unknown, or '' where it
-- came before that was judged; and why not, in a sentence.
ALTER TABLE records ADD COLUMN freshness TEXT NOT NULL DEFAULT '';
ALTER TABLE records ADD COLUMN freshness_reason TEXT NOT NULL DEFAULT '';

-- The same of the record that a result is about; '' for what came otherwise.
ALTER TABLE results ADD COLUMN freshness TEXT NOT NULL DEFAULT '';
ALTER TABLE results ADD COLUMN freshness_reason TEXT NOT NULL DEFAULT '';

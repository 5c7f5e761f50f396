-- +goose Up

-- What an operator has set for a device: a JSON object.
ALTER TABLE devices ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';

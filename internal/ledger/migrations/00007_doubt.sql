-- +goose Up

-- Which part of a terminal's verdict is not understood, in a sentence; '' for none.
ALTER TABLE records ADD COLUMN doubt TEXT NOT NULL DEFAULT '';

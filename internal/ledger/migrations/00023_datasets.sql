-- +goose Up

-- Datasets of examples, from which heads learn: docs/adr/0053-datasets.md. Triggers maintain examples and bytes, the size of
-- their images.
CREATE TABLE datasets (
    name             TEXT    PRIMARY KEY,
    extractor        TEXT    NOT NULL,
    extractor_digest TEXT    NOT NULL,
    fit              TEXT    NOT NULL,
    region           TEXT    NOT NULL,
    created_at       INTEGER NOT NULL,
    changed_at       INTEGER NOT NULL,
    examples         INTEGER NOT NULL DEFAULT 0,
    bytes            INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- The image of an example is the file of its id, as for jobs. embedding is its numbers as float32, little-endian, made by the
-- extractor with that digest. result_id is the result that it corrects, device what took its image, and result_at when;
-- empty or NULL without one. owner is the key of the client.
CREATE TABLE examples (
    seq              INTEGER PRIMARY KEY AUTOINCREMENT,
    id               TEXT    NOT NULL UNIQUE,
    dataset          TEXT    NOT NULL REFERENCES datasets (name),
    label            TEXT    NOT NULL,
    sha256           TEXT    NOT NULL,
    bytes            INTEGER NOT NULL,
    extractor_digest TEXT    NOT NULL,
    embedding        BLOB    NOT NULL,
    result_id        TEXT    NOT NULL,
    device           TEXT    NOT NULL,
    result_at        INTEGER,
    owner            TEXT    NOT NULL,
    created_at       INTEGER NOT NULL
);
CREATE UNIQUE INDEX examples_by_image ON examples (dataset, sha256);
CREATE INDEX examples_by_label ON examples (dataset, label);
CREATE INDEX examples_by_result ON examples (result_id) WHERE result_id <> '';
CREATE INDEX examples_by_device ON examples (device) WHERE device <> '';

-- How much there is, so that asking does not count it. embeddings is their size in bytes.
CREATE TABLE example_totals (examples INTEGER NOT NULL, bytes INTEGER NOT NULL, embeddings INTEGER NOT NULL);
INSERT INTO example_totals VALUES (0, 0, 0);
-- +goose StatementBegin
CREATE TRIGGER examples_insert AFTER INSERT ON examples BEGIN
    UPDATE example_totals SET examples = examples + 1, bytes = bytes + NEW.bytes, embeddings = embeddings + length(NEW.embedding);
    UPDATE datasets SET examples = examples + 1, bytes = bytes + NEW.bytes WHERE name = NEW.dataset;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER examples_delete AFTER DELETE ON examples BEGIN
    UPDATE example_totals SET examples = examples - 1, bytes = bytes - OLD.bytes, embeddings = embeddings - length(OLD.embedding);
    UPDATE datasets SET examples = examples - 1, bytes = bytes - OLD.bytes WHERE name = OLD.dataset;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER examples_embed AFTER UPDATE OF embedding ON examples BEGIN
    UPDATE example_totals SET embeddings = embeddings - length(OLD.embedding) + length(NEW.embedding);
END;
-- +goose StatementEnd

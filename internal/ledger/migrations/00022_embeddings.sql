-- +goose Up

-- What is asked of a job's model: classification or embedding; empty for whatever it gives.
ALTER TABLE jobs ADD COLUMN task TEXT NOT NULL DEFAULT '';

-- The feature vectors of the images of results, for the search of similar ones: docs/adr/0052-embeddings.md.
CREATE TABLE embeddings (
    result    INTEGER PRIMARY KEY REFERENCES results (seq) ON DELETE CASCADE,
    extractor TEXT    NOT NULL, -- digest of the model that gave it
    scale     REAL    NOT NULL, -- a number of the vector is scale times its int8
    vector    BLOB    NOT NULL  -- int8, one a byte; empty where the image cannot have one
);

CREATE TABLE embeddings_state (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    vectors   INTEGER NOT NULL DEFAULT 0, -- how many rows embeddings has
    given_way INTEGER NOT NULL DEFAULT 0  -- the newest result whose embedding gave way to newer ones
);
INSERT INTO embeddings_state (id) VALUES (1);

-- What was deleted, until it is deleted in memory, too.
CREATE TABLE embeddings_deleted (
    result INTEGER PRIMARY KEY
);

-- Whatever removes a result removes its embedding.
-- +goose StatementBegin
CREATE TRIGGER embeddings_delete AFTER DELETE ON embeddings BEGIN
    UPDATE embeddings_state SET vectors = vectors - 1;
    INSERT OR IGNORE INTO embeddings_deleted (result) VALUES (OLD.result);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER embeddings_insert AFTER INSERT ON embeddings BEGIN
    UPDATE embeddings_state SET vectors = vectors + 1;
END;
-- +goose StatementEnd

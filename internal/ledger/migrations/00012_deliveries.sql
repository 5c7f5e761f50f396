-- +goose Up

-- The deliveries of a record's event that were confirmed, kept as long as the record's result.
CREATE TABLE deliveries (
    result_id    TEXT    NOT NULL,
    sink         TEXT    NOT NULL,
    attempts     INTEGER NOT NULL,
    delivered_at INTEGER NOT NULL,
    PRIMARY KEY (result_id, sink)
) WITHOUT ROWID;
-- +goose StatementBegin
CREATE TRIGGER deliveries_of_result AFTER DELETE ON results BEGIN
    DELETE FROM deliveries WHERE result_id = OLD.id;
END;
-- +goose StatementEnd

-- For the newest results of a source.
CREATE INDEX results_by_source ON results (source);

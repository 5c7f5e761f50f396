-- +goose Up

-- The ids of all records that came, long after the records are gone, in 16 bytes: docs/adr/0059-retention.md. Those of the
-- table seen move here beside other work after the start, and then a start drops that table.
CREATE TABLE record_ids (
    id BLOB    PRIMARY KEY CHECK (length(id) = 16),
    at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX record_ids_by_age ON record_ids (at);

CREATE TABLE record_id_totals (ids INTEGER NOT NULL);
INSERT INTO record_id_totals VALUES (0);
-- +goose StatementBegin
CREATE TRIGGER record_ids_insert AFTER INSERT ON record_ids BEGIN UPDATE record_id_totals SET ids = ids + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER record_ids_delete AFTER DELETE ON record_ids BEGIN UPDATE record_id_totals SET ids = ids - 1; END;
-- +goose StatementEnd

-- How many rows of each kind there are, and how large their texts are, so that asking does not count rows. Results of jobs and
-- other results are two kinds. Rows up to seq until were there before this table; those up to counted of them are in the
-- sums, and the others are added beside other work.
CREATE TABLE kept_totals (
    kind    TEXT PRIMARY KEY,
    rows    INTEGER NOT NULL DEFAULT 0,
    bytes   INTEGER NOT NULL DEFAULT 0,
    counted INTEGER NOT NULL DEFAULT 0,
    until   INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO kept_totals (kind, counted, until) VALUES
    ('job_results', (SELECT ifnull(min(seq), 1) - 1 FROM results), (SELECT ifnull(max(seq), 0) FROM results)),
    ('results', (SELECT ifnull(min(seq), 1) - 1 FROM results), (SELECT ifnull(max(seq), 0) FROM results)),
    ('records', (SELECT ifnull(min(seq), 1) - 1 FROM records), (SELECT ifnull(max(seq), 0) FROM records)),
    ('events', (SELECT ifnull(min(seq), 1) - 1 FROM events), (SELECT ifnull(max(seq), 0) FROM events));

-- +goose StatementBegin
CREATE TRIGGER results_kept_insert AFTER INSERT ON results BEGIN
    UPDATE kept_totals SET rows = rows + 1, bytes = bytes + ifnull(length(CAST(NEW.result AS BLOB)), 0)
        WHERE kind = iif(NEW.job_id IS NULL, 'results', 'job_results');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER results_kept_delete AFTER DELETE ON results BEGIN
    UPDATE kept_totals SET rows = rows - 1, bytes = bytes - ifnull(length(CAST(OLD.result AS BLOB)), 0)
        WHERE kind = iif(OLD.job_id IS NULL, 'results', 'job_results') AND (OLD.seq <= counted OR OLD.seq > until);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER records_kept_insert AFTER INSERT ON records BEGIN
    UPDATE kept_totals SET rows = rows + 1, bytes = bytes + ifnull(length(CAST(NEW.verdict AS BLOB)), 0) WHERE kind = 'records';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER records_kept_delete AFTER DELETE ON records BEGIN
    UPDATE kept_totals SET rows = rows - 1, bytes = bytes - ifnull(length(CAST(OLD.verdict AS BLOB)), 0)
        WHERE kind = 'records' AND (OLD.seq <= counted OR OLD.seq > until);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER events_kept_insert AFTER INSERT ON events BEGIN
    UPDATE kept_totals SET rows = rows + 1, bytes = bytes + length(CAST(NEW.data AS BLOB)) WHERE kind = 'events';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER events_kept_delete AFTER DELETE ON events BEGIN
    UPDATE kept_totals SET rows = rows - 1, bytes = bytes - length(CAST(OLD.data AS BLOB))
        WHERE kind = 'events' AND (OLD.seq <= counted OR OLD.seq > until);
END;
-- +goose StatementEnd

-- The totals are kept for each queue too: operators want to see which one waits.

-- +goose Up

DROP TRIGGER jobs_total_insert;
DROP TRIGGER jobs_total_update;
DROP TRIGGER jobs_total_delete;
DROP TABLE job_totals;

CREATE TABLE job_totals (
    queue         TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    jobs          INTEGER NOT NULL DEFAULT 0,
    picture_bytes INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (status, queue)
) WITHOUT ROWID;
INSERT INTO job_totals (queue, status, jobs, picture_bytes)
    SELECT queue, status, COUNT(*), SUM(picture * bytes) FROM jobs GROUP BY queue, status;

-- +goose StatementBegin
CREATE TRIGGER jobs_total_insert AFTER INSERT ON jobs BEGIN
    INSERT INTO job_totals (queue, status, jobs, picture_bytes)
        VALUES (NEW.queue, NEW.status, 1, NEW.picture * NEW.bytes)
        ON CONFLICT DO UPDATE SET jobs = jobs + 1, picture_bytes = picture_bytes + excluded.picture_bytes;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER jobs_total_update AFTER UPDATE OF status, picture ON jobs BEGIN
    UPDATE job_totals SET jobs = jobs - 1, picture_bytes = picture_bytes - OLD.picture * OLD.bytes
        WHERE status = OLD.status AND queue = OLD.queue;
    INSERT INTO job_totals (queue, status, jobs, picture_bytes)
        VALUES (NEW.queue, NEW.status, 1, NEW.picture * NEW.bytes)
        ON CONFLICT DO UPDATE SET jobs = jobs + 1, picture_bytes = picture_bytes + excluded.picture_bytes;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER jobs_total_delete AFTER DELETE ON jobs BEGIN
    UPDATE job_totals SET jobs = jobs - 1, picture_bytes = picture_bytes - OLD.picture * OLD.bytes
        WHERE status = OLD.status AND queue = OLD.queue;
END;
-- +goose StatementEnd

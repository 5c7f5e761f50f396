-- +goose Up

-- Series of numbers, by a short id for their rows. seen_at is when the series was described last, last_at the time of
-- its newest point and last_value its value.
CREATE TABLE sensor_series (
    id         INTEGER PRIMARY KEY,
    series     TEXT    NOT NULL UNIQUE,
    device     TEXT    NOT NULL,
    field      TEXT    NOT NULL,
    unit       TEXT    NOT NULL,
    location   TEXT    NOT NULL,
    seen_at    INTEGER NOT NULL,
    last_at    INTEGER, -- NULL for no point
    last_value REAL
);

-- Single values. seq distinguishes those of one time; flags: 1 for an anomaly, 2 for an unknown time, 4 for a replayed one.
CREATE TABLE sensor_points (
    series INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    value  REAL    NOT NULL,
    flags  INTEGER NOT NULL,
    PRIMARY KEY (series, at, seq)
) WITHOUT ROWID;

-- The values of a minute, which is counted since 1970.
CREATE TABLE sensor_minutes (
    series    INTEGER NOT NULL,
    minute    INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    min       REAL    NOT NULL,
    max       REAL    NOT NULL,
    sum       REAL    NOT NULL,
    anomalies INTEGER NOT NULL,
    PRIMARY KEY (series, minute)
) WITHOUT ROWID;

-- Insights are the history of what the rules found; actions is a JSON list.
CREATE TABLE insights (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,
    raised     TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    rule       TEXT    NOT NULL,
    series     TEXT    NOT NULL,
    device     TEXT    NOT NULL,
    field      TEXT    NOT NULL,
    severity   TEXT    NOT NULL,
    confidence REAL    NOT NULL,
    summary    TEXT    NOT NULL,
    actions    TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    value      REAL    NOT NULL,
    unit       TEXT    NOT NULL,
    freshness  TEXT    NOT NULL,
    suppressed INTEGER NOT NULL
);
CREATE INDEX insights_by_time ON insights (at);

-- How many rows there are, so that asking does not count them. That of the points is kept by the changes themselves, as
-- a trigger for each value would take longer than the value.
CREATE TABLE sensor_totals (series INTEGER NOT NULL, points INTEGER NOT NULL, minutes INTEGER NOT NULL);
INSERT INTO sensor_totals VALUES (0, 0, 0);
-- +goose StatementBegin
CREATE TRIGGER sensor_series_insert AFTER INSERT ON sensor_series BEGIN UPDATE sensor_totals SET series = series + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER sensor_series_delete AFTER DELETE ON sensor_series BEGIN UPDATE sensor_totals SET series = series - 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER sensor_minutes_insert AFTER INSERT ON sensor_minutes BEGIN UPDATE sensor_totals SET minutes = minutes + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER sensor_minutes_delete AFTER DELETE ON sensor_minutes BEGIN UPDATE sensor_totals SET minutes = minutes - 1; END;
-- +goose StatementEnd

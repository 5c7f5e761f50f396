package ledger

import (
	"database/sql"
	"time"

	"edgelens"
	"edgelens/internal/stored"
)

// micros is t as it is stored: in UTC, to the microsecond.
func micros(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

func timeOrNull(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

func timeOf(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}

func textOrNull(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

func errorOf(code, detail sql.NullString) *edgelens.JobError {
	if !code.Valid {
		return nil
	}
	return &edgelens.JobError{Code: code.String, Detail: detail.String}
}

func resultOf(text sql.NullString) (*edgelens.Result, error) {
	if !text.Valid {
		return nil, nil
	}
	return stored.UnmarshalResult([]byte(text.String))
}

func orElse(value, otherwise string) string {
	if value != "" {
		return value
	}
	return otherwise
}

package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"

	"edgelens"
)

// recordColumns are those of the table r that readRecord reads.
const recordColumns = `r.id, r.dialect, r.device, r.kind, r.record_key, r.passed, r.person_id, r.person_name, r.person_type, r.person_code,
	r.verdict, r.captured_at, r.received_at, r.retained, r.freshness, r.freshness_reason, r.doubt, r.image_sha256, r.image_bytes, r.reason, r.trace`

// readRecord reads recordColumns, and then the rest into others.
func readRecord(row interface{ Scan(...any) error }, others ...any) (r edgelens.Record, err error) {
	var verdict sql.NullString
	var trace string
	var captured, received sql.NullInt64
	err = row.Scan(append([]any{
		&r.ID, &r.Dialect, &r.Device, &r.Kind, &r.Key, &r.Passed, &r.Person.ID, &r.Person.Name, &r.Person.Type, &r.Person.Code,
		&verdict, &captured, &received, &r.Retained, &r.Freshness, &r.FreshnessReason, &r.Doubt, &r.ImageSHA256, &r.ImageBytes, &r.Reason, &trace,
	}, others...)...)
	if verdict.Valid {
		r.Verdict = json.RawMessage(verdict.String)
	}
	r.Trace = edgelens.ParseTrace(trace)
	r.CapturedAt, r.ReceivedAt = timeOf(captured), timeOf(received)
	return r, err
}

// insertRecord adds a record alone.
func insertRecord(c *change, r *edgelens.Record) error {
	_, err := c.exec(`INSERT INTO records (id, dialect, device, kind, record_key, passed, person_id, person_name, person_type, person_code,
		verdict, captured_at, received_at, retained, freshness, freshness_reason, doubt, image_sha256, image_bytes, reason, trace)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, r.Dialect, r.Device, r.Kind, r.Key, r.Passed, r.Person.ID, r.Person.Name, r.Person.Type, r.Person.Code,
		textOrNull(string(r.Verdict)), timeOrNull(r.CapturedAt), r.ReceivedAt.UnixMicro(), r.Retained,
		string(r.Freshness), r.FreshnessReason, r.Doubt, r.ImageSHA256, r.ImageBytes, r.Reason, string(r.Trace))
	return err
}

// addRecord adds to a result the fields of its terminal's record, if there is one.
func addRecord(c *change, r *edgelens.StoredResult) error {
	if r.Device == "" {
		return nil
	}
	var doubt string
	err := c.QueryRowContext(context.Background(), `SELECT freshness, freshness_reason, doubt FROM records WHERE id = ?`, r.ID).Scan(&r.Freshness, &r.FreshnessReason, &doubt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil || doubt == "" {
		return err
	}
	// Regardless of the image, the terminal's own verdict on the person is uncertain.
	if r.Outcome != edgelens.OutcomeError {
		r.Outcome = edgelens.OutcomeUncertain
	}
	r.Reason = strings.TrimSpace("The terminal's verdict is not understood: " + doubt + " " + r.Reason)
	return nil
}

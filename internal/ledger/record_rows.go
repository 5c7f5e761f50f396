package ledger

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"edgelens"
)

// insertRecord adds a record alone.
func insertRecord(c *change, r *edgelens.Record) error {
	_, err := c.exec(`INSERT INTO records (id, dialect, device, kind, record_key, passed, person_id, person_name, person_type, person_code,
		verdict, captured_at, received_at, retained, freshness, freshness_reason, doubt, image_sha256, image_bytes, reason)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, r.Dialect, r.Device, r.Kind, r.Key, r.Passed, r.Person.ID, r.Person.Name, r.Person.Type, r.Person.Code,
		textOrNull(string(r.Verdict)), timeOrNull(r.CapturedAt), r.ReceivedAt.UnixMicro(), r.Retained,
		string(r.Freshness), r.FreshnessReason, r.Doubt, r.ImageSHA256, r.ImageBytes, r.Reason)
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

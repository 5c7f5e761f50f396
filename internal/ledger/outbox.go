package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"edgelens"
)

// insertRow puts a record into the outbox of a sink, to be delivered once the record has its result.
func (c *change) insertRow(r *edgelens.Record, route edgelens.Route, held, hasImage bool) error {
	image := route.Image && hasImage
	bytes := int64(rowBytes)
	if image {
		bytes += r.ImageBytes
	}
	_, err := c.exec(`INSERT INTO outbox (sink, device, record_id, access, image, held, bytes, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		route.Sink, r.Device, r.ID, r.Access(), image, held, bytes, r.ReceivedAt.UnixMicro())
	return err
}

// makeReady marks the rows of a record for delivery: it has its result.
func (c *change) makeReady(record, device string) error {
	touched, err := c.exec(`UPDATE outbox SET ready = 1 WHERE record_id = ?`, record)
	if touched > 0 {
		c.ready = append(c.ready, device)
	}
	return err
}

// WatchOutbox returns a channel that holds a token whenever there is more to deliver, and a function that returns the
// devices concerned, since its last call. OutboxDevices returns those from before. The channel is closed by Close;
// cancel ends the watch and may be called more than once.
func (l *Ledger) WatchOutbox() (wake <-chan struct{}, devices func() []string, cancel func()) {
	return l.feeds.watch()
}

// OutboxDevices returns the devices with undelivered rows for the sink, ready or not.
func (l *Ledger) OutboxDevices(ctx context.Context, sink string) ([]string, error) {
	devices, err := l.outboxDevices(ctx, sink)
	return devices, l.explain("list the devices in the outbox", err)
}

func (l *Ledger) outboxDevices(ctx context.Context, sink string) ([]string, error) {
	// One step in the index for each device, however many rows each has.
	rows, err := l.readers.QueryContext(ctx, `WITH RECURSIVE d (device) AS (
			SELECT MIN(device) FROM outbox WHERE sink = ?1
			UNION ALL
			SELECT (SELECT MIN(device) FROM outbox WHERE sink = ?1 AND device > d.device) FROM d WHERE d.device IS NOT NULL)
		SELECT device FROM d WHERE device IS NOT NULL`, sink)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var devices []string
	for rows.Next() {
		var device string
		if err := rows.Scan(&device); err != nil {
			return nil, err
		}
		devices = append(devices, device)
	}
	return devices, rows.Err()
}

// Outbox returns the next deliveries for the sink from a device, in order and at most limit: up to the first record
// that has no result yet or is held.
func (l *Ledger) Outbox(ctx context.Context, sink, device string, limit int) ([]edgelens.Delivery, error) {
	deliveries, err := l.outbox(ctx, sink, device, limit)
	return deliveries, l.explain("read the outbox", err)
}

func (l *Ledger) outbox(ctx context.Context, sink, device string, limit int) ([]edgelens.Delivery, error) {
	rows, err := l.readers.QueryContext(ctx, `SELECT o.seq, o.ready AND NOT o.held, o.image, j.id,
			r.id, r.dialect, r.device, r.kind, r.record_key, r.passed, r.person_id, r.person_name, r.person_type, r.person_code,
			r.verdict, r.captured_at, r.received_at, r.retained, r.freshness, r.freshness_reason, r.doubt, r.image_sha256, r.image_bytes, r.reason, s.id IS NOT NULL
		FROM outbox o JOIN records r ON r.id = o.record_id LEFT JOIN results s ON s.id = o.record_id LEFT JOIN jobs j ON j.record_id = o.record_id
		WHERE o.sink = ? AND o.device = ? AND o.aside_at IS NULL ORDER BY o.seq LIMIT ?`, sink, device, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var deliveries []edgelens.Delivery
	for rows.Next() {
		d, ready, err := readDelivery(rows)
		if err != nil {
			return nil, err
		}
		if !ready {
			break
		}
		d.Sink = sink
		deliveries = append(deliveries, d)
	}
	// Closed before the next query: a caller that holds one of the few connections and waits for another can deadlock.
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for i := range deliveries {
		deliveries[i].Result, _, err = readResult(l.readers.QueryRowContext(ctx, selectResult+` WHERE id = ?`, deliveries[i].Record.ID))
		if err != nil {
			return nil, err
		}
	}
	return deliveries, nil
}

func readDelivery(rows *sql.Rows) (d edgelens.Delivery, ready bool, err error) {
	var (
		job, verdict       sql.NullString
		captured, received sql.NullInt64
		image, result      bool
	)
	r := &d.Record
	err = rows.Scan(&d.Seq, &ready, &image, &job,
		&r.ID, &r.Dialect, &r.Device, &r.Kind, &r.Key, &r.Passed, &r.Person.ID, &r.Person.Name, &r.Person.Type, &r.Person.Code,
		&verdict, &captured, &received, &r.Retained, &r.Freshness, &r.FreshnessReason, &r.Doubt, &r.ImageSHA256, &r.ImageBytes, &r.Reason, &result)
	if verdict.Valid {
		r.Verdict = json.RawMessage(verdict.String)
	}
	r.CapturedAt, r.ReceivedAt = timeOf(captured), timeOf(received)
	d.CreatedAt = r.ReceivedAt
	if image {
		d.Image = job.String
	}
	return d, ready && result, err
}

// Delivered removes delivered rows from the outbox, by Delivery.Seq, and drops the images that no other row needs.
func (l *Ledger) Delivered(ctx context.Context, seqs ...int64) error {
	return l.explain("remove delivered rows from the outbox", l.change(ctx, func(c *change) error {
		for _, seq := range seqs {
			if _, err := l.removeFromOutbox(c, `seq = ?`, seq); err != nil {
				return err
			}
		}
		return nil
	}))
}

// ReleaseDevice releases the held records of a device for delivery.
func (l *Ledger) ReleaseDevice(ctx context.Context, device string) error {
	return l.explain("release the records of "+device, l.change(ctx, func(c *change) error {
		touched, err := c.exec(`UPDATE outbox SET held = 0 WHERE device = ? AND held = 1`, device)
		if touched > 0 {
			c.ready = append(c.ready, device)
		}
		return err
	}))
}

// removedRow is a row that left the outbox.
type removedRow struct{ sink, record string }

// removeFromOutbox removes the rows for which the condition holds, and drops the images that they alone need.
func (l *Ledger) removeFromOutbox(c *change, condition string, args ...any) ([]removedRow, error) {
	rows, err := c.QueryContext(context.Background(), `DELETE FROM outbox WHERE `+condition+` RETURNING sink, record_id`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var removed []removedRow
	for rows.Next() {
		var row removedRow
		if err := rows.Scan(&row.sink, &row.record); err != nil {
			return nil, err
		}
		removed = append(removed, row)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, row := range removed {
		var job sql.NullString
		err := c.QueryRowContext(context.Background(), `SELECT (SELECT id FROM jobs WHERE record_id = ?)`, row.record).Scan(&job)
		if err != nil {
			return nil, err
		}
		if !job.Valid {
			continue
		}
		if err := l.dropImage(c, job.String, row.record); err != nil {
			return nil, err
		}
	}
	return removed, nil
}

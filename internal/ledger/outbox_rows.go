package ledger

import (
	"context"
	"database/sql"

	"edgelens"
)

// noDelivery is the condition that no event about the record is undelivered; record is the expression of its id.
func noDelivery(record string) string {
	return `NOT EXISTS (SELECT 1 FROM outbox WHERE record_id = ` + record + `)`
}

// noDeliveryOfImage is the condition that no undelivered event about the record needs its image.
func noDeliveryOfImage(record string) string {
	return `NOT EXISTS (SELECT 1 FROM outbox WHERE record_id = ` + record + ` AND image = 1)`
}

// outboxBytes is the size of the outbox, images included.
const outboxBytes = `(SELECT IFNULL(SUM(bytes), 0) FROM outbox_totals)`

// selectDelivery selects what readDelivery reads.
var selectDelivery = `SELECT ` + recordColumns + `, o.seq, o.ready AND NOT o.held, o.image, j.id, s.id IS NOT NULL, ` + chainColumns + `
	FROM outbox o JOIN records r ON r.id = o.record_id LEFT JOIN results s ON s.id = o.record_id LEFT JOIN jobs j ON j.record_id = o.record_id` + chainOfRecord("o.record_id")

func readDelivery(rows *sql.Rows) (d edgelens.Delivery, ready bool, err error) {
	var job sql.NullString
	var image, result bool
	var link chainRow
	d.Record, err = readRecord(rows, append([]any{&d.Seq, &ready, &image, &job, &result}, link.columns()...)...)
	d.Chain = link.link()
	d.CreatedAt = d.Record.ReceivedAt
	if image {
		d.Image = job.String
	}
	return d, ready && result, err
}

// insert puts a record into the outbox of a sink, to be delivered once the record has its result.
func (s *Outbox) insert(c *change, r *edgelens.Record, route edgelens.Route, held, hasImage bool) error {
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
func (s *Outbox) makeReady(c *change, record, device string) error {
	touched, err := c.exec(`UPDATE outbox SET ready = 1 WHERE record_id = ?`, record)
	if touched > 0 {
		c.ready = append(c.ready, device)
	}
	return err
}

// release marks the held rows of a device for delivery.
func (s *Outbox) release(c *change, device string) error {
	touched, err := c.exec(`UPDATE outbox SET held = 0 WHERE device = ? AND held = 1`, device)
	if touched > 0 {
		c.ready = append(c.ready, device)
	}
	return err
}

// removedRow is a row that left the outbox.
type removedRow struct{ sink, record string }

// remove removes the rows for which the condition holds, and drops the images that they alone need.
func (s *Outbox) remove(c *change, condition string, args ...any) ([]removedRow, error) {
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
	s.db.freed.Add(int64(len(removed)))
	for _, row := range removed {
		if err := s.images.dropOfRecord(c, row.record); err != nil {
			return nil, err
		}
	}
	return removed, nil
}

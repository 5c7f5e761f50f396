package ledger

import (
	"context"
	"sync"
	"time"

	"edgelens"
)

// maxAttemptsKept bounds the entries whose attempts are remembered: those that were tried and are not delivered, which is
// one of each device and sink, and those that were set aside.
const maxAttemptsKept = 10_000

// attempts are the failed attempts to deliver rows of the outbox, since the start. It is safe for use by many goroutines.
type attempts struct {
	mu     sync.Mutex
	failed map[int64]attempt
}

// attempt is how often a row could not be delivered, the last time, and why.
type attempt struct {
	count  int
	at     time.Time
	reason string
}

func (a *attempts) add(seq int64, at time.Time, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed == nil {
		a.failed = map[int64]attempt{}
	}
	earlier, known := a.failed[seq]
	if !known && len(a.failed) >= maxAttemptsKept {
		for other := range a.failed { // any one
			delete(a.failed, other)
			break
		}
	}
	a.failed[seq] = attempt{earlier.count + 1, at, reason}
}

func (a *attempts) of(seq int64) attempt {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failed[seq]
}

func (a *attempts) forget(seqs ...int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, seq := range seqs {
		delete(a.failed, seq)
	}
}

// Failed notes that a row, by Delivery.Seq, could not be delivered, and why. It is kept in memory alone: a disk is not
// written to for each attempt.
func (s *Outbox) Failed(seq int64, reason string) { s.attempts.add(seq, s.db.now(), reason) }

// noteDelivered keeps that a row was delivered, for as long as there is a result.
func (s *Outbox) noteDelivered(c *change, seq int64, now time.Time) error {
	_, err := c.exec(`INSERT INTO deliveries (result_id, sink, attempts, delivered_at)
		SELECT record_id, sink, ?, ? FROM outbox WHERE seq = ? AND record_id IN (SELECT id FROM results)
		ON CONFLICT DO UPDATE SET attempts = excluded.attempts, delivered_at = excluded.delivered_at`,
		s.attempts.of(seq).count+1, now.UnixMicro(), seq)
	return err
}

// Deliveries returns how the event of a record is delivered, by sink; none for the id of no record.
func (s *Outbox) Deliveries(ctx context.Context, record string) ([]edgelens.DeliveryStatus, error) {
	all, err := s.deliveries(ctx, record)
	return all, s.db.explain("list the deliveries of "+record, err)
}

func (s *Outbox) deliveries(ctx context.Context, record string) ([]edgelens.DeliveryStatus, error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT sink, attempts, delivered_at, 0, 0, '' FROM deliveries WHERE result_id = ?1
			AND sink NOT IN (SELECT sink FROM outbox WHERE record_id = ?1)
		UNION ALL SELECT sink, seq, 0, held, aside_at IS NOT NULL, aside_reason FROM outbox WHERE record_id = ?1
		ORDER BY sink`, record)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []edgelens.DeliveryStatus
	for rows.Next() {
		d := edgelens.DeliveryStatus{State: edgelens.DeliveryWaiting}
		var attemptsOrSeq, delivered int64
		var held, aside bool
		if err := rows.Scan(&d.Sink, &attemptsOrSeq, &delivered, &held, &aside, &d.Reason); err != nil {
			return nil, err
		}
		if delivered > 0 {
			d.State, d.Attempts, d.DeliveredAt = edgelens.DeliveryDelivered, int(attemptsOrSeq), time.UnixMicro(delivered).UTC()
			all = append(all, d)
			continue
		}
		failed := s.attempts.of(attemptsOrSeq)
		d.Attempts, d.AttemptedAt = failed.count, failed.at
		switch {
		case aside:
			d.State = edgelens.DeliverySetAside
		case held:
			d.State = edgelens.DeliveryHeld
		}
		if d.Reason == "" {
			d.Reason = failed.reason
		}
		all = append(all, d)
	}
	return all, rows.Err()
}

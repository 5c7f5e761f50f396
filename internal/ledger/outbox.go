package ledger

import (
	"context"
	"errors"
	"strings"

	"edgelens"
)

// Outbox has the undelivered events of each sink: those in order, and those that were set aside. It is safe for use by
// many goroutines.
type Outbox struct {
	db     *database
	config Config
	images *Images
	feeds  *feeds
	// attempts are those that failed.
	attempts attempts
	// dropped counts the rows that were dropped undelivered.
	dropped shedCounts
}

// WatchOutbox returns a channel that holds a token whenever there is more to deliver, and a function that returns the
// devices concerned, since its last call. OutboxDevices returns those from before. The channel is closed by the ledger's
// Close; cancel ends the watch and may be called more than once.
func (s *Outbox) WatchOutbox() (wake <-chan struct{}, devices func() []string, cancel func()) {
	return s.feeds.watch()
}

// OutboxDevices returns the devices with undelivered rows for the sink, ready or not.
func (s *Outbox) OutboxDevices(ctx context.Context, sink string) ([]string, error) {
	devices, err := s.devices(ctx, sink)
	return devices, s.db.explain("list the devices in the outbox", err)
}

func (s *Outbox) devices(ctx context.Context, sink string) ([]string, error) {
	// One step in the index for each device, however many rows each has.
	rows, err := s.db.readers.QueryContext(ctx, `WITH RECURSIVE d (device) AS (
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
func (s *Outbox) Outbox(ctx context.Context, sink, device string, limit int) ([]edgelens.Delivery, error) {
	deliveries, err := s.next(ctx, sink, device, limit)
	return deliveries, s.db.explain("read the outbox", err)
}

func (s *Outbox) next(ctx context.Context, sink, device string, limit int) ([]edgelens.Delivery, error) {
	if strings.HasPrefix(device, insightQueue) {
		return s.nextInsights(ctx, sink, device, limit)
	}
	if strings.HasPrefix(device, stateQueue) {
		return s.nextStates(ctx, sink, device, limit)
	}
	rows, err := s.db.readers.QueryContext(ctx, selectDelivery+` WHERE o.sink = ? AND o.device = ? AND o.aside_at IS NULL ORDER BY o.seq LIMIT ?`, sink, device, limit)
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
		deliveries[i].Result, err = resultByID(ctx, s.db.readers, deliveries[i].Record.ID)
		if err != nil {
			return nil, err
		}
	}
	return deliveries, nil
}

// Delivered removes delivered rows from the outbox, by Delivery.Seq, and drops the images that no other row needs. That
// they were delivered is kept with their results.
func (s *Outbox) Delivered(ctx context.Context, seqs ...int64) error {
	err := s.db.write(ctx, func(c *change) error {
		for _, seq := range seqs {
			if err := s.noteDelivered(c, seq, s.db.now()); err != nil {
				return err
			}
			if _, err := s.remove(c, `seq = ?`, seq); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.attempts.forget(seqs...)
	}
	return s.db.explain("remove delivered rows from the outbox", err)
}

package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"edgelens"
)

// stateQueue precedes the name of a state in the outbox: changes of states have an order of their own, and a state may have
// the name of a terminal, whose ids have no slash.
const stateQueue = "states/"

// stateList is the name of the list of changes, in its cursors.
const stateList = "states"

// eventState is the type of the events about changes of states.
const eventState = "state"

// maxStateChanges is how many changes are kept.
const maxStateChanges = 50_000

// States has the states, as they were last, and the history of their changes. It is safe for use by many goroutines.
type States struct {
	db     *database
	events *Events
}

// storedAnswer is a StateAnswer on the disk.
type storedAnswer struct {
	Label       string  `json:"label"`
	Probability float64 `json:"probability"`
	At          int64   `json:"at"`
	Outcome     string  `json:"outcome"`
}

// stateData is the Data of a "state" event.
type stateData struct {
	ID         string  `json:"id"`
	Name       string  `json:"name"`
	Device     string  `json:"device"`
	State      string  `json:"state"`
	Former     *string `json:"former"`
	Confidence float64 `json:"confidence"`
	Model      string  `json:"model"`
	ImageAt    string  `json:"image_at"`
	At         string  `json:"at"`
}

// States returns the states, by name.
func (s *States) States(ctx context.Context) ([]edgelens.State, error) {
	all, err := s.list(ctx)
	return all, s.db.explain("read the states", err)
}

func (s *States) list(ctx context.Context) (all []edgelens.State, err error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT name, device, label, since, confidence, image_at, answers FROM states ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var one edgelens.State
		var since, imageAt sql.NullInt64
		var answers string
		if err := rows.Scan(&one.Name, &one.Device, &one.Label, &since, &one.Confidence, &imageAt, &answers); err != nil {
			return nil, err
		}
		var stored []storedAnswer
		if err := json.Unmarshal([]byte(answers), &stored); err != nil {
			return nil, err
		}
		for _, a := range stored {
			one.Answers = append(one.Answers, edgelens.StateAnswer{Label: a.Label, Probability: a.Probability, At: time.UnixMicro(a.At).UTC(), Outcome: edgelens.StateOutcome(a.Outcome)})
		}
		one.Since, one.ImageAt = timeOf(since), timeOf(imageAt)
		all = append(all, one)
	}
	return all, rows.Err()
}

// SaveStates stores states as they are.
func (s *States) SaveStates(ctx context.Context, states ...edgelens.State) error {
	return s.db.explain("store the states", s.db.write(ctx, func(c *change) error {
		for _, one := range states {
			if err := s.save(c, one); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (s *States) save(c *change, one edgelens.State) error {
	stored := make([]storedAnswer, 0, len(one.Answers))
	for _, a := range one.Answers {
		stored = append(stored, storedAnswer{a.Label, a.Probability, a.At.UnixMicro(), string(a.Outcome)})
	}
	answers, err := json.Marshal(stored)
	if err != nil {
		return err
	}
	_, err = c.exec(`INSERT INTO states (name, device, label, since, confidence, image_at, answers) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET device = excluded.device, label = excluded.label, since = excluded.since, confidence = excluded.confidence,
			image_at = excluded.image_at, answers = excluded.answers`,
		one.Name, one.Device, one.Label, timeOrNull(one.Since), one.Confidence, timeOrNull(one.ImageAt), string(answers))
	return err
}

// RecordChange makes a change durable, with its event, its entries in the outbox of the sinks, and the state as it then is:
// all or, with an error, nothing. A change with the id of an earlier one changes nothing.
func (s *States) RecordChange(ctx context.Context, of edgelens.StateChange, now edgelens.State, sinks []string) error {
	return s.db.explain("record a change of a state", s.db.write(ctx, func(c *change) error { return s.record(c, of, now, sinks) }))
}

func (s *States) record(c *change, of edgelens.StateChange, now edgelens.State, sinks []string) error {
	at := of.At.UTC()
	n, err := c.exec(`INSERT OR IGNORE INTO state_changes (id, name, device, label, former, confidence, model, digest, image_at, record_id, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		of.ID, of.Name, of.Device, of.Label, of.Former, of.Confidence, of.Model.Name, of.Model.Digest, of.ImageAt.UnixMicro(), of.Record, at.UnixMicro())
	if err != nil || n == 0 {
		return err
	}
	for _, sink := range sinks {
		_, err := c.exec(`INSERT INTO outbox (sink, device, record_id, access, image, ready, held, bytes, created_at) VALUES (?, ?, ?, 0, 0, 1, 0, ?, ?)`,
			sink, stateQueue+of.Name, of.ID, rowBytes, at.UnixMicro())
		if err != nil {
			return err
		}
		c.ready = append(c.ready, stateQueue+of.Name)
	}
	if err := s.save(c, now); err != nil {
		return err
	}
	data := stateData{
		ID: of.ID, Name: of.Name, Device: of.Device, State: of.Label, Confidence: of.Confidence, Model: of.Model.Name,
		ImageAt: of.ImageAt.UTC().Format(time.RFC3339Nano), At: at.Format(time.RFC3339Nano),
	}
	if of.Former != "" {
		data.Former = &of.Former
	}
	return s.events.insert(c, newEvent{kind: eventState, subject: of.ID, device: of.Device, at: at, data: data})
}

// selectChange selects what readChange reads.
const selectChange = `SELECT s.seq, s.id, s.name, s.device, s.label, s.former, s.confidence, s.model, s.digest, s.image_at, s.record_id, s.at`

func readChange(rows *sql.Rows, more ...any) (of edgelens.StateChange, seq int64, err error) {
	var imageAt, at int64
	err = rows.Scan(append([]any{&seq, &of.ID, &of.Name, &of.Device, &of.Label, &of.Former, &of.Confidence, &of.Model.Name, &of.Model.Digest, &imageAt, &of.Record, &at}, more...)...)
	of.ImageAt, of.At = time.UnixMicro(imageAt).UTC(), time.UnixMicro(at).UTC()
	return of, seq, err
}

// Changes lists the changes of a state, the newest first, and returns the cursor of the next page; empty where there is
// none. Its error is an edgelens.ErrInvalid for a bad filter.
func (s *States) Changes(ctx context.Context, filter edgelens.StateFilter) (page []edgelens.StateChange, next string, err error) {
	page, next, err = s.changes(ctx, filter)
	return page, next, s.db.explain("list the changes of a state", err)
}

func (s *States) changes(ctx context.Context, filter edgelens.StateFilter) (page []edgelens.StateChange, next string, err error) {
	before, err := parseCursor(stateList, filter.Cursor)
	if err != nil {
		return nil, "", err
	}
	limit, err := pageLimit(filter.Limit)
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.readers.QueryContext(ctx, selectChange+` FROM state_changes s WHERE s.name = ? AND s.seq < ? ORDER BY s.seq DESC LIMIT ?`, filter.Name, before, limit+1)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var last int64
	for rows.Next() {
		one, seq, err := readChange(rows)
		if err != nil {
			return nil, "", err
		}
		if len(page) == limit { // one more than requested: there is a next page
			return page, newCursor(stateList, last), nil
		}
		page, last = append(page, one), seq
	}
	return page, "", rows.Err()
}

// removeOld removes a batch of changes from before the given moment, or too many, and the states without an image since,
// and returns how many. Undelivered changes stay.
func (s *States) removeOld(ctx context.Context, before int64) (int, error) {
	n, err := s.db.delete(ctx, "state_changes", `SELECT seq FROM state_changes WHERE at < ? AND `+noDelivery("state_changes.id")+` ORDER BY at LIMIT ?`, before, sweepBatch)
	if err != nil || n > 0 {
		return n, err
	}
	n, err = s.db.delete(ctx, "state_changes", `SELECT seq FROM state_changes WHERE seq <= (SELECT max(seq) FROM state_changes) - ? AND `+noDelivery("state_changes.id")+` ORDER BY seq LIMIT ?`,
		maxStateChanges, sweepBatch)
	if err != nil || n > 0 {
		return n, err
	}
	var old bool
	if err := s.db.readers.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM states WHERE image_at < ?)`, before).Scan(&old); err != nil || !old {
		return 0, err
	}
	return s.db.execute(ctx, `DELETE FROM states WHERE name IN (SELECT name FROM states WHERE image_at < ? LIMIT ?)`, before, sweepBatch)
}

// nextStates is Outbox.next for the queue of a state's changes.
func (s *Outbox) nextStates(ctx context.Context, sink, queue string, limit int) (deliveries []edgelens.Delivery, err error) {
	rows, err := s.db.readers.QueryContext(ctx, selectChange+`, o.seq FROM outbox o JOIN state_changes s ON s.id = o.record_id
		WHERE o.sink = ? AND o.device = ? AND o.aside_at IS NULL ORDER BY o.seq LIMIT ?`, sink, queue, limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		d := edgelens.Delivery{Sink: sink}
		one, _, err := readChange(rows, &d.Seq)
		if err != nil {
			return nil, err
		}
		d.State, d.CreatedAt = &one, one.At
		d.Record.ID, d.Record.Device, d.Record.ReceivedAt = one.ID, one.Device, one.At
		deliveries = append(deliveries, d)
	}
	return deliveries, rows.Err()
}

package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"edgelens"
)

// insightQueue precedes the device of an insight in the outbox: insights have an order of their own, and sensors may
// have the names of terminals, whose ids have no slash.
const insightQueue = "insights/"

// insightList is the name of the list of insights, in its cursors.
const insightList = "insights"

// Insights is the history of insights. It is safe for use by many goroutines.
type Insights struct {
	db     *database
	events *Events
}

// eventInsight is the type of the events about insights.
const eventInsight = "insight"

// insightData is the Data of an "insight" event.
type insightData struct {
	ID         string   `json:"id"`
	Raised     string   `json:"raised,omitempty"`
	Kind       string   `json:"kind"`
	State      string   `json:"state"`
	Rule       string   `json:"rule"`
	Series     string   `json:"series"`
	Device     string   `json:"device"`
	Field      string   `json:"field"`
	Severity   string   `json:"severity"`
	Confidence float64  `json:"confidence"`
	Summary    string   `json:"summary"`
	Actions    []string `json:"actions"`
	At         string   `json:"at"`
	Value      float64  `json:"value"`
	Unit       string   `json:"unit,omitempty"`
}

// Record makes an insight durable, with its event, and its entries in the outbox of the sinks: all or, with an error,
// nothing. An insight with the id of an earlier one changes nothing.
func (s *Insights) Record(ctx context.Context, i edgelens.Insight, sinks []string) error {
	return s.db.explain("record an insight", s.db.write(ctx, func(c *change) error { return s.record(c, i, sinks) }))
}

func (s *Insights) record(c *change, i edgelens.Insight, sinks []string) error {
	actions, err := json.Marshal(append([]string{}, i.Actions...))
	if err != nil {
		return err
	}
	at := i.At.UTC()
	n, err := c.exec(`INSERT OR IGNORE INTO insights (id, raised, kind, state, rule, series, device, field, severity, confidence, summary, actions, at, value, unit, freshness, suppressed)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		i.ID, i.Raised, i.Kind, i.State, i.Rule, i.Series, i.Device, i.Field, i.Severity, i.Confidence, i.Summary, string(actions), at.UnixMicro(), i.Value, i.Unit, i.Freshness, i.Suppressed)
	if err != nil || n == 0 {
		return err
	}
	for _, sink := range sinks {
		_, err := c.exec(`INSERT INTO outbox (sink, device, record_id, access, image, ready, held, bytes, created_at) VALUES (?, ?, ?, 0, 0, 1, 0, ?, ?)`,
			sink, insightQueue+i.Device, i.ID, rowBytes, at.UnixMicro())
		if err != nil {
			return err
		}
		c.ready = append(c.ready, insightQueue+i.Device)
	}
	return s.events.insert(c, newEvent{kind: eventInsight, subject: i.ID, device: i.Device, at: at, data: insightData{
		ID: i.ID, Raised: i.Raised, Kind: string(i.Kind), State: string(i.State), Rule: i.Rule, Series: i.Series, Device: i.Device, Field: i.Field,
		Severity: string(i.Severity), Confidence: i.Confidence, Summary: i.Summary, Actions: append([]string{}, i.Actions...), At: at.Format(time.RFC3339Nano), Value: i.Value, Unit: i.Unit,
	}})
}

// selectInsight selects what readInsight reads.
const selectInsight = `SELECT i.seq, i.id, i.raised, i.kind, i.state, i.rule, i.series, i.device, i.field, i.severity, i.confidence, i.summary, i.actions, i.at, i.value, i.unit, i.freshness, i.suppressed`

func readInsight(rows *sql.Rows, more ...any) (i edgelens.Insight, seq int64, err error) {
	var actions string
	var at int64
	err = rows.Scan(append([]any{&seq, &i.ID, &i.Raised, &i.Kind, &i.State, &i.Rule, &i.Series, &i.Device, &i.Field, &i.Severity, &i.Confidence, &i.Summary, &actions, &at,
		&i.Value, &i.Unit, &i.Freshness, &i.Suppressed}, more...)...)
	if err != nil {
		return i, 0, err
	}
	i.At = time.UnixMicro(at).UTC()
	return i, seq, json.Unmarshal([]byte(actions), &i.Actions)
}

// Insights lists the insights, the newest first, and returns the cursor of the next page; empty where there is none. Its
// error is an edgelens.ErrInvalid for a bad filter.
func (s *Insights) Insights(ctx context.Context, filter edgelens.InsightFilter) (page []edgelens.Insight, next string, err error) {
	page, next, err = s.list(ctx, filter)
	return page, next, s.db.explain("list insights", err)
}

func (s *Insights) list(ctx context.Context, filter edgelens.InsightFilter) (page []edgelens.Insight, next string, err error) {
	before, err := parseCursor(insightList, filter.Cursor)
	if err != nil {
		return nil, "", err
	}
	limit, err := pageLimit(filter.Limit)
	if err != nil {
		return nil, "", err
	}
	query, args := ` FROM insights i WHERE i.seq < ?`, []any{before}
	if len(filter.Devices) > 0 {
		query += ` AND i.device IN (?` + strings.Repeat(`, ?`, len(filter.Devices)-1) + `)`
		for _, device := range filter.Devices {
			args = append(args, device)
		}
	}
	if !filter.Since.IsZero() {
		query, args = query+` AND i.at >= ?`, append(args, filter.Since.UnixMicro())
	}
	rows, err := s.db.readers.QueryContext(ctx, selectInsight+query+` ORDER BY i.seq DESC LIMIT ?`, append(args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	var last int64
	for rows.Next() {
		insight, seq, err := readInsight(rows)
		if err != nil {
			return nil, "", err
		}
		if len(page) == limit { // one more than requested: there is a next page
			next = newCursor(insightList, last)
			break
		}
		page, last = append(page, insight), seq
	}
	return page, next, rows.Err()
}

// removeOld removes a batch of insights from before the given moment, or too many, and returns how many. Undelivered
// ones stay.
func (s *Insights) removeOld(ctx context.Context, before int64) (int, error) {
	removed, err := s.db.delete(ctx, "insights", `SELECT seq FROM insights WHERE at < ? AND `+noDelivery("insights.id")+` ORDER BY at LIMIT ?`, before, sweepBatch)
	if err != nil || removed > 0 {
		return removed, err
	}
	return s.db.delete(ctx, "insights", `SELECT seq FROM insights WHERE seq <= (SELECT max(seq) FROM insights) - ? AND `+noDelivery("insights.id")+` ORDER BY seq LIMIT ?`,
		maxInsights, sweepBatch)
}

// nextInsights is Outbox.next for the queue of a device's insights.
func (s *Outbox) nextInsights(ctx context.Context, sink, queue string, limit int) (deliveries []edgelens.Delivery, err error) {
	rows, err := s.db.readers.QueryContext(ctx, selectInsight+`, o.seq FROM outbox o JOIN insights i ON i.id = o.record_id
		WHERE o.sink = ? AND o.device = ? AND o.aside_at IS NULL ORDER BY o.seq LIMIT ?`, sink, queue, limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		d := edgelens.Delivery{Sink: sink}
		insight, _, err := readInsight(rows, &d.Seq)
		if err != nil {
			return nil, err
		}
		d.Insight, d.CreatedAt = &insight, insight.At
		d.Record.ID, d.Record.Device, d.Record.ReceivedAt = insight.ID, insight.Device, insight.At
		deliveries = append(deliveries, d)
	}
	return deliveries, rows.Err()
}

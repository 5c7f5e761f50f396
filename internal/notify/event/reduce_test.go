package event_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"edgelens/internal/notify/event"
)

func large(record string, predictions int) event.CloudEvent {
	e := event.CloudEvent{ID: "e", Data: event.Data{Record: json.RawMessage(record), Predictions: []event.Prediction{}}}
	for n := range predictions {
		e.Data.Predictions = append(e.Data.Predictions, event.Prediction{ClassID: n, Label: strings.Repeat("l", 50)})
	}
	return e
}

func jsonOf(t testing.TB, e event.CloudEvent) string {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReduce(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, test := range map[string]struct {
		event   event.CloudEvent
		limit   int
		record  string
		omitted []string // Data.Reduced
		count   int      // predictions
	}{
		"fits":                       {large(`{"a":1}`, 3), 5000, `{"a":1}`, nil, 3},
		"one long member":            {large(`{"a":1,"note":"`+long(3000)+`","z":[2]}`, 3), 2000, `{"a":1,"z":[2]}`, []string{"record.note"}, 3},
		"the largest alone":          {large(`{"b":"`+long(300)+`","note":"`+long(3000)+`"}`, 3), 2000, `{"b":"` + long(300) + `"}`, []string{"record.note"}, 3},
		"all that are large":         {large(`{"b":"`+long(1000)+`","note":"`+long(3000)+`","s":1}`, 1), 1000, `{"s":1}`, []string{"record.note", "record.b"}, 1},
		"limit not known":            {large(`{"b":"`+long(300)+`","note":"`+long(200)+`","s":1}`, 3), 0, `{"s":1}`, []string{"record.b", "record.note"}, 3},
		"limit not known, all small": {large(`{"b":"`+long(100)+`"}`, 3), 0, `{"b":"` + long(100) + `"}`, nil, 3},
		"predictions too":            {large(`{"s":1}`, 20), 900, `{"s":1}`, []string{"predictions"}, 1},
		"many small members":         {large("{"+strings.TrimSuffix(strings.Repeat(`"m":"`+long(90)+`",`, 50), ",")+"}", 1), 900, `null`, []string{"record"}, 1},
		"escapes":                    {large(`{"a":"`+strings.Repeat("<", 120)+`"}`, 1), 900, `null`, []string{"record"}, 1},
		"no room at all":             {large(`{"note":"`+long(3000)+`"}`, 3), 10, `{}`, []string{"record.note", "predictions"}, 1},
		"not an object":              {large(`["`+long(3000)+`"]`, 3), 1000, `null`, []string{"predictions", "record"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got := event.Reduce(test.event, test.limit)
			if string(got.Data.Record) != test.record || !slices.Equal(got.Data.Reduced, test.omitted) || len(got.Data.Predictions) != test.count {
				t.Errorf("record %.80s, left out %q, %d predictions", got.Data.Record, got.Data.Reduced, len(got.Data.Predictions))
			}
			if size := len(jsonOf(t, got)); test.limit > 100 && size > test.limit {
				t.Errorf("%d bytes, want at most %d", size, test.limit)
			}
		})
	}
}

// Omitted parts are named, and the names do not make an event large.
func TestReduceNamesAreBounded(t *testing.T) {
	var record strings.Builder
	for n := range 200 {
		fmt.Fprintf(&record, `,"%s%d":1`, strings.Repeat("ü", 200), n)
	}
	got := event.Reduce(large("{"+record.String()[1:]+"}", 1), 4000)
	if text := jsonOf(t, got); len(text) > 4000 || !utf8.ValidString(text) || len(got.Data.Reduced) != 16 {
		t.Errorf("%d bytes, %d names", len(text), len(got.Data.Reduced))
	}
}

func TestReduceOfManyMembersIsFast(t *testing.T) {
	var record strings.Builder
	for n := range 20_000 {
		fmt.Fprintf(&record, `,"m%d":"%s"`, n, strings.Repeat("x", 150))
	}
	began := time.Now()
	event.Reduce(large("{"+record.String()[1:]+"}", 1), 1000)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("3 MB took %v", took)
	}
}

func FuzzReduce(f *testing.F) {
	f.Add(`{"a":1,"b":{"c":"x"}}`, 100)
	f.Add(`{"`+strings.Repeat("a", 300)+`":1}`, 0)
	f.Add(`[1,2]`, 50)
	f.Add(`null`, 0)
	f.Add(`{"a":"`+strings.Repeat("<&>", 200)+`"}`, 1000)
	f.Fuzz(func(t *testing.T, record string, limit int) {
		if !json.Valid([]byte(record)) || limit < 0 {
			return
		}
		whole := large(record, 4)
		got := event.Reduce(whole, limit)
		text := jsonOf(t, got)
		if !json.Valid(got.Data.Record) {
			t.Errorf("record %s", got.Data.Record)
		}
		if changed := text != jsonOf(t, whole); changed != (len(got.Data.Reduced) > 0) {
			t.Errorf("changed %v, Reduced %q", changed, got.Data.Reduced)
		}
	})
}

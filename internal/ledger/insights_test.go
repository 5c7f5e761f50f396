//go:build cgo

package ledger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"edgelens"
)

func insightOf(n int, device string) edgelens.Insight {
	return edgelens.Insight{
		ID: fmt.Sprintf("0197a000-0000-7000-8000-%012d", n), Kind: edgelens.InsightThreshold, State: edgelens.InsightRaised, Rule: "warm",
		Series: seriesOf(device).ID, Device: device, Field: "temperature", Severity: edgelens.InsightCritical, Confidence: 0.5,
		Summary: "It is <b>warm</b>.", Actions: []string{"Open the window."}, At: noon.Add(time.Duration(n) * time.Second), Value: 31, Unit: "°C", Freshness: edgelens.FreshnessFresh,
	}
}

// An insight is in the history, in the events and in the outbox of each sink, once, until it is delivered.
func TestInsightIsRecordedWithEventAndDeliveries(t *testing.T) {
	l := open(t, t.TempDir(), quiet(), steady(atNoon))
	want := insightOf(1, "<b>hall</b>")
	wake, devices, cancel := l.Outbox.WatchOutbox()
	defer cancel()
	for range 2 { // the second changes nothing
		must(t, l.Insights.Record(t.Context(), want, []string{"mqtt", "webhook"}))
	}
	<-wake
	queues := devices()
	page, next, err := l.Insights.Insights(t.Context(), edgelens.InsightFilter{})
	must(t, err)
	if len(page) != 1 || next != "" || !reflect.DeepEqual(page[0], want) {
		t.Errorf("%+v, want %+v", page, want)
	}
	events, err := l.Events.Events(t.Context(), 0, 10)
	must(t, err)
	var data map[string]any
	must(t, json.Unmarshal(events[0].Data, &data))
	if len(events) != 1 || events[0].Type != "insight" || events[0].Device != want.Device || data["summary"] != want.Summary {
		t.Errorf("%+v: %v", events, data)
	}
	if len(queues) != 1 {
		t.Fatalf("queues %q", queues)
	}
	for _, sink := range []string{"mqtt", "webhook"} {
		deliveries, err := l.Outbox.Outbox(t.Context(), sink, queues[0], 10)
		must(t, err)
		if len(deliveries) != 1 || deliveries[0].Insight == nil || !reflect.DeepEqual(*deliveries[0].Insight, want) || deliveries[0].Record.ID != want.ID || deliveries[0].Sink != sink {
			t.Fatalf("%s: %+v", sink, deliveries)
		}
		must(t, l.Outbox.Delivered(t.Context(), deliveries[0].Seq))
		deliveries, err = l.Outbox.Outbox(t.Context(), sink, queues[0], 10)
		must(t, err)
		equal(t, "left", len(deliveries), 0)
	}
}

// One that a sink never accepts is listed with those of terminals.
func TestInsightIsSetAside(t *testing.T) {
	l := open(t, t.TempDir(), quiet(), steady(atNoon))
	must(t, l.Insights.Record(t.Context(), insightOf(1, "hall"), []string{"webhook"}))
	deliveries, err := l.Outbox.Outbox(t.Context(), "webhook", "insights/hall", 10)
	must(t, err)
	must(t, l.Outbox.SetAside(t.Context(), deliveries[0].Seq, "It refuses."))
	aside, _, err := l.Outbox.ListSetAside(t.Context(), edgelens.SetAsideFilter{Device: "hall"})
	must(t, err)
	if len(aside) != 1 || aside[0].Device != "hall" || aside[0].Kind != "insight" || aside[0].Event != insightOf(1, "").ID || !aside[0].ReceivedAt.Equal(insightOf(1, "").At) {
		t.Errorf("%+v", aside)
	}
}

// Insights are listed newest first, by page, time and device, and removed with the minutes, but not before their delivery.
func TestInsightsAreListedAndSwept(t *testing.T) {
	now := noon
	config := quiet()
	config.OutboxMaxAge = 60 * 24 * time.Hour
	l := open(t, t.TempDir(), config, steady(func() time.Time { return now }))
	for n := range 5 {
		must(t, l.Insights.Record(t.Context(), insightOf(n, fmt.Sprint("d", n%2)), nil))
	}
	must(t, l.Insights.Record(t.Context(), insightOf(5, "d1"), []string{"mqtt"}))
	var seen []string
	filter := edgelens.InsightFilter{Limit: 2, Devices: []string{"d1"}}
	for {
		page, next, err := l.Insights.Insights(t.Context(), filter)
		must(t, err)
		for _, i := range page {
			seen = append(seen, i.ID[len(i.ID)-1:])
		}
		if filter.Cursor = next; next == "" {
			break
		}
	}
	equal(t, "of d1", fmt.Sprint(seen), "[5 3 1]")
	page, _, err := l.Insights.Insights(t.Context(), edgelens.InsightFilter{Since: noon.Add(4 * time.Second)})
	must(t, err)
	equal(t, "since", len(page), 2)
	if _, _, err := l.Insights.Insights(t.Context(), edgelens.InsightFilter{Cursor: "x"}); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("a bad cursor: %v", err)
	}
	now = noon.Add(29 * 24 * time.Hour)
	_, err = l.Sweep(t.Context(), now)
	must(t, err)
	page, _, err = l.Insights.Insights(t.Context(), edgelens.InsightFilter{})
	must(t, err)
	equal(t, "after 29 days", len(page), 6)
	now = noon.Add(29*24*time.Hour + 25*time.Hour)
	_, err = l.Sweep(t.Context(), now)
	must(t, err)
	page, _, err = l.Insights.Insights(t.Context(), edgelens.InsightFilter{})
	must(t, err)
	equal(t, "after 30 days, that which is not delivered", len(page), 1)
}

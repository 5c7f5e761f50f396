package event_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/notify/event"
)

func TestInsightGolden(t *testing.T) {
	at := time.Date(2026, 4, 10, 8, 0, 9, 0, time.UTC)
	got, err := json.MarshalIndent(event.ComposeInsight(&edgelens.Insight{
		ID: "0197a000-0000-7000-8000-00000000000b", Kind: edgelens.InsightThreshold, State: edgelens.InsightRaised, Rule: "freezer-warm",
		Series: edgelens.SeriesID("freezer", "temperature"), Device: "freezer", Field: "temperature", Severity: edgelens.InsightCritical, Confidence: 1,
		Summary: "The temperature of freezer is -9 °C.", Actions: []string{"Close the door."}, At: at, Value: -9, Unit: "°C", Freshness: edgelens.FreshnessFresh, Suppressed: 2,
	}, at.Add(3*time.Second)), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "insight.golden.json")
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got)+"\n" != string(want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

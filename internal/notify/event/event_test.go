package event_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/notify/event"
)

var update = flag.Bool("update", false, "write the golden files")

func TestGolden(t *testing.T) {
	received := time.Date(2026, 4, 10, 8, 0, 9, 0, time.UTC)
	base := func() *edgelens.Delivery {
		return &edgelens.Delivery{
			Record: edgelens.Record{
				ID: "25973261-ac3f-8c66-98a2-9bac2a5037ff", Dialect: "fungxi", Device: "door", Kind: edgelens.RecordVerified, Passed: true,
				Verdict: json.RawMessage(`{"num":7}`), CapturedAt: received.Add(-2 * time.Second), ReceivedAt: received, Freshness: edgelens.FreshnessFresh, ImageSHA256: "00ff", ImageBytes: 14,
			},
			Result: edgelens.StoredResult{ID: "25973261-ac3f-8c66-98a2-9bac2a5037ff", Outcome: edgelens.OutcomeRecognized, Result: &edgelens.Result{
				Model: edgelens.ModelRef{Name: "m", Digest: "sha256:0"}, Predictions: []edgelens.Prediction{{ClassID: 3, Label: "cat", Probability: 0.5}},
				Image: edgelens.ImageInfo{Width: 4, Height: 3, Format: "jpeg"}, View: edgelens.ShownView{View: edgelens.View{Fit: edgelens.FitCenter}, Count: 1}, Cached: true,
			}},
		}
	}
	for name, change := range map[string]func(d *edgelens.Delivery){
		"recognized": func(*edgelens.Delivery) {},
		"no_image": func(d *edgelens.Delivery) {
			d.Record.ImageSHA256, d.Record.ImageBytes = "", 0
			d.Result = edgelens.StoredResult{ID: d.Record.ID, Outcome: edgelens.OutcomeNoImage, Reason: "The terminal sent no image."}
		},
		"error": func(d *edgelens.Delivery) {
			d.Result = edgelens.StoredResult{ID: d.Record.ID, Outcome: edgelens.OutcomeError, Reason: "It is cut off.", Error: &edgelens.JobError{Code: "bad_image", Detail: "It is cut off."}}
		},
		"snapshot": func(d *edgelens.Delivery) {
			d.Record.Kind, d.Record.Passed, d.Record.Verdict, d.Record.CapturedAt = edgelens.RecordSnapshot, false, nil, time.Time{}
		},
		"unusable": func(d *edgelens.Delivery) {
			d.Result.Result.Quality = &edgelens.Quality{Verdict: edgelens.QualityBlurred, Score: 0.93}
			d.Result.Outcome, d.Result.Reason = edgelens.OutcomeUncertain, d.Result.Result.Quality.Problem()
		},
		"region": func(d *edgelens.Delivery) {
			d.Result.Result.View = edgelens.ShownView{View: edgelens.View{Fit: edgelens.FitSweep, Region: edgelens.Region{X: 0.25, Width: 0.5, Height: 1}}, Count: 3}
		},
		"without_view": func(d *edgelens.Delivery) { d.Result.Result.View = edgelens.ShownView{} }, // of an earlier version
		"replayed_late": func(d *edgelens.Delivery) {
			d.Record.CapturedAt = received.Add(-2 * time.Hour)
			d.Record.Freshness, d.Record.FreshnessReason = edgelens.FreshnessReplayed, "The record was 2h0m0s old on arrival."
		},
		"replayed_retained": func(d *edgelens.Delivery) {
			d.Record.Retained = true
			d.Record.Freshness, d.Record.FreshnessReason = edgelens.FreshnessReplayed, "The MQTT broker had retained the message."
		},
		"clock_ahead": func(d *edgelens.Delivery) {
			d.Record.CapturedAt = received.Add(time.Hour)
			d.Record.Freshness, d.Record.FreshnessReason = edgelens.FreshnessUnknown, "The record's time is 1h0m0s ahead of ours."
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := base()
			change(d)
			composer := event.Composer{Fresh: time.Minute, Link: func(id string) string { return "/api/results/" + id + "/image" }}
			got, err := json.MarshalIndent(composer.Compose(d, received.Add(3*time.Second)), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".golden.json")
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
		})
	}
}

// An event that is delivered late, because the sink was down, is not fresh any more;
// one that was not fresh on arrival never is.
func TestFreshness(t *testing.T) {
	received := time.Date(2026, 4, 10, 8, 0, 12, 0, time.UTC)
	composer := event.Composer{Fresh: time.Minute}
	const fresh, replayed, unknown = edgelens.FreshnessFresh, edgelens.FreshnessReplayed, edgelens.FreshnessUnknown
	for name, test := range map[string]struct {
		captured  time.Time
		onArrival edgelens.Freshness
		retained  bool
		delivered time.Duration // after it was received
		want      edgelens.Freshness
	}{
		"at once":                            {received, fresh, false, time.Second, fresh},
		"at once, without a time":            {time.Time{}, fresh, false, time.Second, fresh},
		"after a minute":                     {received, fresh, false, 59 * time.Second, fresh},
		"later":                              {received, fresh, false, 61 * time.Second, replayed},
		"captured before, delivered later":   {received.Add(-50 * time.Second), fresh, false, 20 * time.Second, replayed},
		"later, without a time":              {time.Time{}, fresh, false, 61 * time.Second, replayed},
		"later, by a clock that is ahead":    {received.Add(50 * time.Second), fresh, false, 61 * time.Second, replayed},
		"old on arrival":                     {received.Add(-time.Hour), replayed, false, time.Second, replayed},
		"unknown":                            {time.Time{}, unknown, false, time.Second, unknown},
		"unknown, an old time":               {received.Add(-time.Hour), unknown, false, time.Second, unknown},
		"unknown, delivered later":           {time.Time{}, unknown, false, 61 * time.Second, replayed},
		"retained":                           {received, replayed, true, time.Second, replayed},
		"retained, by an earlier version":    {received, "", true, time.Second, replayed},
		"by an earlier version":              {received, "", false, time.Second, unknown},
		"our clock was set back by an hour":  {received, fresh, false, -time.Hour, unknown},
		"our clock was set back by a second": {received, fresh, false, -time.Second, fresh},
	} {
		d := &edgelens.Delivery{Record: edgelens.Record{
			Device: "door", CapturedAt: test.captured, ReceivedAt: received, Retained: test.retained, Freshness: test.onArrival, FreshnessReason: "x",
		}}
		got := composer.Compose(d, received.Add(test.delivered)).Data
		if got.Freshness != string(test.want) || got.Replayed != (test.want != fresh) || (got.FreshnessReason == "") != (test.want == fresh) {
			t.Errorf("%s: %s, replayed %v, %q", name, got.Freshness, got.Replayed, got.FreshnessReason)
		}
	}
}

//go:build cgo

package ledger_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
)

// withSensors has a hall with two minutes, four points and two insights, and an attic with a point and an insight.
func withSensors(t *testing.T, dir string, now func() time.Time) *ledger.Ledger {
	t.Helper()
	l := open(t, dir, quiet(), steady(now))
	must(t, l.Sensors.SavePoints(t.Context(), pointsOf("hall", noon.Add(-time.Minute), 1, 5, 3), []edgelens.StoredSeries{seriesOf("hall"), seriesOf("attic")}))
	must(t, l.Sensors.SavePoints(t.Context(), pointsOf("hall", noon.Add(time.Minute), 7), nil))
	must(t, l.Sensors.SavePoints(t.Context(), pointsOf("attic", noon, 2), nil))
	for n, device := range []string{"hall", "attic", "hall"} {
		must(t, l.Insights.Record(t.Context(), insightOf(n, device), []string{"mqtt", "webhook"}))
	}
	return l
}

// An erasure leaves nothing of a series, in no table, and everything of the others; it is as counted before.
func TestEraseSeries(t *testing.T) {
	hall := edgelens.ErasedSeries{Series: 1, Points: 4, Minutes: 2, Insights: 2, Undelivered: 4, Complete: true}
	for name, test := range map[string]struct {
		filter      edgelens.SeriesErasure
		want        edgelens.ErasedSeries
		hall, attic int // points that are left
	}{
		"by device":      {edgelens.SeriesErasure{Device: "hall"}, hall, 0, 1},
		"by id":          {edgelens.SeriesErasure{Series: seriesOf("hall").ID}, hall, 0, 1},
		"another device": {edgelens.SeriesErasure{Device: "attic"}, edgelens.ErasedSeries{Series: 1, Points: 1, Minutes: 1, Insights: 1, Undelivered: 2, Complete: true}, 4, 0},
		"unknown":        {edgelens.SeriesErasure{Device: "cellar"}, edgelens.ErasedSeries{Complete: true}, 4, 1},
		"both":           {edgelens.SeriesErasure{Device: "attic", Series: seriesOf("hall").ID}, edgelens.ErasedSeries{Complete: true}, 4, 1},
	} {
		t.Run(name, func(t *testing.T) {
			l := withSensors(t, t.TempDir(), atNoon)
			counted, err := l.Erasure.CountSeries(t.Context(), test.filter)
			must(t, err)
			erased, err := l.Erasure.EraseSeries(t.Context(), test.filter, noon.Add(time.Second))
			must(t, err)
			equal(t, "counted", counted, test.want)
			equal(t, "erased", erased, test.want)
			left := 0
			for device, want := range map[string]int{"hall": test.hall, "attic": test.attic} {
				history, err := l.Sensors.Points(t.Context(), edgelens.PointQuery{Series: seriesOf(device).ID, Since: noon.Add(-time.Hour), Until: noon.Add(time.Hour)})
				if len(history.Points) != want || (want == 0) != errors.Is(err, edgelens.ErrNotFound) {
					t.Errorf("%s has %d points, %v, want %d", device, len(history.Points), err, want)
				}
				_, err = l.Sensors.OneSeries(t.Context(), seriesOf(device).ID)
				if (err == nil) != (want > 0) {
					t.Errorf("%s: %v", device, err)
				}
				if want > 0 {
					left += map[string]int{"hall": 2, "attic": 1}[device]
				}
			}
			page, _, err := l.Insights.Insights(t.Context(), edgelens.InsightFilter{})
			must(t, err)
			equal(t, "insights", len(page), left)
			equal(t, "events", len(allEvents(t, l)), left)
			again, err := l.Erasure.EraseSeries(t.Context(), test.filter, noon.Add(time.Second))
			must(t, err)
			equal(t, "again", again, edgelens.ErasedSeries{Complete: true})
		})
	}
}

func TestEraseSeriesNeedsFilter(t *testing.T) {
	l := withSensors(t, t.TempDir(), atNoon)
	if _, err := l.Erasure.EraseSeries(t.Context(), edgelens.SeriesErasure{}, noon); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("%v", err)
	}
	if _, err := l.Erasure.CountSeries(t.Context(), edgelens.SeriesErasure{}); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("%v", err)
	}
}

// A sensor that begins anew during an erasure goes on, without its former last value.
func TestSeriesThatBeginsAnewKeepsItsDescription(t *testing.T) {
	now := noon
	l := withSensors(t, t.TempDir(), func() time.Time { return now })
	begun := now.Add(time.Second)
	now = now.Add(2 * time.Second)
	must(t, l.Sensors.SavePoints(t.Context(), nil, []edgelens.StoredSeries{seriesOf("hall")}))
	_, err := l.Erasure.EraseSeries(t.Context(), edgelens.SeriesErasure{Device: "hall"}, begun)
	must(t, err)
	one, err := l.Sensors.OneSeries(t.Context(), seriesOf("hall").ID)
	must(t, err)
	if !one.LastAt.IsZero() || one.Last != 0 || one.Unit == "" {
		t.Errorf("%+v", one)
	}
	must(t, l.Sensors.SavePoints(t.Context(), pointsOf("hall", now, 9), nil)) // without a description
	equal(t, "points", len(historyOf(t, l, "hall", noon.Add(-time.Hour), noon.Add(time.Hour), 0).Points), 1)
}

// More than fits into one transaction goes, too, and the names and values are gone from the file.
func TestEraseManyPoints(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet(), steady(atNoon))
	const name = "the-room-of-somebody"
	must(t, l.Sensors.SavePoints(t.Context(), pointsOf(name, noon.Add(-3*time.Hour), make([]float64, 7000)...), []edgelens.StoredSeries{seriesOf(name)}))
	erased, err := l.Erasure.EraseSeries(t.Context(), edgelens.SeriesErasure{Device: name}, noon.Add(time.Second))
	must(t, err)
	if erased.Points != 7000 || !erased.Complete {
		t.Errorf("%+v", erased)
	}
	// The totals, by which space is kept, are right again.
	counted, err := l.Erasure.CountSeries(t.Context(), edgelens.SeriesErasure{Device: name})
	must(t, err)
	equal(t, "left", counted, edgelens.ErasedSeries{Complete: true})
	closeLedger(t, l)
	text, err := os.ReadFile(filepath.Join(dir, "ledger.db"))
	must(t, err)
	if strings.Contains(string(text), name) {
		t.Error("the name is still in the file")
	}
}

//go:build cgo

package ledger_test

import (
	"testing"
	"time"

	"edgelens"
)

// The newest points of the series that had some lately, without replayed ones.
func TestPastOfSeries(t *testing.T) {
	l := open(t, t.TempDir(), quiet(), steady(atNoon))
	points := pointsOf("hall", noon.Add(-time.Minute), 1, 2, 3, 4)
	points[1].Freshness, points[3].Freshness = edgelens.FreshnessUnknown, edgelens.FreshnessReplayed
	must(t, l.Sensors.SavePoints(t.Context(), points, []edgelens.StoredSeries{seriesOf("hall")}))
	must(t, l.Sensors.SavePoints(t.Context(), pointsOf("attic", noon.Add(-3*time.Hour), 7, 8), []edgelens.StoredSeries{seriesOf("attic")}))

	past, err := l.Sensors.Past(t.Context(), noon.Add(-time.Hour), 10, 2)
	must(t, err)
	if len(past) != 1 || past[0].Device != "hall" || past[0].Unit != "°C" || len(past[0].Points) != 2 {
		t.Fatalf("%+v", past)
	}
	if p := past[0].Points; p[0].Value != 2 || p[0].Freshness != edgelens.FreshnessUnknown || p[1].Value != 3 || p[1].Freshness != edgelens.FreshnessFresh || !p[1].At.Equal(points[2].At) {
		t.Errorf("%+v", p)
	}
	past, err = l.Sensors.Past(t.Context(), noon.Add(-24*time.Hour), 10, 10)
	must(t, err)
	if len(past) != 2 || past[1].Device != "attic" || len(past[1].Points) != 2 {
		t.Errorf("%+v", past)
	}
	past, err = l.Sensors.Past(t.Context(), noon.Add(-24*time.Hour), 1, 10)
	must(t, err)
	equal(t, "with a limit", len(past), 1)
}

// The newest insight of each rule and series, where it was raised and not cleared, and is no moment.
func TestRaisedInsights(t *testing.T) {
	l := open(t, t.TempDir(), quiet(), steady(atNoon))
	holds, over, moment, again := insightOf(1, "hall"), insightOf(2, "attic"), insightOf(3, "cellar"), insightOf(5, "hall")
	moment.Kind, again.Rule = edgelens.InsightAnomaly, "other"
	cleared := insightOf(4, "attic")
	cleared.State, cleared.Raised = edgelens.InsightCleared, over.ID
	for _, one := range []edgelens.Insight{holds, over, moment, cleared, again} {
		must(t, l.Insights.Record(t.Context(), one, nil))
	}
	raised, err := l.Insights.Raised(t.Context())
	must(t, err)
	if len(raised) != 2 || raised[0].ID != holds.ID || raised[1].ID != again.ID || raised[0].Summary != holds.Summary {
		t.Errorf("%+v", raised)
	}
}

//go:build cgo

package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
)

// Every filter gives the results that match it, the newest first, however few rows a page may look at.
func TestPagesOfEveryFilter(t *testing.T) {
	for _, looks := range []int{3, 20, 20_000} {
		t.Run(fmt.Sprint(looks), func(t *testing.T) {
			ledger.SetMaxLooks(t, looks)
			l := open(t, t.TempDir(), quiet())
			random := rand.New(rand.NewPCG(5, 6))
			start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			var stored []edgelens.StoredResult // the newest last
			for n := range 120 {
				at := start.Add(time.Duration(n) * time.Second)
				if n%10 == 0 { // the clock was behind
					at = at.Add(-time.Minute)
				}
				item, err := l.Results.Record(t.Context(), edgelens.StoredResult{
					Source: []string{"http", "mqtt"}[random.IntN(2)], Device: []string{"", "door", "gate"}[random.IntN(3)], Owner: []string{"", "app", "other"}[random.IntN(3)],
					CreatedAt: at, Result: resultOf([]string{"cat", "dog"}[random.IntN(2)], 0.5),
				})
				must(t, err)
				stored = append(stored, item)
			}
			for _, f := range []edgelens.ResultFilter{
				{}, {Device: "door"}, {Label: "cat"}, {Outcome: edgelens.OutcomeRecognized}, {Outcome: edgelens.OutcomeError}, {Source: "mqtt"},
				{Device: "door", Outcome: edgelens.OutcomeRecognized}, {Device: "door", Outcome: edgelens.OutcomeError}, {Device: "gate", Label: "dog", Source: "http"},
				{Since: start.Add(100 * time.Second)}, {Until: start.Add(5 * time.Second)}, {Since: start.Add(10 * time.Second), Until: start.Add(90 * time.Second)},
				{Since: start.Add(time.Hour)}, {Until: start.Add(-time.Hour)}, {Device: "door", Since: start.Add(30 * time.Second)}, {Label: "cat", Until: start.Add(30 * time.Second)},
				{Visible: &edgelens.Visibility{}}, {Visible: &edgelens.Visibility{Owner: "app"}}, {Visible: &edgelens.Visibility{Owner: "app", Devices: []string{"door", "gate"}}},
				{Visible: &edgelens.Visibility{Owner: "app", Devices: []string{"door"}}, Device: "gate"}, {Visible: &edgelens.Visibility{Owner: "app"}, Label: "dog", Since: start.Add(20 * time.Second)},
				{Visible: &edgelens.Visibility{Owner: "app", Devices: manyDevices()}, Label: "dog"},
			} {
				var want []string
				for _, r := range slices.Backward(stored) {
					if matches(r, f) {
						want = append(want, r.ID)
					}
				}
				if !f.Since.IsZero() || !f.Until.IsZero() {
					want = nil
					byTime := slices.Clone(stored)
					slices.SortStableFunc(byTime, func(a, b edgelens.StoredResult) int { return a.CreatedAt.Compare(b.CreatedAt) })
					for _, r := range slices.Backward(byTime) {
						if matches(r, f) {
							want = append(want, r.ID)
						}
					}
				}
				var got []string
				for pages := 0; ; pages++ {
					f.Limit = 7
					page, next, err := l.Results.Results(t.Context(), f)
					must(t, err)
					if len(page) > f.Limit || pages > 1000 {
						t.Fatalf("filter %+v: page %d has %d results", f, pages, len(page))
					}
					for _, r := range page {
						got = append(got, r.ID)
					}
					if f.Cursor = next; next == "" {
						break
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("filter %+v: %d results in another order than the %d wanted", f, len(got), len(want))
				}
			}
		})
	}
}

func manyDevices() []string {
	names := []string{"door"}
	for n := range 100 {
		names = append(names, fmt.Sprint("device", n))
	}
	return names
}

func matches(r edgelens.StoredResult, f edgelens.ResultFilter) bool {
	is := func(value, wanted string) bool { return wanted == "" || value == wanted }
	visible := f.Visible == nil || f.Visible.Owner != "" && r.Owner == f.Visible.Owner || r.Device != "" && slices.Contains(f.Visible.Devices, r.Device)
	return visible && is(r.Device, f.Device) && is(r.Label, f.Label) && is(r.Outcome, f.Outcome) && is(r.Source, f.Source) &&
		!r.CreatedAt.Before(f.Since) && (f.Until.IsZero() || r.CreatedAt.Before(f.Until))
}

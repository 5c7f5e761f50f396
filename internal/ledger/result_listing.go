package ledger

import (
	"math"

	"edgelens"
)

// listing returns the list of the results that the filter selects. With a bound on the time it is by time, and else in
// the order in which the results came: the clock may step.
func (s *Results) listing(f edgelens.ResultFilter) (*listing, error) {
	l := &listing{db: s.db.lists, table: "results", columns: "seq, created_at, device, owner, label, outcome, source", since: math.MinInt64, until: math.MaxInt64}
	name := resultList
	if !f.Since.IsZero() || !f.Until.IsZero() {
		l.time, name = "created_at", resultTimeList
	}
	if !f.Since.IsZero() {
		l.since = f.Since.UnixMicro()
	}
	if !f.Until.IsZero() {
		l.until = f.Until.UnixMicro()
	}
	var err error
	if l.after, err = parsePlace(name, f.Cursor); err != nil {
		return nil, err
	}
	equal := map[string]string{}
	for column, value := range map[string]string{"device": f.Device, "label": f.Label, "outcome": f.Outcome, "source": f.Source} {
		if value != "" {
			equal[column] = value
		}
	}
	indexes := resultIndexes
	if l.time != "" {
		indexes = resultTimeIndexes
	}
	for _, of := range branchesOf(f.Visible) {
		l.branches = append(l.branches, newBranch(equal, of, indexes))
	}
	return l, nil
}

// resultIndexes are the indexes that have the results with some equal columns in order, the most selective first; those of
// resultTimeIndexes in that of time.
var (
	resultIndexes = []listIndex{
		{"results_by_device_outcome", []string{"device", "outcome"}},
		{"results_by_device", []string{"device"}},
		{"results_by_owner", []string{"owner"}},
		{"results_by_label", []string{"label"}},
		{"results_by_outcome", []string{"outcome"}},
		{"results_by_source", []string{"source"}},
	}
	resultTimeIndexes = []listIndex{
		{"results_by_device_time", []string{"device"}},
		{"results_by_time", nil},
	}
)

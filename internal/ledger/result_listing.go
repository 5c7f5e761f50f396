package ledger

import (
	"math"
	"slices"

	"edgelens"
)

// resultListing returns the list of the results that the filter selects. With a bound on the time it is by time, and else in
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
	for _, of := range branchesOf(f.Visible) {
		l.branches = append(l.branches, resultBranch(equal, of, l.time != ""))
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

// listIndex is an index with the columns before those of the order.
type listIndex struct {
	name    string
	columns []string
}

// resultBranch returns the branch for the results with equal columns that are visible by one of the alternatives.
func resultBranch(equal map[string]string, visible visibleBy, byTime bool) branch {
	columns := map[string]string{}
	for column, value := range equal {
		columns[column] = value
	}
	var rest []condition
	if visible.column != "" {
		if other, given := columns[visible.column]; given && other != visible.value {
			rest = append(rest, condition{test: "0"})
		}
		columns[visible.column] = visible.value
	} else if visible.rest.test != "" {
		rest = append(rest, visible.rest)
	}
	indexes := resultIndexes
	if byTime {
		indexes = resultTimeIndexes
	}
	b := branch{rest: rest}
	var used []string
	for _, index := range indexes {
		if !slices.ContainsFunc(index.columns, func(c string) bool { return columns[c] == "" }) {
			b.index, used = index.name, index.columns
			break
		}
	}
	for _, column := range []string{"device", "owner", "label", "outcome", "source"} {
		value, given := columns[column]
		if !given {
			continue
		}
		c := condition{column + " = ?", []any{value}}
		if column == "owner" { // the second part is that of the index
			c.test = "owner = ? AND owner <> ''"
		}
		if slices.Contains(used, column) {
			b.equal = append(b.equal, c)
		} else {
			b.rest = append(b.rest, c)
		}
	}
	return b
}

// visibleBy is one reason why a row is visible: a column has a value, or, where that is empty, a condition.
type visibleBy struct {
	column, value string
	rest          condition
}

// branchesOf returns the alternatives of a visibility: a row is visible by any of them. There is always one.
func branchesOf(v *edgelens.Visibility) []visibleBy {
	if v == nil {
		return []visibleBy{{}}
	}
	var by []visibleBy
	if v.Owner != "" {
		by = append(by, visibleBy{column: "owner", value: v.Owner})
	}
	for _, device := range v.Devices {
		if device != "" {
			by = append(by, visibleBy{column: "device", value: device})
		}
	}
	if len(by) == 0 || len(by) > maxBranches {
		test, args := visible("", v)
		return []visibleBy{{rest: condition{test, args}}}
	}
	return by
}

package ledger

import (
	"maps"
	"slices"

	"edgelens"
)

// listIndex is an index with the columns before those of the order.
type listIndex struct {
	name    string
	columns []string
}

// newBranch returns the branch for the rows with equal columns that are visible by one of the alternatives, by the first index
// that fits.
func newBranch(equal map[string]string, visible visibleBy, indexes []listIndex) branch {
	columns := maps.Clone(equal)
	var rest []condition
	if visible.column != "" {
		if other, given := columns[visible.column]; given && other != visible.value {
			rest = append(rest, condition{test: "0"})
		}
		columns[visible.column] = visible.value
	} else if visible.rest.test != "" {
		rest = append(rest, visible.rest)
	}
	b := branch{rest: rest}
	var used []string
	for _, index := range indexes {
		if !slices.ContainsFunc(index.columns, func(c string) bool { return columns[c] == "" }) {
			b.index, used = index.name, index.columns
			break
		}
	}
	for _, column := range slices.Sorted(maps.Keys(columns)) {
		c := condition{column + " = ?", []any{columns[column]}}
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

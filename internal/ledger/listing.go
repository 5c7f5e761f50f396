package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"
)

// maxLooks is how many rows a page of a list looks at: a page whose filter few rows match may have less than was asked for,
// even nothing, and still a next one. Tests change it.
var maxLooks = 20_000

const (
	// emptyPagesTime is how long pages without a row are left out.
	emptyPagesTime = 200 * time.Millisecond
	// listTimeout bounds a page.
	listTimeout = 5 * time.Second
	// maxBranches is how many scans a page is merged from; with more, all rows are looked at.
	maxBranches = 32
)

// place is the position of a row in a list: at is 0 in lists that are not by time.
type place struct{ at, seq int64 }

// before orders the newest first.
func (p place) before(other place) int {
	return cmp.Or(cmp.Compare(other.at, p.at), cmp.Compare(other.seq, p.seq))
}

// condition is one of a list's filter.
type condition struct {
	test string
	args []any
}

// branch is a part of a list that one index has in order: the rows for which all conditions of equal hold. The others are
// tested for each of them.
type branch struct {
	index       string // "" for the table itself
	equal, rest []condition
}

// listing is a page of a list, the newest first: of all rows of its branches.
type listing struct {
	db    *sql.DB
	table string
	// columns are those of the conditions, with seq and time.
	columns string
	// time is the column that orders the list; "" for the order in which the rows came.
	time string
	// since and until bound the time, in microseconds: since is the first, until the first that is too late.
	since, until int64
	// after is the place of the last row of the page before.
	after    place
	branches []branch
}

// some is page, but leaves out pages without a row, for emptyPagesTime at most.
func (l *listing) some(ctx context.Context, limit int) (page []place, next place, more bool, err error) {
	for begun := time.Now(); ; {
		page, next, more, err = l.page(ctx, limit)
		if err != nil || len(page) > 0 || !more || time.Since(begun) > emptyPagesTime {
			return page, next, more, err
		}
		l.after = next
	}
}

// page returns the places of the next rows, at most limit, and after which place the next page begins; more is false where
// there is none.
func (l *listing) page(ctx context.Context, limit int) (page []place, next place, more bool, err error) {
	var all []place
	var frontier place // the rows behind it were not looked at in every branch
	cut := false
	for _, b := range l.branches {
		found, end, ended, err := l.scan(ctx, b, limit+1)
		if err != nil {
			return nil, place{}, false, err
		}
		all = append(all, found...)
		if !ended && (!cut || end.before(frontier) < 0) {
			frontier, cut = end, true
		}
	}
	slices.SortFunc(all, place.before)
	all = slices.Compact(all) // a row may be in two branches
	if cut {
		for len(all) > 0 && frontier.before(all[len(all)-1]) < 0 {
			all = all[:len(all)-1]
		}
	}
	switch {
	case len(all) > limit:
		return all[:limit], all[limit-1], true, nil
	case cut:
		return all, frontier, true, nil
	}
	return all, place{}, false, nil
}

// scan returns the next rows of a branch, at most limit. ended is true where there are no more; else end is the last row that
// was looked at.
func (l *listing) scan(ctx context.Context, b branch, limit int) (found []place, end place, ended bool, err error) {
	from, args := l.source(b)
	columns, order := "seq, 0", "seq DESC"
	if l.time != "" {
		columns, order = "seq, "+l.time, l.time+" DESC, seq DESC"
	}
	test, testArgs := joined(b.rest)
	query := `SELECT ` + columns + ` FROM (SELECT ` + l.columns + ` FROM ` + from + ` ORDER BY ` + order + ` LIMIT ?)`
	if test != "" {
		query += ` WHERE ` + test
	}
	query += ` ORDER BY ` + order + ` LIMIT ?`
	rows, err := l.db.QueryContext(ctx, query, slices.Concat(args, []any{maxLooks}, testArgs, []any{limit})...)
	if err != nil {
		return nil, place{}, false, err
	}
	defer rows.Close()
	for rows.Next() {
		var p place
		if err := rows.Scan(&p.seq, &p.at); err != nil {
			return nil, place{}, false, err
		}
		found = append(found, p)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, place{}, false, err
	}
	if len(found) == limit {
		return found, found[limit-1], false, nil
	}
	err = l.db.QueryRowContext(ctx, `SELECT `+columns+` FROM `+from+` ORDER BY `+order+` LIMIT 1 OFFSET ?`, append(args, maxLooks-1)...).Scan(&end.seq, &end.at)
	if errors.Is(err, sql.ErrNoRows) {
		return found, place{}, true, nil
	}
	return found, end, false, err
}

// source returns what is scanned: the rows of the branch after the place, and within the time.
func (l *listing) source(b branch) (from string, args []any) {
	from = l.table
	if b.index != "" {
		from += ` INDEXED BY ` + b.index
	} else {
		from += ` NOT INDEXED`
	}
	conditions := slices.Clone(b.equal)
	if l.time == "" {
		conditions = append(conditions, condition{`seq < ?`, []any{l.after.seq}})
	} else {
		conditions = append(conditions,
			condition{l.time + ` >= ?`, []any{l.since}}, condition{l.time + ` < ?`, []any{l.until}},
			condition{l.time + ` <= ?`, []any{l.after.at}}, condition{`(` + l.time + ` < ? OR seq < ?)`, []any{l.after.at, l.after.seq}})
	}
	test, args := joined(conditions)
	return from + ` WHERE ` + test, args
}

// joined returns the conditions as one.
func joined(conditions []condition) (test string, args []any) {
	tests := make([]string, len(conditions))
	for i, c := range conditions {
		tests[i] = c.test
		args = append(args, c.args...)
	}
	return strings.Join(tests, ` AND `), args
}

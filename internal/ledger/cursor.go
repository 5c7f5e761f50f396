package ledger

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"

	"edgelens"
)

// A cursor names the last row of a page. It is the list's name, a colon and the row's seq, in URL-safe base64 without
// padding, so that clients treat it as opaque. Rows added later have a higher seq and removed rows leave theirs unused,
// so a cursor stays valid.

// errNotThisList is the error of a cursor of another list.
var errNotThisList = fmt.Errorf("%w: the cursor is not one of this list; leave it out to start with the newest", edgelens.ErrInvalid)

func newCursor(list string, seq int64) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s:%d", list, seq))
}

// parseCursor returns the seq of a cursor of the list, and one above every row
// for the empty cursor. Its error is an edgelens.ErrInvalid.
func parseCursor(list, cursor string) (int64, error) {
	if cursor == "" {
		return math.MaxInt64, nil
	}
	if text, err := base64.RawURLEncoding.DecodeString(cursor); err == nil {
		if digits, ok := strings.CutPrefix(string(text), list+":"); ok {
			seq, err := strconv.ParseInt(digits, 10, 64)
			if err == nil && seq > 0 && newCursor(list, seq) == cursor {
				return seq, nil
			}
		}
	}
	return 0, errNotThisList
}

// newPlaceCursor is newCursor for a list that may be by time: then the row's time follows its seq.
func newPlaceCursor(l *listing, p place) string {
	if l.time == "" {
		return newCursor(resultList, p.seq)
	}
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s:%d:%d", resultTimeList, p.seq, p.at))
}

// parsePlace is parseCursor for a list that may be by time.
func parsePlace(list, cursor string) (place, error) {
	if list != resultTimeList || cursor == "" {
		seq, err := parseCursor(list, cursor)
		return place{math.MaxInt64, seq}, err
	}
	if text, err := base64.RawURLEncoding.DecodeString(cursor); err == nil {
		var p place
		if n, err := fmt.Sscanf(string(text), list+":%d:%d", &p.seq, &p.at); n == 2 && err == nil && p.seq > 0 && newPlaceCursor(&listing{time: "created_at"}, p) == cursor {
			return p, nil
		}
	}
	return place{}, errNotThisList
}

const (
	defaultLimit = 50
	maxLimit     = 1000
)

// pageLimit returns the size of a page for the requested limit; 0 requests the default. Its error is an
// edgelens.ErrInvalid.
func pageLimit(limit int) (int, error) {
	switch {
	case limit == 0:
		return defaultLimit, nil
	case limit < 1 || limit > maxLimit:
		return 0, fmt.Errorf("%w: limit must be 1 to %d, not %d", edgelens.ErrInvalid, maxLimit, limit)
	}
	return limit, nil
}

package access

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"edgelens"
)

// maxExpiry bounds the days of an expiry.
const maxExpiry = 100 * 365

// ParseExpiry reads when a key expires: after a time such as 90d or 12h, or at a date or a time; the zero time for "".
// Its error is an edgelens.ErrInvalid.
func ParseExpiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, ok := expiry(text, now)
	if !ok {
		return time.Time{}, fmt.Errorf("%w: a key expires after a time such as 90d or 12h, or at a date such as 2027-01-31 or a time such as 2027-01-31T12:00:00Z, not %q", edgelens.ErrInvalid, text)
	}
	if !now.Before(at) {
		return time.Time{}, fmt.Errorf("%w: %q has passed already, so the key could not be used", edgelens.ErrInvalid, text)
	}
	return at.UTC().Truncate(time.Second), nil
}

func expiry(text string, now time.Time) (time.Time, bool) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 31)
		return now.AddDate(0, 0, int(min(n, maxExpiry))), err == nil && n <= maxExpiry
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(d), true
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

package certificate

import (
	"context"
	"time"
)

// ParseLists is parseLists.
func ParseLists(text []byte) (n int, err error) {
	lists, err := parseLists(text)
	return len(lists), err
}

// At sets the clock.
func (r *RevocationLists) At(now func() time.Time) { r.now = now }

// WatchEvery is Watch with another interval.
func (f Files) WatchEvery(ctx context.Context, interval time.Duration, changed func()) {
	f.watch(ctx, interval, changed)
}

package certificate

import (
	"context"
	"time"
)

// WatchEvery is Watch with another interval.
func (f Files) WatchEvery(ctx context.Context, interval time.Duration, changed func()) {
	f.watch(ctx, interval, changed)
}

package certificate

import (
	"context"
	"time"
)

// watchInterval is how often Watch looks.
const watchInterval = 10 * time.Second

// Watch calls changed once for each change of the files to ones that can be used, until ctx ends. It is for a program
// that reads them itself when it gets a signal.
func (f Files) Watch(ctx context.Context, changed func()) { f.watch(ctx, watchInterval, changed) }

func (f Files) watch(ctx context.Context, interval time.Duration, changed func()) {
	known, err := f.version()
	if err != nil {
		known = version{}
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		found, err := f.version()
		if err != nil || found == known {
			continue
		}
		if _, err := f.load(); err != nil {
			continue // half of it is replaced
		}
		known = found
		changed()
	}
}

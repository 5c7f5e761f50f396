package backup

import (
	"context"
	"io"
	"time"
)

const (
	// restShare is how many times as long as it worked a paced backup rests, and maxRest bounds one rest.
	restShare = 4
	maxRest   = time.Second
)

// Pace returns a function that rests after work, so that a backup takes at most a fifth of the time of one core and of the
// disk. It ends with ctx.
func Pace(ctx context.Context) func(worked time.Duration) {
	return func(worked time.Duration) {
		timer := time.NewTimer(min(restShare*worked, maxRest))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// FullSpeed is the pace of a backup beside which nothing runs.
func FullSpeed(time.Duration) {}

// Paced returns a reader that rests as Pace does.
func Paced(ctx context.Context, r io.Reader) io.Reader {
	return &pacedReader{ctx: ctx, r: r, pace: Pace(ctx)}
}

// pacedBytes is how much a pacedReader reads between rests: few enough that a rest is short.
const pacedBytes = 1 << 20

// pacedReader reads at a pace, until ctx ends. The time of the reader's user counts as work.
type pacedReader struct {
	ctx  context.Context
	r    io.Reader
	pace func(worked time.Duration)

	read   int
	worked time.Duration
}

// Read implements io.Reader.
func (p *pacedReader) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	began := time.Now()
	n, err := p.r.Read(b)
	p.worked += time.Since(began)
	if p.read += n; p.read >= pacedBytes || err != nil && p.read > 0 {
		p.pace(p.worked)
		p.read, p.worked = 0, 0
	}
	return n, err
}

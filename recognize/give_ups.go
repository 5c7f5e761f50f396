package recognize

import (
	"sync"
	"time"
)

const (
	// impatient is the share of callers that give up from which on the others are taken to
	// be like them.
	impatient = 0.25
	// recentCallers is about how many callers count.
	recentCallers = 16
)

// giveUps learns how long callers wait that give no deadline. A client with a timeout of its
// own gives up without a word, and by then its image is at the front of the queue: under
// load, every answer would come just after its client left. It is safe for concurrent use.
type giveUps struct {
	mu sync.Mutex
	// share is the moving average of callers that gave up.
	share float64
	// after is the moving average of how long those had waited.
	after time.Duration
}

// note records how a caller's wait ended.
func (g *giveUps) note(gaveUp bool, waited time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.share -= g.share / recentCallers
	if !gaveUp {
		return
	}
	g.share += 1.0 / recentCallers
	if g.after == 0 {
		g.after = waited
	}
	g.after += (waited - g.after) / recentCallers
}

// limit returns how long a caller is expected to wait, at most timeout.
func (g *giveUps) limit(timeout time.Duration) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.share < impatient {
		return timeout
	}
	return min(g.after, timeout)
}

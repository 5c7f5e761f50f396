package sensor

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"edgelens"
	"edgelens/internal/loglimit"
)

const (
	// maxQueued is how many points may wait for the Store, and maxBatch how many it gets at
	// once.
	maxQueued, maxBatch = 50_000, 5_000
	// describeEvery is how often series are described again to the Store, which must remember them for twice as long.
	describeEvery = time.Hour
	// storeEvery is how long the first point waits for others, and storeTimeout limits one call; it also is
	// how long the last one may take, when the Monitor ends.
	storeEvery, storeTimeout = time.Second, 5 * time.Second
)

// storeQueue queues points for the Store. It is safe for use by many goroutines.
type storeQueue struct {
	store   Store
	log     *slog.Logger
	metrics *metrics
	limited loglimit.Limiter

	// more holds a token where points came since it was last empty.
	more chan struct{}

	// flushing is held while the Store gets points.
	flushing sync.Mutex

	mu     sync.Mutex
	points []edgelens.Point
	series map[string]SeriesInfo
	// descriptions grows whenever each series is to be described again.
	descriptions int
}

func newStoreQueue(store Store, log *slog.Logger, metrics *metrics) *storeQueue {
	return &storeQueue{store: store, log: log, metrics: metrics, more: make(chan struct{}, 1)}
}

// add queues a point; the mutex of its series is held. Where the queue is full, the point is
// lost.
func (q *storeQueue) add(point edgelens.Point, s *series) {
	if q.store == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.points) >= maxQueued {
		q.metrics.lostByStore(1)
		return
	}
	info := SeriesInfo{ID: s.id, Device: s.key.device, Field: s.key.field, Unit: s.state.Unit, Location: s.state.Location}
	if info != s.described || s.descriptions != q.descriptions {
		if q.series == nil {
			q.series = map[string]SeriesInfo{}
		}
		q.series[s.id], s.described, s.descriptions = info, info, q.descriptions
	}
	q.points = append(q.points, point)
	if len(q.points) == 1 {
		select {
		case q.more <- struct{}{}:
		default:
		}
	}
}

// take returns what is queued.
func (q *storeQueue) take() ([]edgelens.Point, map[string]SeriesInfo) {
	q.mu.Lock()
	defer q.mu.Unlock()
	points, series := q.points, q.series
	q.points, q.series = nil, nil
	return points, series
}

// putBack queues what was not stored before what came since, as far as there is room.
func (q *storeQueue) putBack(points []edgelens.Point, series map[string]SeriesInfo) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if over := len(points) + len(q.points) - maxQueued; over > 0 {
		over = min(over, len(points))
		q.metrics.lostByStore(over)
		points = points[over:] // the oldest are lost
	}
	q.points = append(points[:len(points):len(points)], q.points...)
	all := map[string]SeriesInfo{}
	maps.Copy(all, series)
	maps.Copy(all, q.series) // the later ones
	q.series = all
}

// flush stores what is queued.
func (q *storeQueue) flush(ctx context.Context) {
	q.flushing.Lock()
	defer q.flushing.Unlock()
	points, series := q.take()
	for len(points) > 0 {
		batch := points[:min(len(points), maxBatch)]
		err := q.save(ctx, batch, slices.Collect(maps.Values(series)))
		switch {
		case err == nil:
			series = nil
		case errors.Is(err, edgelens.ErrInvalid):
			q.metrics.lostByStore(len(batch))
			q.warn("points of sensors were refused by the store", err, len(batch))
			q.describeAgain() // it may be a series that the store does not know any more
		default:
			q.warn("points of sensors were not stored; they are tried again", err, len(points))
			q.putBack(points, series)
			return
		}
		points = points[len(batch):]
	}
	if len(series) > 0 { // the store refused the points that came with them
		q.putBack(nil, series)
	}
}

func (q *storeQueue) save(ctx context.Context, points []edgelens.Point, series []SeriesInfo) error {
	limited, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return q.store.SavePoints(limited, points, series)
}

func (q *storeQueue) warn(message string, err error, points int) {
	if suppressed, ok := q.limited.Pass(message, time.Now()); ok {
		q.log.Warn(message, "event", "sensor_store", "error", err, "points", points, "suppressed", suppressed)
	}
}

// run stores until ctx ends, and then the rest.
func (q *storeQueue) run(ctx context.Context) {
	if q.store == nil {
		return
	}
	again := time.NewTicker(describeEvery)
	defer again.Stop()
	flush := time.NewTimer(storeEvery)
	flush.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
			defer cancel()
			q.flush(last)
			return
		case <-q.more:
			flush.Reset(storeEvery) // others join the first
		case <-flush.C:
			q.flush(ctx)
			if q.queued() {
				flush.Reset(storeEvery)
			}
		case <-again.C:
			q.describeAgain()
		}
	}
}

// queued reports whether points are queued.
func (q *storeQueue) queued() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.points) > 0
}

// describeAgain has the next point of each series come with its description: the Store may have forgotten a series
// that had none for long.
func (q *storeQueue) describeAgain() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.descriptions++
}

package telemetry

import (
	"sync"
	"time"

	"edgelens"
)

// stageNames are the stages in their order.
var stageNames = []string{"queue", "decode", "preprocess", "inference", "postprocess", "quality"}

// totals are the durations of the stages and the use of the cache since the start. It is safe for use by many goroutines.
type totals struct {
	mu     sync.Mutex
	stages map[string]*stageTotal
	cache  edgelens.CacheCounts
}

type stageTotal struct {
	count     int64
	sum       time.Duration
	durations durations
}

func (t *totals) noteStage(stage string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stages == nil {
		t.stages = map[string]*stageTotal{}
	}
	of := t.stages[stage]
	if of == nil {
		of = &stageTotal{}
		t.stages[stage] = of
	}
	of.count++
	of.sum += took
	of.durations.add(took)
}

func (t *totals) noteCache(result string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch result {
	case "hit":
		t.cache.Hits++
	case "miss":
		t.cache.Misses++
	case "bypass":
		t.cache.Bypasses++
	}
}

// read returns the stages that ran, in their order.
func (t *totals) read() ([]edgelens.StageLatency, edgelens.CacheCounts) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []edgelens.StageLatency
	for _, name := range stageNames {
		if of := t.stages[name]; of != nil {
			all = append(all, edgelens.StageLatency{
				Stage: name, Count: of.count, Mean: of.sum / time.Duration(of.count), P50: of.durations.quantile(0.5), P95: of.durations.quantile(0.95),
			})
		}
	}
	return all, t.cache
}

package sensor

import (
	"container/list"
	"time"
)

// pool holds at most a number of series, in the order of their latest arrival. It is guarded
// by the Monitor's mutex.
type pool struct {
	limit        int
	giveWayAfter time.Duration
	series       map[key]*series
	// order has the series that was silent longest in front.
	order *list.List
	// seen is the latest arrival of each, by the arrival clock, without its mutex.
	seen map[*series]time.Duration
}

func newPool(limit int, giveWayAfter time.Duration) *pool {
	return &pool{limit: limit, giveWayAfter: giveWayAfter, series: map[key]*series{}, order: list.New(), seen: map[*series]time.Duration{}}
}

// touch notes an arrival of a series, and returns it; nil where it is unknown.
func (p *pool) touch(k key, now time.Duration) *series {
	s := p.series[k]
	if s != nil {
		p.seen[s] = now
		p.order.MoveToBack(s.used)
	}
	return s
}

// room makes room for one more series: gaveWay is the one that it takes the place of, if any.
// ok is false where none has been silent for long enough.
func (p *pool) room(now time.Duration) (gaveWay *series, ok bool) {
	if len(p.series) < p.limit {
		return nil, true
	}
	oldest := p.order.Front().Value.(*series)
	if now-p.seen[oldest] < p.giveWayAfter {
		return nil, false
	}
	p.remove(oldest)
	return oldest, true
}

func (p *pool) add(s *series, now time.Duration) {
	p.series[s.key] = s
	p.seen[s] = now
	s.used = p.order.PushBack(s)
}

func (p *pool) remove(s *series) {
	delete(p.series, s.key)
	delete(p.seen, s)
	p.order.Remove(s.used)
}

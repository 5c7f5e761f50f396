package api

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	"edgelens"
)

const (
	// keptFrames and keptBytes bound the events that are kept for streams which are behind;
	// one that is further behind reads from the ledger.
	keptFrames = 1024
	keptBytes  = 4 << 20
	// pausePerStream is the pause for each stream after new events were sent, so that those
	// that follow soon go together: a write takes some microseconds, and all of them so a
	// tenth of a core at most. The first event after a quiet time is sent at once.
	pausePerStream = 50 * time.Microsecond
)

// frame is an event as it is sent.
type frame struct {
	seq  int64
	text []byte
	// about is the event without its data, by which it is decided who may follow it.
	about edgelens.Event
}

func newFrame(e *edgelens.Event) frame {
	about := *e
	about.Data = nil
	return frame{e.Seq, fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Type, e.Data), about}
}

// broadcast reads new events once for all streams, while there are any. It is safe for
// concurrent use.
type broadcast struct {
	events   Events
	stopping context.Context

	mu      sync.Mutex
	reading sync.WaitGroup
	// feed is what new streams read; nil without one.
	feed *feed
}

// feed has the newest events in order. The broadcast's lock guards it.
type feed struct {
	streams int
	stop    context.CancelFunc
	// from is the seq of the last event that is missing: frames has all later ones.
	from   int64
	frames []frame
	bytes  int
	// changed is closed when there are more, or when the feed has ended.
	changed chan struct{}
	ended   bool
}

func newBroadcast(events Events, stopping context.Context) *broadcast {
	return &broadcast{events: events, stopping: stopping}
}

// join returns the feed for a stream, which must leave.
func (b *broadcast) join(ctx context.Context) (*feed, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.feed == nil {
		wake, unsubscribe := b.events.Subscribe() // before the first query, so that no event is missed
		last, err := b.events.LastEvent(ctx)
		if err != nil {
			unsubscribe()
			return nil, err
		}
		reading, stop := context.WithCancel(b.stopping)
		f := &feed{stop: stop, from: last, changed: make(chan struct{})}
		b.feed = f
		b.reading.Go(func() {
			defer unsubscribe()
			b.read(reading, f, wake)
		})
	}
	b.feed.streams++
	return b.feed, nil
}

// leave ends the feed with its last stream.
func (b *broadcast) leave(f *feed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.streams--; f.streams > 0 {
		return
	}
	f.stop()
	if b.feed == f {
		b.feed = nil
	}
}

// wait returns when nothing is read any more, after the service stops.
func (b *broadcast) wait() { b.reading.Wait() }

// read adds new events to a feed until ctx ends or the ledger fails: then the streams end,
// too, and their clients resume.
func (b *broadcast) read(ctx context.Context, f *feed, wake <-chan struct{}) {
	defer b.end(f)
	last := f.from
	for {
		page, err := b.events.Events(ctx, last, eventsAtATime)
		if err != nil {
			return
		}
		if len(page) > 0 {
			last = page[len(page)-1].Seq
			pause := time.Duration(b.add(f, page)) * pausePerStream
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
		}
		if len(page) == eventsAtATime {
			continue
		}
		select {
		case _, open := <-wake:
			if !open {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// add adds events, and wakes the streams. It returns how many there are.
func (b *broadcast) add(f *feed, page []edgelens.Event) (streams int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range page {
		next := newFrame(&page[i])
		f.frames = append(f.frames, next)
		f.bytes += len(next.text)
	}
	for len(f.frames) > keptFrames || f.bytes > keptBytes {
		f.from = f.frames[0].seq
		f.bytes -= len(f.frames[0].text)
		f.frames = f.frames[1:] // streams may still read it
	}
	close(f.changed)
	f.changed = make(chan struct{})
	return f.streams
}

func (b *broadcast) end(f *feed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f.ended = true
	close(f.changed)
	f.changed = make(chan struct{})
	if b.feed == f {
		b.feed = nil
	}
}

// since returns the events after that one. behind is true where the feed has not all of them;
// changed is closed when there may be more, and ended is true where there will be none.
func (b *broadcast) since(f *feed, after int64) (frames []frame, behind bool, changed <-chan struct{}, ended bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if after < f.from {
		return nil, true, f.changed, f.ended
	}
	first := sort.Search(len(f.frames), func(i int) bool { return f.frames[i].seq > after })
	return f.frames[first:len(f.frames):len(f.frames)], false, f.changed, f.ended
}

package api_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"edgelens"
	"edgelens/api"
	"edgelens/internal/testutil"
)

// A client that does not read costs the service no memory, and no other client an event; once it reads, it has every event
// once and in order, those that the service does not have in memory any more from the ledger.
func TestSlowReaderCostsNoMemory(t *testing.T) {
	l := newLedger()
	_, address := serve(t, func(_ *api.Config, p *api.Parts) { p.Events = l })
	slow, fast := streamOf(t, address, ""), streamOf(t, address, "")
	const batches, each = 40, 500
	filler := strings.Repeat("x", 2000)
	var before, after runtime.MemStats
	l.reserve(batches * each)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range batches {
		l.addLarge(each, filler)
	}
	fast.readEvents(1, batches*each)
	runtime.GC()
	runtime.ReadMemStats(&after)
	// Of 40 MB of events, the service keeps 4 MiB for streams, and each stream a few pages of them.
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("the heap has grown by %d bytes for a client that does not read", grown)
	}
	slow.readEvents(1, batches*each)
}

// readEvents reads events, which must be those from a number to another, each once and in order.
func (c connection) readEvents(first, last int) {
	c.t.Helper()
	for next := first; next <= last; {
		line, err := c.ReadString('\n')
		if err != nil {
			c.t.Fatalf("%v in front of event %d", err, next)
		}
		if id, found := strings.CutPrefix(line, "id: "); found {
			if id != fmt.Sprintf("%d\n", next) {
				c.t.Fatalf("event %q, want %d", id, next)
			}
			next++
		}
	}
}

// reserve makes room for events, so that the ledger of the test does not count.
func (l *ledger) reserve(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(make([]edgelens.Event, 0, len(l.all)+n), l.all...)
}

// addLarge adds events that share their data.
func (l *ledger) addLarge(n int, data string) {
	shared := []byte(`"` + data + `"`)
	l.mu.Lock()
	for range n {
		l.all = append(l.all, edgelens.Event{Seq: int64(len(l.all) + 1), Type: "job", Data: shared})
	}
	l.mu.Unlock()
	l.add(0, nil)
}

// A client that reads nothing for long is cut off, and its memory is free: it resumes with the last event that it has.
func TestStuckReaderIsCutOff(t *testing.T) {
	testutil.SkipIfShort(t, "it waits for a timeout of ten seconds")
	l := newLedger()
	s, address := serve(t, func(_ *api.Config, p *api.Parts) { p.Events = l })
	stuck := streamOf(t, address, "")
	l.addLarge(20_000, strings.Repeat("x", 1000)) // more than the buffers of both sides take
	testutil.Eventually(t, "its stream has ended", func() bool {
		return testutil.Metrics(t, s.metrics)["edgelens_event_streams"] == 0
	})
	_ = stuck.Close()
}

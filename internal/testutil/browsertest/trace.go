package browsertest

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"
)

// Frames is how a page was drawn, from the browser's own trace.
type Frames struct {
	// Count is the number of frames.
	Count int
	// P95 and Longest are of the times from one frame to the next.
	P95, Longest time.Duration
	// Task is the longest task of the page's main thread.
	Task time.Duration
}

// traced is an event of a trace (https://chromium.googlesource.com/catapult/+/HEAD/tracing/README.md); times are in
// microseconds.
type traced struct {
	Name     string  `json:"name"`
	Phase    string  `json:"ph"`
	PID      int     `json:"pid"`
	TID      int     `json:"tid"`
	At       float64 `json:"ts"`
	Duration float64 `json:"dur"`
	Args     struct {
		Name string `json:"name"`
	} `json:"args"`
}

// Trace has the browser trace what it does during run, and returns the frames of the page.
func Trace(t testing.TB, ctx context.Context, run func()) Frames {
	t.Helper()
	var mu sync.Mutex
	var events []traced
	complete := make(chan struct{})
	listening, stop := context.WithCancel(ctx)
	defer stop()
	if err := chromedp.ListenBrowser(listening, func(event any) {
		switch e := event.(type) {
		case *tracing.EventDataCollected:
			mu.Lock()
			defer mu.Unlock()
			for _, value := range e.Value {
				var one traced
				if json.Unmarshal(value, &one) == nil {
					events = append(events, one)
				}
			}
		case *tracing.EventTracingComplete:
			close(complete)
		}
	}); err != nil {
		t.Fatal(err)
	}
	config := &tracing.TraceConfig{IncludedCategories: []string{"toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline", "devtools.timeline.frame", "disabled-by-default-devtools.timeline.frame", "__metadata"}, ExcludedCategories: []string{"*"}}
	if _, err := chromedp.CallBrowser(ctx, tracing.Start, tracing.StartParams{TraceConfig: config}); err != nil {
		t.Fatal(err)
	}
	run()
	if _, err := chromedp.CallBrowser(ctx, tracing.End, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-complete:
	case <-time.After(timeout):
		t.Fatal("the browser does not end its trace")
	}
	mu.Lock()
	defer mu.Unlock()
	return framesOf(t, events)
}

// framesOf evaluates the events of the renderer that drew most, which is the page's.
func framesOf(t testing.TB, events []traced) Frames {
	t.Helper()
	type thread struct{ pid, tid int }
	mains := map[thread]bool{}
	drawn := map[int][]float64{}
	for _, e := range events {
		if e.Phase == "M" && e.Name == "thread_name" && e.Args.Name == "CrRendererMain" {
			mains[thread{e.PID, e.TID}] = true
		}
		if e.Name == "DrawFrame" {
			drawn[e.PID] = append(drawn[e.PID], e.At)
		}
	}
	page := 0
	for pid, times := range drawn {
		if page == 0 || len(times) > len(drawn[page]) {
			page = pid
		}
	}
	times := drawn[page]
	if len(times) < 2 {
		t.Fatalf("the trace of %d events has no frames", len(events))
	}
	slices.Sort(times)
	gaps := make([]float64, len(times)-1)
	for i := range gaps {
		gaps[i] = times[i+1] - times[i]
	}
	slices.Sort(gaps)
	frames := Frames{Count: len(times), P95: microseconds(gaps[len(gaps)*95/100]), Longest: microseconds(gaps[len(gaps)-1])}
	for _, e := range events {
		if e.Name == "RunTask" && mains[thread{e.PID, e.TID}] && e.PID == page {
			frames.Task = max(frames.Task, microseconds(e.Duration))
		}
	}
	if frames.Task == 0 {
		t.Fatal("the trace has no tasks of the page's main thread")
	}
	return frames
}

func microseconds(n float64) time.Duration { return time.Duration(n * float64(time.Microsecond)) }

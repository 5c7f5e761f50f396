package recognize_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgelens"
	"edgelens/recognize"
)

// outcomes are those of many requests, and how long each took. It is safe for concurrent use.
type outcomes struct {
	mu       sync.Mutex
	answered []time.Duration
	refused  []time.Duration
	others   []error
}

func (o *outcomes) note(err error, after time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
		o.answered = append(o.answered, after)
	case errors.Is(err, edgelens.ErrBusy):
		o.refused = append(o.refused, after)
	default:
		o.others = append(o.others, err)
	}
}

// percentile returns one of the durations; 0 if there are none.
func percentile(of []time.Duration, p float64) time.Duration {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}

// openLoop sends requests at a rate for some time, whatever becomes of them, as HTTP does: a body takes that long to arrive.
func (b *bench) openLoop(t *testing.T, name string, rate int, during, arrival time.Duration) *outcomes {
	t.Helper()
	all := &outcomes{}
	var sent sync.WaitGroup
	for i := range int(during.Seconds() * float64(rate)) {
		time.Sleep(time.Second / time.Duration(rate))
		arrived, err := b.Admit(0)
		if err != nil {
			all.note(err, 0)
			continue
		}
		sent.Go(func() {
			time.Sleep(arrival)
			arrived()
			got := <-b.start(t.Context(), image(fmt.Sprint(name, i)))
			all.note(got.err, got.after)
		})
	}
	sent.Wait()
	return all
}

// Requests that need no slot, because their image is known or does not arrive, keep none from those that do.
func TestFloodWithOthers(t *testing.T) {
	const takes, slots, arrival, during = 20 * time.Millisecond, 2, 2 * time.Millisecond, 10
	const capacity = slots * int(time.Second/takes)
	for name, other := range map[string]func(t *testing.T, b *bench, arrived func()){
		"known images": func(t *testing.T, b *bench, arrived func()) {
			arrived()
			<-b.start(t.Context(), image("known"))
		},
		"one image": func(t *testing.T, b *bench, arrived func()) {
			arrived()
			<-b.start(t.Context(), image(fmt.Sprint("new each second ", time.Now().Unix())))
		},
		"bodies that end early": func(_ *testing.T, _ *bench, arrived func()) { arrived() },
		"bodies that take long": func(_ *testing.T, _ *bench, arrived func()) {
			time.Sleep(5 * time.Second)
			arrived()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(recognize.Config{Slots: slots, Timeout: 10 * time.Second}, 64, 128)
				b.takes(takes)
				b.must(t, image("known"))
				b.openLoop(t, "at first", 10*capacity, time.Second, arrival)
				random := rand.New(rand.NewPCG(1, 2))
				all := &outcomes{}
				var sent sync.WaitGroup
				for i := range during * 20 * capacity {
					time.Sleep(time.Second / time.Duration(20*capacity))
					isOther := random.IntN(2) == 0
					arrived, err := b.Admit(0)
					if err != nil {
						continue
					}
					sent.Go(func() {
						time.Sleep(arrival)
						if isOther {
							other(t, b, arrived)
							return
						}
						arrived()
						got := <-b.start(t.Context(), image(fmt.Sprint(i)))
						all.note(got.err, got.after)
					})
				}
				sent.Wait()
				if n := len(all.answered); n < capacity*during*3/4 {
					t.Errorf("%d answered in %d s, want most of the %d that can be", n, during, capacity*during)
				}
			})
		})
	}
}

// Where ten times as many requests arrive as can be answered, the interpreters are never idle, those who are answered
// do not wait longer than in an idle service, and the others are refused before they are read, however long bodies take.
func TestFloodIsShed(t *testing.T) {
	for _, arrival := range []time.Duration{0, 2 * time.Millisecond, 70 * time.Millisecond} {
		t.Run(fmt.Sprint(arrival), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { floodIsShed(t, arrival) }) })
	}
}

func floodIsShed(t *testing.T, arrival time.Duration) {
	const takes, slots = 20 * time.Millisecond, 2
	const capacity = slots * int(time.Second/takes)
	b := newBench(recognize.Config{Slots: slots, Timeout: 10 * time.Second}, 64, 128)
	b.takes(takes)
	b.must(t, image("the one to learn from"))
	b.openLoop(t, "at first", 10*capacity, time.Second, arrival) // until the queue is full for some time
	const during = 5
	got := b.openLoop(t, "then", 10*capacity, during*time.Second, arrival)
	if len(got.others) > 0 {
		t.Error(got.others[0])
	}
	if n := len(got.answered); n < capacity*during*9/10 {
		t.Errorf("%d answered in %d s, want nearly the %d that can be", n, during, capacity*during)
	}
	if p99 := percentile(got.answered, .99); p99 > takes*5/2 {
		t.Errorf("p99 of those who are answered is %v, want up to 2.5 times the %v of an idle service", p99, takes)
	}
	if p99 := percentile(got.refused, .99); p99 > 0 {
		t.Errorf("p99 of those who are refused is %v: some were read in vain", p99)
	}
	// Afterwards, the queue is as before.
	time.Sleep(time.Second)
	burst := &outcomes{}
	var sent sync.WaitGroup
	for i := range 100 {
		a := b.start(t.Context(), image(fmt.Sprint("burst ", i)))
		sent.Go(func() { got := <-a; burst.note(got.err, got.after) })
	}
	sent.Wait()
	if len(burst.answered) != 100 {
		t.Errorf("%d of a burst of 100 answered, want all: they wait a second at most", len(burst.answered))
	}
}

// A single burst is no flood: as many wait as may, in order, and the rest is refused at once.
func TestBurstWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(recognize.Config{Slots: 2, Timeout: 10 * time.Second}, 64, 128)
		b.takes(20 * time.Millisecond)
		b.must(t, image("the one to learn from"))
		got := &outcomes{}
		var sent sync.WaitGroup
		for i := range 300 {
			a := b.start(t.Context(), image(fmt.Sprint(i)))
			sent.Go(func() { got2 := <-a; got.note(got2.err, got2.after) })
			synctest.Wait()
		}
		sent.Wait()
		if len(got.answered) != 2+256 || percentile(got.refused, 1) != 0 {
			t.Errorf("%d answered, %d refused after up to %v; want 258, and the others refused at once", len(got.answered), len(got.refused), percentile(got.refused, 1))
		}
	})
}

// As many clients as may wait, each with one request at a time, are all answered.
func TestManyConnectionsAreServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(recognize.Config{Slots: 2, Timeout: 10 * time.Second}, 64, 128)
		b.takes(10 * time.Millisecond)
		b.must(t, image("the one to learn from"))
		got := &outcomes{}
		var clients sync.WaitGroup
		end := time.Now().Add(10 * time.Second)
		for client := range 256 {
			clients.Go(func() {
				for n := 0; time.Now().Before(end); n++ {
					arrived, err := b.Admit(0)
					if err == nil {
						arrived()
						_, err = b.Recognize(t.Context(), image(fmt.Sprint(client, " ", n)))
					}
					got.note(err, 0)
				}
			})
		}
		clients.Wait()
		if len(got.refused)+len(got.others) > 0 || len(got.answered) < 1900 {
			t.Errorf("%d answered, %d refused, %d other errors; want all of the 2000 in 10 s", len(got.answered), len(got.refused), len(got.others))
		}
	})
}

// What would clearly come too late is refused before it is read, and what might be in time
// is not.
func TestRefusalBeforeReading(t *testing.T) {
	for name, test := range map[string]struct {
		waiting int
		wait    time.Duration
		refused bool
	}{
		"a free slot":             {0, time.Second, false},
		"in time":                 {3, 10 * time.Second, false},
		"perhaps in time":         {4, 3 * time.Second, false},
		"clearly too late":        {6, 3 * time.Second, true},
		"the default":             {8, 0, false},
		"longer than others wait": {8, time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(recognize.Config{Slots: 1, Timeout: 10 * time.Second}, 64, 128)
				b.takes(time.Second)
				b.must(t, image("the one to learn from"))
				var waiting []<-chan answer
				for i := range test.waiting {
					waiting = append(waiting, b.start(t.Context(), image(fmt.Sprint(i))))
					synctest.Wait()
				}
				var busy *edgelens.Busy
				if _, err := b.Admit(test.wait); errors.As(err, &busy) != test.refused {
					t.Errorf("got %v, want it refused: %v", err, test.refused)
				}
				for _, done := range waiting {
					<-done
				}
			})
		})
	}
	b := newBench(oneSlot(), 64, 128)
	b.Stop(time.Now())
	if _, err := b.Admit(0); !errors.Is(err, edgelens.ErrStopping) {
		t.Errorf("while stopping: %v", err)
	}
}

// A setting shortens how long those wait who give no deadline.
func TestMaxWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(recognize.Config{Slots: 1, Timeout: 10 * time.Second, MaxWait: 2500 * time.Millisecond}, 64, 128)
		b.takes(time.Second)
		b.must(t, image("the one to learn from"))
		first, second := b.start(t.Context(), image("at work")), (<-chan answer)(nil)
		synctest.Wait()
		second = b.start(t.Context(), image("in time"))
		synctest.Wait()
		if a := <-b.start(t.Context(), image("too late")); !errors.Is(a.err, edgelens.ErrBusy) || a.after != 0 {
			t.Errorf("%v after %v, want it refused at once", a.err, a.after)
		}
		for _, done := range []<-chan answer{first, second} {
			if a := <-done; a.err != nil {
				t.Error(a.err)
			}
		}
	})
}

func BenchmarkRefusal(b *testing.B) {
	s := newBench(oneSlot(), 64, 128)
	s.takes(100 * time.Millisecond)
	if _, err := s.Recognize(b.Context(), image("the one to learn from")); err != nil {
		b.Fatal(err)
	}
	release := s.hold()
	var waiting []<-chan answer
	for i := range 20 {
		waiting = append(waiting, s.start(b.Context(), image(fmt.Sprint(i))))
	}
	refused := func() bool {
		_, err := s.Admit(100 * time.Millisecond)
		return err != nil
	}
	for !refused() {
		time.Sleep(time.Millisecond)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !refused() {
			b.Fatal("not refused")
		}
	}
	release()
	for _, done := range waiting {
		<-done
	}
}

// A burst that looks like a flood costs nobody the answer.
func TestLongBurstWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(recognize.Config{Slots: 2, Timeout: 10 * time.Second}, 64, 128)
		b.takes(20 * time.Millisecond)
		b.must(t, image("the one to learn from"))
		got := b.openLoop(t, "burst ", 1000, 100*time.Millisecond, 0)
		if len(got.others)+len(got.refused) > 0 || len(got.answered) != 100 {
			t.Errorf("%d answered, %d refused, %v; want all to wait", len(got.answered), len(got.refused), got.others)
		}
	})
}

package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// queueAt queues one job for each letter, "i" for an interactive and "b" for a bulk one, each when the one before is
// admitted or queued. A job sends its letter once admitted, and leaves on a signal.
func queueAt(t *testing.T, g *admission, names string, admitted chan<- string, leave <-chan struct{}) *sync.WaitGroup {
	t.Helper()
	here := func() int {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.queues[true].Len() + g.queues[false].Len() + g.size - g.free
	}
	var all sync.WaitGroup
	for _, name := range names {
		before := here() // none leaves meanwhile
		all.Go(func() {
			done, err := g.enter(context.Background(), name == 'i')
			if err != nil {
				t.Error(err)
				return
			}
			admitted <- string(name)
			<-leave
			done()
		})
		for deadline := time.Now().Add(10 * time.Second); here() == before; time.Sleep(100 * time.Microsecond) {
			if time.Now().After(deadline) {
				t.Fatal("a job was never queued")
			}
		}
	}
	return &all
}

func TestAdmissionPriority(t *testing.T) {
	for name, test := range map[string]struct {
		size  int
		names string
		want  string
	}{
		"in order":               {1, "iii", "iii"},
		"bulk alone":             {1, "bbb", "bbb"},
		"interactive first":      {1, "ibbiii", "iiiibb"},
		"but bulk not starved":   {1, "i" + strings.Repeat("b", 2) + strings.Repeat("i", 14), "iiiiii" + "b" + "iiiiii" + "b" + "iii"},
		"two places, bulk alone": {2, "bbbb", "bbbb"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newAdmission(test.size)
			admitted, leave := make(chan string, len(test.names)), make(chan struct{})
			all := queueAt(t, g, test.names, admitted, leave)
			for range test.names {
				leave <- struct{}{}
			}
			all.Wait()
			close(admitted)
			got := ""
			for one := range admitted {
				got += one
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// While interactive jobs arrive, one slot is reserved; after a while bulk jobs get it.
func TestAdmissionReservesASlot(t *testing.T) {
	g := newAdmission(2)
	first, err := g.enter(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	admitted, leave := make(chan string, 2), make(chan struct{})
	begun := time.Now()
	all := queueAt(t, g, "bb", admitted, leave)
	first()
	<-admitted
	if second, err := g.enter(t.Context(), true); err != nil { // at once
		t.Fatal(err)
	} else {
		second()
	}
	<-admitted
	if took := time.Since(begun); took < reserved {
		t.Errorf("the second bulk job got a slot after %v", took)
	}
	close(leave)
	all.Wait()
}

func TestAdmissionCanceledWhileWaiting(t *testing.T) {
	g := newAdmission(1)
	leave, err := g.enter(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fmt.Errorf("gone"))
	if _, err := g.enter(ctx, true); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	leave()
	if leave, err = g.enter(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	leave()
	leave() // a second time does nothing
	if g.free != 1 {
		t.Errorf("%d slots are free, want 1", g.free)
	}
}

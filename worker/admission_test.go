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

// queueAt has one job for each letter come to the gate, "i" for an interactive and
// "b" for a bulk one, each when the one before is in or in line. A job says its
// letter once it is in, and leaves when told.
func queueAt(t *testing.T, g *admission, names string, said chan<- string, leave <-chan struct{}) *sync.WaitGroup {
	t.Helper()
	here := func() int {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.queues[true].Len() + g.queues[false].Len() + g.size - g.free
	}
	var all sync.WaitGroup
	for _, name := range names {
		before := here() // nobody leaves meanwhile
		all.Go(func() {
			done, err := g.enter(context.Background(), name == 'i')
			if err != nil {
				t.Error(err)
				return
			}
			said <- string(name)
			<-leave
			done()
		})
		for deadline := time.Now().Add(10 * time.Second); here() == before; time.Sleep(100 * time.Microsecond) {
			if time.Now().After(deadline) {
				t.Fatal("a job never came to the gate")
			}
		}
	}
	return &all
}

func TestGateGivesTurns(t *testing.T) {
	for name, test := range map[string]struct {
		size  int
		names string
		want  string
	}{
		"in order":               {1, "iii", "iii"},
		"bulk alone":             {1, "bbb", "bbb"},
		"people first":           {1, "ibbiii", "iiiibb"},
		"but not for ever":       {1, "i" + strings.Repeat("b", 2) + strings.Repeat("i", 14), "iiiiii" + "b" + "iiiiii" + "b" + "iii"},
		"two places, bulk alone": {2, "bbbb", "bbbb"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newAdmission(test.size)
			said, leave := make(chan string, len(test.names)), make(chan struct{})
			all := queueAt(t, g, test.names, said, leave)
			for range test.names {
				leave <- struct{}{}
			}
			all.Wait()
			close(said)
			got := ""
			for one := range said {
				got += one
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// While people come, bulk jobs leave a place free; after a while they take it.
func TestGateLeavesAPlace(t *testing.T) {
	g := newAdmission(2)
	first, err := g.enter(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	said, leave := make(chan string, 2), make(chan struct{})
	begun := time.Now()
	all := queueAt(t, g, "bb", said, leave)
	first()
	<-said
	if second, err := g.enter(t.Context(), true); err != nil { // at once
		t.Fatal(err)
	} else {
		second()
	}
	<-said
	if took := time.Since(begun); took < reserved {
		t.Errorf("the second bulk job took the place after %v", took)
	}
	close(leave)
	all.Wait()
}

func TestGateLeavesTheLine(t *testing.T) {
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
		t.Errorf("%d places are free, want 1", g.free)
	}
}

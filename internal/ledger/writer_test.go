//go:build cgo

package ledger_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgelens/internal/ledger"
)

// inWriter runs a test with a TestWriter in virtual time, and returns the transactions.
func inWriter(t *testing.T, do func(t *testing.T, w *ledger.TestWriter)) (transactions int) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w, err := ledger.NewTestWriter(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		do(t, w)
		if transactions, err = w.Close(); err != nil {
			t.Error(err)
		}
	})
	return transactions
}

// took writes a change and returns how long it waited for others.
func took(t *testing.T, w *ledger.TestWriter, mayWait bool) time.Duration {
	t.Helper()
	start := time.Now()
	if err := w.Write(t.Context(), mayWait); err != nil {
		t.Error(err)
	}
	return time.Since(start)
}

// Changes that may wait do not, unless there are many.
func TestFewChangesDoNotWait(t *testing.T) {
	inWriter(t, func(t *testing.T, w *ledger.TestWriter) {
		for _, pause := range []time.Duration{0, 0, 12 * time.Millisecond, 7 * time.Millisecond, 7 * time.Millisecond, time.Second, 0} {
			time.Sleep(pause)
			if waited := took(t, w, true); waited != 0 {
				t.Errorf("after a pause of %v: it waited for %v", pause, waited)
			}
		}
	})
}

// Many changes that may wait share transactions, and wait no longer for that than the
// interval.
func TestManyChangesShareTransactions(t *testing.T) {
	const writers, changes = 8, 50
	var longest time.Duration
	transactions := inWriter(t, func(t *testing.T, w *ledger.TestWriter) {
		var mu sync.Mutex
		var all sync.WaitGroup
		for range writers {
			all.Go(func() {
				for range changes {
					time.Sleep(time.Millisecond) // the work between
					waited := took(t, w, true)
					mu.Lock()
					longest = max(longest, waited)
					mu.Unlock()
				}
			})
		}
		all.Wait()
	})
	if transactions > writers*changes/3 || longest > 12*time.Millisecond {
		t.Errorf("%d transactions for %d changes, of which one waited for %v; want several changes each, and 12ms at most", transactions, writers*changes, longest)
	}
}

// A change that may not wait is written at once, with all that do.
func TestUrgentChangeDoesNotWait(t *testing.T) {
	inWriter(t, func(t *testing.T, w *ledger.TestWriter) {
		var others sync.WaitGroup
		stop := make(chan struct{})
		for range 8 {
			others.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						time.Sleep(time.Millisecond) // the work between
						took(t, w, true)
					}
				}
			})
		}
		for range 20 {
			time.Sleep(5 * time.Millisecond)
			if waited := took(t, w, false); waited != 0 {
				t.Errorf("it waited for %v", waited)
			}
		}
		close(stop)
		others.Wait()
	})
}

package inference_test

import (
	"syscall"
	"testing"
	"time"

	"edgelens/inference"
	"edgelens/inference/fake"
)

// A background run uses a thread of lower priority, and the next run on the same
// interpreter does not.
func TestBackgroundRunHasLowPriority(t *testing.T) {
	backend := fake.Image(4, 10)
	priority := make(chan int, 10)
	backend.Graph = func(_, _ []byte) error {
		p, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0) // 20 - nice
		priority <- p
		return err
	}
	p := newPool(t, backend, inference.PoolConfig{Interpreters: 1, InvokeTimeout: time.Second})
	for len(priority) > 0 {
		<-priority // the warm-up
	}
	run := func(background bool) int {
		work := filled(nil)
		work.Background = background
		if _, err := p.Run(t.Context(), work); err != nil {
			t.Fatal(err)
		}
		return <-priority
	}
	usual := run(false)
	if behind := run(true); behind >= usual {
		t.Errorf("in the background the priority is %d, and %d else", behind, usual)
	}
	if after := run(false); after != usual {
		t.Errorf("then the priority is %d, and was %d", after, usual)
	}
}

package inference_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"edgelens/inference"
	"edgelens/inference/fake"
	"edgelens/internal/background"
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
	run := func(ctx context.Context) int {
		if _, err := p.Run(ctx, filled(make([]byte, p.Spec().Input.Bytes()))); err != nil {
			t.Fatal(err)
		}
		return <-priority
	}
	usual := run(t.Context())
	if behind := run(background.With(t.Context())); behind >= usual {
		t.Errorf("in the background the priority is %d, and %d else", behind, usual)
	}
	if after := run(t.Context()); after != usual {
		t.Errorf("then the priority is %d, and was %d", after, usual)
	}
}

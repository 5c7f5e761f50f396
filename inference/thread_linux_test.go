package inference_test

import (
	"syscall"
	"testing"

	"edgelens/inference"
	"edgelens/inference/fake"
)

// A tensor is filled on the thread that then runs the model, the same
// for each run of an interpreter.
func TestExecutorUsesOneThread(t *testing.T) {
	backend := fake.Image(4, 10)
	invoked := make(chan int, 1)
	backend.Graph = func(_, _ []byte) error {
		select {
		case invoked <- syscall.Gettid():
		default: // the warm-up's second run
		}
		return nil
	}
	pool := newPool(t, backend, inference.PoolConfig{Interpreters: 1})
	<-invoked // the warm-up's first
	executor := 0
	for range 20 {
		var filled int
		if _, err := pool.Run(t.Context(), filling(func([]byte) error {
			filled = syscall.Gettid()
			return nil
		})); err != nil {
			t.Fatal(err)
		}
		ran := <-invoked
		if filled != ran || executor != 0 && ran != executor {
			t.Fatalf("filled on thread %d, invoked on %d, and on %d before", filled, ran, executor)
		}
		executor = ran
	}
}

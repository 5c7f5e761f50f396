package inference_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/fake"
	"edgelens/inference/inferencetest"
	"edgelens/internal/testutil"
	"edgelens/models"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFakeFulfillsContract(t *testing.T) { inferencetest.Run(t, fake.Image(4, 10), "fake") }

func newPool(t *testing.T, backend *fake.Backend, config inference.PoolConfig) *inference.Pool {
	t.Helper()
	model, err := backend.Open("fake", inference.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if config.InvokeTimeout == 0 {
		config.InvokeTimeout = time.Minute
	}
	pool, err := inference.NewPool(model, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closePool(t, pool) })
	return pool
}

func closePool(t *testing.T, pool *inference.Pool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := pool.Close(ctx); err != nil {
		t.Error(err)
	}
}

// filled is a run on a tensor that exists already.
func filled(tensor []byte) models.Run {
	return filling(func(input []byte) error { copy(input, tensor); return nil })
}

// filling is a run on what fill writes.
func filling(fill func(tensor []byte) error) models.Run {
	return models.Run{Fill: func(tensor []byte) (models.Filled, error) {
		return models.Filled{}, fill(tensor)
	}}
}

// gate is a graph whose next runs, as many as block is, wait inside Invoke
// until it is opened. Other runs, such as warm-ups, pass.
type gate struct {
	block   atomic.Int64
	entered chan struct{}
	open    chan struct{}
}

func newGate() *gate { return &gate{entered: make(chan struct{}, 64), open: make(chan struct{})} }

func (g *gate) graph(input, output []byte) error {
	if g.block.Add(-1) >= 0 {
		g.entered <- struct{}{}
		<-g.open
	}
	copy(output, input)
	return nil
}

func gatedPool(t *testing.T, config inference.PoolConfig) (*inference.Pool, *fake.Backend, *gate) {
	t.Helper()
	g, backend := newGate(), fake.Image(4, 10)
	backend.Graph = g.graph
	pool := newPool(t, backend, config)
	g.block.Store(1)
	t.Cleanup(sync.OnceFunc(func() {
		select {
		case <-g.open:
		default:
			close(g.open)
		}
	}))
	return pool, backend, g
}

func TestPoolReturnsEachCallersOutput(t *testing.T) {
	backend := fake.Image(4, 10)
	pool := newPool(t, backend, inference.PoolConfig{Interpreters: 3})
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() {
			tensor := make([]byte, backend.In.Bytes())
			for round := range 50 {
				tensor[0] = byte(n*50 + round)
				inferred, err := pool.Run(context.Background(), filled(tensor))
				if err != nil || inferred.Output[0] != tensor[0] {
					t.Errorf("caller %d: got %v, %v", n, inferred.Output, err)
				}
			}
		})
	}
	wg.Wait()
	if got := backend.Built.Load(); got != 3 {
		t.Errorf("%d interpreters were built, want 3", got)
	}
	testutil.Eventually(t, "all idle", func() bool { return pool.Stats() == inference.PoolStats{Idle: 3} })
}

func TestSetInputRejectsWrongLength(t *testing.T) {
	model, err := fake.Image(4, 10).Open("fake", inference.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close() // a test
	interpreter, err := model.NewInterpreter()
	if err != nil {
		t.Fatal(err)
	}
	defer interpreter.Close() // a test
	for _, n := range []int{0, 5, interpreter.Input().Bytes() + 1} {
		if err := inference.SetInput(interpreter, make([]byte, n)); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%d bytes: got %v, want ErrInvalid", n, err)
		}
	}
}

// What Fill learns reaches the caller, with the times of the pool.
func TestPoolReturnsWhatFillLearns(t *testing.T) {
	backend := fake.Image(4, 10)
	backend.Graph = func(_, _ []byte) error { time.Sleep(2 * time.Millisecond); return nil }
	pool := newPool(t, backend, inference.PoolConfig{Interpreters: 1})
	facts := models.Filled{
		Image: edgelens.ImageInfo{Width: 640, Height: 480, Format: "jpeg"}, Timings: edgelens.Timings{Decode: 3, Preprocess: 4},
		View: edgelens.ShownView{View: edgelens.View{Fit: edgelens.FitSweep}, Count: 2}, More: [][]byte{make([]byte, 3)},
	}
	inferred, err := pool.Run(t.Context(), models.Run{Fill: func(tensor []byte) (models.Filled, error) {
		if len(tensor) != backend.In.Bytes() {
			t.Errorf("a tensor of %d bytes, want %d", len(tensor), backend.In.Bytes())
		}
		return facts, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := inferred.Timings
	if inferred.Image != facts.Image || inferred.View != facts.View || len(inferred.More) != 1 || got.Decode != 3 || got.Preprocess != 4 || got.Queue <= 0 || got.Inference < 2*time.Millisecond {
		t.Errorf("%+v %+v, want the facts, the times of Fill, the wait and the run", inferred.Image, got)
	}
}

// An error or a panic of fill is returned to the caller, and the
// interpreter is ready for the next run.
func TestPoolSurvivesFailingFill(t *testing.T) {
	pool := newPool(t, fake.Image(4, 10), inference.PoolConfig{Interpreters: 1})
	broken := errors.New("no image")
	if _, err := pool.Run(t.Context(), filling(func([]byte) error { return broken })); !errors.Is(err, broken) {
		t.Errorf("got %v, want fill's error", err)
	}
	func() {
		defer func() {
			if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), "a bug") {
				t.Errorf("Run panicked with %v, want fill's panic", p)
			}
		}()
		_, _ = pool.Run(t.Context(), filling(func([]byte) error { panic("a bug") }))
	}()
	testutil.Eventually(t, "it is idle again", func() bool { return pool.Stats() == inference.PoolStats{Idle: 1} })
}

// A caller whose context ends during fill waits until fill returns: its data
// belongs to the caller.
func TestPoolCallerWaitsForFill(t *testing.T) {
	backend := fake.Image(4, 10)
	pool := newPool(t, backend, inference.PoolConfig{Interpreters: 1})
	ctx, cancel := context.WithCancel(t.Context())
	begun, fill, left := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := pool.Run(ctx, filling(func([]byte) error {
			close(begun)
			<-fill
			return errors.New("no image")
		}))
		left <- err
	}()
	<-begun
	cancel()
	select {
	case err := <-left:
		t.Fatalf("Run returned %v while its tensor was being made", err)
	case <-time.After(20 * time.Millisecond): // as long as a wrong one would need, a hundred times over
	}
	close(fill)
	if err := <-left; err == nil {
		t.Error("no error")
	}
}

// Waiting callers are served in order, and canceled ones are skipped.
func TestPoolServesInOrder(t *testing.T) {
	pool, backend, g := gatedPool(t, inference.PoolConfig{Interpreters: 1})
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = pool.Run(t.Context(), filled(make([]byte, backend.In.Bytes()))) })
	<-g.entered
	var mu sync.Mutex
	var served []int
	gone, leave := context.WithCancel(t.Context())
	for n := range 5 {
		ctx := t.Context()
		if n == 2 {
			ctx = gone
		}
		wg.Go(func() {
			_, err := pool.Run(ctx, filling(func([]byte) error {
				mu.Lock()
				defer mu.Unlock()
				served = append(served, n)
				return nil
			}))
			if (n == 2) != errors.Is(err, edgelens.ErrCanceled) {
				t.Errorf("caller %d: %v", n, err)
			}
		})
		testutil.Eventually(t, "it waits", func() bool { return pool.Stats().Waiting == n+1 })
	}
	leave()
	testutil.Eventually(t, "one has left", func() bool { return pool.Stats().Waiting == 4 })
	close(g.open)
	wg.Wait()
	if want := []int{0, 1, 3, 4}; !slices.Equal(served, want) {
		t.Errorf("served %v, want %v", served, want)
	}
}

func TestPoolCallerMayCancel(t *testing.T) {
	pool, backend, g := gatedPool(t, inference.PoolConfig{Interpreters: 1})
	tensor := make([]byte, backend.In.Bytes())

	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan error, 1)
	go func() { _, err := pool.Run(ctx, filled(tensor)); left <- err }()
	<-g.entered
	cancel()
	if err := <-left; !errors.Is(err, edgelens.ErrCanceled) {
		t.Errorf("leaving while the interpreter runs: %v, want ErrCanceled", err)
	}
	// The interpreter still runs, so the next caller waits, and may cancel too.
	ctx, cancel = context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	if _, err := pool.Run(ctx, filled(tensor)); !errors.Is(err, edgelens.ErrDeadline) {
		t.Errorf("leaving while waiting: %v, want ErrDeadline", err)
	}
	// The first caller may now change its buffer.
	tensor[0] = 99
	close(g.open)
	if inferred, err := pool.Run(context.Background(), filled(make([]byte, backend.In.Bytes()))); err != nil || inferred.Output[0] != 0 {
		t.Errorf("after the interpreter came back: %v, %v", inferred.Output, err)
	}
}

func TestPoolQuarantinesStuckInterpreter(t *testing.T) {
	pool, backend, g := gatedPool(t, inference.PoolConfig{Interpreters: 1, InvokeTimeout: 100 * time.Millisecond, MaxStuck: 1})
	tensor := make([]byte, backend.In.Bytes())
	if _, err := pool.Run(context.Background(), filled(tensor)); !errors.Is(err, edgelens.ErrInference) {
		t.Errorf("the stuck run: %v, want ErrInference", err)
	}
	inferred, err := pool.Run(context.Background(), filled(tensor))
	if err != nil || len(inferred.Output) != 10 {
		t.Errorf("the replacement: %v, %v", inferred.Output, err)
	}
	testutil.Eventually(t, "one idle, one stuck", func() bool { return pool.Stats() == inference.PoolStats{Idle: 1, Stuck: 1} })
	if closed := backend.Closed.Load(); closed != 0 {
		t.Errorf("%d interpreters were freed while running", closed)
	}
	close(g.open)
	testutil.Eventually(t, "the stuck one is freed", func() bool { return backend.Closed.Load() == 1 })
	if got := pool.Stats(); got != (inference.PoolStats{Idle: 1}) {
		t.Errorf("after it came back: %+v", got)
	}
}

func TestPoolShrinksWhenTooManyAreStuck(t *testing.T) {
	pool, backend, g := gatedPool(t, inference.PoolConfig{Interpreters: 1, InvokeTimeout: 50 * time.Millisecond, MaxStuck: 1})
	tensor := make([]byte, backend.In.Bytes())
	for range 2 {
		testutil.Eventually(t, "an interpreter is there", func() bool { return pool.Stats().Idle == 1 })
		g.block.Store(1)
		if _, err := pool.Run(context.Background(), filled(tensor)); !errors.Is(err, edgelens.ErrInference) {
			t.Errorf("a stuck run: %v, want ErrInference", err)
		}
	}
	testutil.Eventually(t, "two stuck, none left", func() bool { return pool.Stats() == inference.PoolStats{Stuck: 2} })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	if _, err := pool.Run(ctx, filled(tensor)); !errors.Is(err, edgelens.ErrDeadline) {
		t.Errorf("with no interpreter left: %v, want ErrDeadline", err)
	}
	if built := backend.Built.Load(); built != 2 {
		t.Errorf("%d interpreters were built, want 2", built)
	}
	close(g.open)
}

func TestPoolReportsFailingInterpreter(t *testing.T) {
	backend := fake.Image(4, 10)
	var fail atomic.Bool
	backend.Graph = func(input, output []byte) error {
		if fail.Load() {
			return errors.New("no such operator")
		}
		return nil
	}
	pool := newPool(t, backend, inference.PoolConfig{Interpreters: 1})
	fail.Store(true)
	tensor := make([]byte, backend.In.Bytes())
	if _, err := pool.Run(context.Background(), filled(tensor)); !errors.Is(err, edgelens.ErrInference) {
		t.Errorf("got %v, want ErrInference", err)
	}
	fail.Store(false)
	if _, err := pool.Run(context.Background(), filled(tensor)); err != nil {
		t.Errorf("the interpreter did not survive its own error: %v", err)
	}
}

func TestNewPoolFreesEverythingWhenItFails(t *testing.T) {
	backend := fake.Image(4, 10)
	backend.Graph = func(_, _ []byte) error { return errors.New("broken") }
	model, err := backend.Open("fake", inference.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = inference.NewPool(model, inference.PoolConfig{Interpreters: 2, InvokeTimeout: time.Minute})
	if !errors.Is(err, edgelens.ErrModel) {
		t.Errorf("got %v, want ErrModel", err)
	}
	if backend.Built.Load() != backend.Closed.Load() || backend.ModelsClosed.Load() != 1 {
		t.Errorf("built %d, closed %d, models closed %d", backend.Built.Load(), backend.Closed.Load(), backend.ModelsClosed.Load())
	}
}

func TestPoolClose(t *testing.T) {
	t.Run("waits for what runs", func(t *testing.T) {
		pool, backend, g := gatedPool(t, inference.PoolConfig{Interpreters: 2})
		tensor := make([]byte, backend.In.Bytes())
		answered := make(chan error, 1)
		go func() { _, err := pool.Run(context.Background(), filled(tensor)); answered <- err }()
		<-g.entered
		closed := make(chan error, 1)
		go func() { closed <- pool.Close(context.Background()) }()
		testutil.Eventually(t, "new work is refused", func() bool {
			_, err := pool.Run(context.Background(), filled(tensor))
			return errors.Is(err, edgelens.ErrStopping)
		})
		close(g.open)
		if err := errors.Join(<-answered, <-closed); err != nil {
			t.Error(err)
		}
		if backend.Closed.Load() != 2 || backend.ModelsClosed.Load() != 1 {
			t.Errorf("closed %d interpreters, %d models", backend.Closed.Load(), backend.ModelsClosed.Load())
		}
		closePool(t, pool) // again
	})
	t.Run("leaks rather than frees running interpreters", func(t *testing.T) {
		g, backend := newGate(), fake.Image(4, 10)
		backend.Graph = g.graph
		model, err := backend.Open("fake", inference.Options{})
		if err != nil {
			t.Fatal(err)
		}
		pool, err := inference.NewPool(model, inference.PoolConfig{Interpreters: 1, InvokeTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		g.block.Store(1)
		run := make(chan struct{})
		go func() { _, _ = pool.Run(context.Background(), filled(make([]byte, backend.In.Bytes()))); close(run) }()
		<-g.entered
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		defer cancel()
		if err := pool.Close(ctx); !errors.Is(err, edgelens.ErrDeadline) {
			t.Errorf("got %v, want ErrDeadline", err)
		}
		if backend.ModelsClosed.Load() != 0 || backend.Closed.Load() != 0 {
			t.Error("something was freed under a running Invoke")
		}
		close(g.open)
		<-run
		testutil.Eventually(t, "the interpreter is freed when it comes back", func() bool { return backend.Closed.Load() == 1 })
	})
}

func BenchmarkPoolRun(b *testing.B) {
	backend := fake.Image(224, 1001)
	backend.Graph = func(_, _ []byte) error { return nil }
	model, err := backend.Open("fake", inference.Options{})
	if err != nil {
		b.Fatal(err)
	}
	pool, err := inference.NewPool(model, inference.PoolConfig{Interpreters: 2, InvokeTimeout: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close(context.Background()) // a benchmark
	tensor := make([]byte, backend.In.Bytes())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pool.Run(context.Background(), filled(tensor)); err != nil {
			b.Fatal(err)
		}
	}
}

// Urgent runs go ahead of those that wait, in order among themselves.
func TestUrgentRunsGoAhead(t *testing.T) {
	backend := fake.Image(4, 10)
	p := newPool(t, backend, inference.PoolConfig{Interpreters: 1, InvokeTimeout: 10 * time.Second})
	order := make(chan string, 5)
	free := make(chan struct{})
	var running sync.WaitGroup
	start := func(name string, urgent bool) {
		work := filling(func([]byte) error {
			if order <- name; name == "at work" {
				<-free
			}
			return nil
		})
		work.Urgent = urgent
		running.Go(func() {
			if _, err := p.Run(t.Context(), work); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		if name == "at work" {
			testutil.Eventually(t, "it runs", func() bool { return len(order) == 1 })
		}
	}
	start("at work", false)
	for i, next := range []struct {
		name   string
		urgent bool
	}{{"first", false}, {"door", true}, {"second", false}, {"another door", true}} {
		start(next.name, next.urgent)
		testutil.Eventually(t, "it waits", func() bool { return p.Stats().Waiting == i+1 })
	}
	close(free)
	running.Wait()
	close(order)
	var got []string
	for name := range order {
		got = append(got, name)
	}
	if want := []string{"at work", "door", "another door", "first", "second"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

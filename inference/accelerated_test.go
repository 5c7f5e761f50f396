package inference_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/fake"
	"edgelens/internal/testutil"
	"edgelens/models"
)

// twoDevices opens models on a processor or on an accelerator.
type twoDevices struct{ cpu, gpu *fake.Backend }

func newTwoDevices() *twoDevices {
	d := &twoDevices{fake.Image(4, 10), fake.Image(4, 10)}
	d.cpu.Runs = inference.Delegation{Runtime: inference.RuntimeTFLite, Version: "1", Delegate: inference.DelegateXNNPACK}
	d.gpu.Runs = inference.Delegation{Runtime: inference.RuntimeLiteRT, Version: "2", Delegate: inference.DelegateNone, Accelerator: inference.AcceleratorGPU, Adapter: "V3D"}
	return d
}

func (d *twoDevices) Open(path string, options inference.Options) (inference.Model, error) {
	if options.Accelerator != "" {
		return d.gpu.Open(path, options)
	}
	return d.cpu.Open(path, options)
}

// acceleratedLoader is a Loader of one model with an accelerator.
type acceleratedLoader struct {
	*inference.Loader
	t       *testing.T
	spec    *models.Spec
	metrics *prometheus.Registry
}

func newAcceleratedLoader(t *testing.T, devices *twoDevices, checker inference.Checker, timeout time.Duration) *acceleratedLoader {
	t.Helper()
	l := &acceleratedLoader{t: t, metrics: prometheus.NewRegistry()}
	var log testutil.LogBuffer
	l.Loader = inference.NewLoader(inference.Config{Interpreters: 1, Threads: 1, InvokeTimeout: timeout, Accelerators: []string{inference.AcceleratorGPU}}, inference.LoaderParts{
		Registry: oneModel{}, Backend: devices, Checker: checker, Log: log.Logger(), Metrics: l.metrics,
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	var err error
	if l.spec, err = l.Describe(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *acceleratedLoader) gpu() edgelens.ModelAccelerator { return l.Accelerators()["cats"][0] }

func (l *acceleratedLoader) await(state edgelens.AcceleratorState) {
	l.t.Helper()
	testutil.Eventually(l.t, "the accelerator is "+string(state), func() bool { return l.gpu().State == state })
}

// run runs the model on a tensor that begins with a value, which is also the output's first.
func (l *acceleratedLoader) run(value byte) (accelerator string, output byte, err error) {
	var fills atomic.Int32
	inferred, err := l.Run(l.t.Context(), l.spec, filling(func(tensor []byte) error {
		if fills.Add(1) > 1 {
			l.t.Error("Fill is called twice")
		}
		tensor[0] = value
		return nil
	}))
	if err != nil {
		return "", 0, err
	}
	return inferred.Accelerator, inferred.Output[0], nil
}

func (l *acceleratedLoader) mustRun(value byte, want string) {
	l.t.Helper()
	if accelerator, output, err := l.run(value); err != nil || output != value || accelerator != want {
		l.t.Errorf("%d on %q, %v, want %d on %q", output, accelerator, err, value, want)
	}
}

// The accelerator takes a run, and the one that waits for it; the processor takes the others.
func TestAcceleratorAndProcessorShareRuns(t *testing.T) {
	devices, g := newTwoDevices(), newGate()
	devices.gpu.Graph = g.graph
	l := newAcceleratedLoader(t, devices, nil, time.Minute)
	l.await(edgelens.AcceleratorReady)
	if got := l.gpu(); got.Adapter != "V3D" || got.Checked.Result != edgelens.CheckOff {
		t.Errorf("%+v", got)
	}
	l.mustRun(1, "gpu")
	g.block.Store(1)
	var wg sync.WaitGroup
	for range inference.AcceleratedRuns {
		wg.Go(func() { l.mustRun(2, "gpu") })
	}
	<-g.entered
	testutil.Eventually(t, "the other one waits", func() bool { return l.AcceleratorHas("cats") == inference.AcceleratedRuns })
	l.mustRun(3, "") // it is too much
	close(g.open)
	wg.Wait()
	l.mustRun(4, "gpu")
	got := testutil.Metrics(t, l.metrics)
	if got["edgelens_accelerator_ready gpu cats"] != 1 || got["edgelens_accelerator_runs_total gpu cats"] < 4 {
		t.Errorf("%v", got)
	}
}

// An accelerator that fails or hangs is not used any more: its runs, also those that wait for it,
// are answered by the processor, from the tensor that was filled.
func TestProcessorTakesOver(t *testing.T) {
	for name, fail := range map[string]func(*testing.T) error{
		"fails": func(*testing.T) error { return errors.New("device lost") },
		"hangs": func(t *testing.T) error { <-t.Context().Done(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			devices := newTwoDevices()
			var broken atomic.Bool
			devices.gpu.Graph = func(input, output []byte) error {
				if broken.Load() {
					return fail(t)
				}
				copy(output, input)
				return nil
			}
			l := newAcceleratedLoader(t, devices, nil, 200*time.Millisecond)
			l.await(edgelens.AcceleratorReady)
			broken.Store(true)
			var wg sync.WaitGroup
			for n := range byte(8) {
				wg.Go(func() { l.mustRun(n, "") })
			}
			wg.Wait()
			got := l.gpu()
			if got.State != edgelens.AcceleratorOff || got.Reason != inference.AcceleratorRunFailed || got.Problem == "" {
				t.Errorf("%+v", got)
			}
			l.mustRun(9, "")
			if got := testutil.Metrics(t, l.metrics); got["edgelens_accelerator_ready gpu cats"] != 0 || got["edgelens_accelerator_failures_total gpu cats run_failed"] != 1 {
				t.Errorf("%v", got)
			}
		})
	}
}

// An accelerator that cannot be used is described, and the processor serves.
func TestAcceleratorThatCannotBeUsed(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*twoDevices)
		checker inference.Checker
		problem string
		reason  string
	}{
		"not installed": {func(d *twoDevices) {
			d.gpu.OpenError = &inference.AcceleratorError{Accelerator: "gpu", Reason: inference.AcceleratorNotInstalled, Err: fmt.Errorf("%w: it is %w", edgelens.ErrModel, inference.ErrNotInstalled)}
		}, nil, "not installed", inference.AcceleratorNotInstalled},
		"fails at once":      {func(d *twoDevices) { d.gpu.Graph = func(_, _ []byte) error { return errors.New("no") } }, nil, "fails on an image of noise", inference.AcceleratorUnsupported},
		"other tensors":      {func(d *twoDevices) { d.gpu.Out.Scale *= 2 }, nil, "its tensors are others", inference.AcceleratorUnsupported},
		"computes wrongly":   {func(*twoDevices) {}, verdicts{"litert none": edgelens.CheckFailed}, "not known to be right", inference.AcceleratorWrongResults},
		"cannot be compared": {func(*twoDevices) {}, verdicts{"litert none": edgelens.CheckUnknown}, "not known to be right", inference.AcceleratorWrongResults},
	} {
		t.Run(name, func(t *testing.T) {
			devices := newTwoDevices()
			c.change(devices)
			l := newAcceleratedLoader(t, devices, c.checker, time.Minute)
			l.await(edgelens.AcceleratorOff)
			if got := l.gpu(); !strings.Contains(got.Problem, c.problem) || got.Reason != c.reason || got.Checked != nil {
				t.Errorf("%+v, want %q", got, c.problem)
			}
			l.mustRun(1, "")
		})
	}
}

// An image that cannot be decoded is not a failure of the accelerator, and neither is a caller
// that leaves.
func TestFailedFillKeepsAccelerator(t *testing.T) {
	l := newAcceleratedLoader(t, newTwoDevices(), nil, time.Minute)
	l.await(edgelens.AcceleratorReady)
	broken := errors.New("no image")
	if _, err := l.Run(t.Context(), l.spec, filling(func([]byte) error { return broken })); !errors.Is(err, broken) {
		t.Errorf("got %v, want Fill's error", err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := l.Run(gone, l.spec, filled(nil)); !errors.Is(err, edgelens.ErrCanceled) {
		t.Errorf("got %v, want ErrCanceled", err)
	}
	l.mustRun(1, "gpu")
}

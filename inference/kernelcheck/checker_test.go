package kernelcheck_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/fake"
	"edgelens/inference/kernelcheck"
	"edgelens/internal/testutil"
	"edgelens/models"
)

// kernels is a Backend of a model that ranks ten classes by the colors of an image. Without
// a delegate it is right; with one, it does what wrong does to the output.
type kernels struct {
	wrong func(output []byte)
	// noReference is the error of opening the model without a delegate, by runtime.
	noReference map[string]error
	accelerator string

	reference, fast atomic.Int64 // Invokes
	mu              sync.Mutex
	opened          []*fake.Backend
}

func (k *kernels) Open(path string, options inference.Options) (inference.Model, error) {
	runtime := options.Runtime
	if runtime == "" {
		runtime = inference.RuntimeTFLite
	}
	b := fake.Image(16, 10)
	b.Runs = inference.Delegation{Runtime: runtime, Version: "1.2", Delegate: inference.DelegateNone}
	b.Graph = func(input, output []byte) error { rank(input, output); k.reference.Add(1); return nil }
	if options.Delegate == inference.DelegateNone {
		if err := k.noReference[runtime]; err != nil {
			return nil, err
		}
	} else {
		b.Runs.Delegate, b.Runs.Accelerator = inference.DelegateXNNPACK, k.accelerator
		b.Graph = func(input, output []byte) error {
			rank(input, output)
			if k.wrong != nil {
				k.wrong(output)
			}
			k.fast.Add(1)
			return nil
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.opened = append(k.opened, b)
	return b.Open(path, options)
}

// rank puts the class first that the sum of the pixels gives.
func rank(input, output []byte) {
	sum := 0
	for i, v := range input {
		sum += int(v) * (1 + i%7)
	}
	for c := range output {
		output[c] = 10
	}
	output[sum/997%len(output)] = 200
}

// bench is a data folder with what may change between two starts.
type bench struct {
	kernels
	dir                string
	model              string
	library, processor string
	unreadable         error
	log                testutil.LogBuffer
}

func newBench(t *testing.T) *bench {
	return &bench{dir: filepath.Join(t.TempDir(), "checked"), model: "sha256:01", library: "sha256:02", processor: "sha256:03"}
}

// load loads the model as a start of the program does, and returns what Compare returned
// with how many Invokes it took of the kernels compared and of the reference.
func (b *bench) load(ctx context.Context, t *testing.T) (check edgelens.KernelCheck, fast, reference int64) {
	t.Helper()
	config := inference.DefaultConfig()
	c := kernelcheck.New(kernelcheck.Config{
		Backend: b, Inference: config, Dir: b.dir, Log: b.log.Logger(),
		LibraryDigest: func(string) (string, error) { return b.library, b.unreadable },
		Processor:     func() (string, error) { return b.processor, b.unreadable },
	})
	model, err := b.Open("model", inference.Options{Delegate: inference.DelegateAuto})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := inference.NewPool(model, inference.PoolConfig{Interpreters: 1, InvokeTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	spec := &models.Spec{Model: models.Model{ModelRef: edgelens.ModelRef{Name: "cats", Digest: b.model}}, Output: pool.Spec().Output}
	if spec.Input, err = models.NewInputSpec(pool.Spec().Input, nil); err != nil {
		t.Fatal(err)
	}
	fast, reference = b.fast.Load(), b.reference.Load()
	check = c.Start(spec.Model).Compare(ctx, spec, pool)
	fast, reference = b.fast.Load()-fast, b.reference.Load()-reference
	if err := pool.Close(context.Background()); err != nil {
		t.Error(err)
	}
	for _, o := range b.opened {
		if o.Built.Load() != o.Closed.Load() || o.Opened.Load() != o.ModelsClosed.Load() {
			t.Errorf("%d interpreters of %d and %d models of %d closed", o.Closed.Load(), o.Built.Load(), o.ModelsClosed.Load(), o.Opened.Load())
		}
	}
	return check, fast, reference
}

func reversed(output []byte) {
	for i := range len(output) / 2 {
		output[i], output[len(output)-1-i] = output[len(output)-1-i], output[i]
	}
}

// The reference runs at most ten times, once: its verdict stands until something changes
// that it depends on.
func TestVerdictIsKept(t *testing.T) {
	for name, wrong := range map[string]func([]byte){"passed": nil, "failed": reversed} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.wrong = wrong
			first, fast, reference := b.load(t.Context(), t)
			if first.Result != edgelens.CheckResult(name) || fast != 10 || reference != 10 || first.Against != "tflite 1.2 without a delegate" || first.Images != 10 || first.At.IsZero() {
				t.Fatalf("%+v after %d and %d runs\n%s", first, fast, reference, b.log.String())
			}
			again, fast, reference := b.load(t.Context(), t)
			if again.Result != first.Result || again.Reason != first.Reason || !again.At.Equal(first.At) || *again.Correlation != *first.Correlation ||
				again.ClearImages != first.ClearImages || again.OtherFirstClasses != first.OtherFirstClasses || again.Against != first.Against || fast+reference != 0 {
				t.Errorf("then %+v after %d and %d runs", again, fast, reference)
			}
			for change, apply := range map[string]func(){
				"model": func() { b.model = "sha256:11" }, "library": func() { b.library = "sha256:12" }, "processor": func() { b.processor = "sha256:13" },
			} {
				apply()
				if _, _, reference := b.load(t.Context(), t); reference != 10 {
					t.Errorf("with another %s: %d runs of the reference", change, reference)
				}
			}
		})
	}
}

func TestDamagedVerdict(t *testing.T) {
	for name, damage := range map[string]func(data string) string{
		"empty":            func(string) string { return "" },
		"cut":              func(data string) string { return data[:len(data)/2] },
		"other result":     func(data string) string { return strings.Replace(data, `"failed"`, `"passed"`, 1) },
		"other figure":     func(data string) string { return strings.Replace(data, `"clear_images": 10`, `"clear_images": 9`, 1) },
		"unknown member":   func(data string) string { return strings.Replace(data, "{", `{"more": 1,`, 1) },
		"of another model": func(data string) string { return strings.Replace(data, "sha256:01", "sha256:09", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.wrong = reversed
			b.load(t.Context(), t)
			files, err := filepath.Glob(filepath.Join(b.dir, "*.json"))
			if err != nil || len(files) != 1 {
				t.Fatalf("%v, %v", files, err)
			}
			data, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			damaged := damage(string(data))
			if damaged == string(data) {
				t.Fatalf("not damaged: %s", data)
			}
			if err := os.WriteFile(files[0], []byte(damaged), 0o600); err != nil {
				t.Fatal(err)
			}
			if check, _, reference := b.load(t.Context(), t); check.Result != edgelens.CheckFailed || reference != 10 || !b.log.Contains("event=kernel_check_damaged") {
				t.Errorf("%+v after %d runs\n%s", check, reference, b.log.String())
			}
			if _, _, reference := b.load(t.Context(), t); reference != 0 {
				t.Errorf("not repaired: %d runs", reference)
			}
		})
	}
}

func TestVerdictIsNotKept(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bench)
		reason string
	}{
		"unreadable":  {func(b *bench) { b.unreadable = errors.New("no permission") }, "no permission"},
		"accelerator": {func(b *bench) { b.accelerator = inference.AcceleratorGPU }, "driver is not known"},
		"no digest":   {func(b *bench) { b.model = "" }, "no digest"},
		"no folder":   {func(b *bench) { b.dir = "" }, "no data folder"},
		"no place":    {func(b *bench) { b.dir = "/dev/null/checked" }, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c.change(b)
			for range 2 {
				if check, _, reference := b.load(t.Context(), t); check.Result != edgelens.CheckPassed || reference != 10 {
					t.Errorf("%+v after %d runs", check, reference)
				}
			}
			if !b.log.Contains("event=kernel_check_not_stored") || !b.log.Contains(c.reason) {
				t.Error(b.log.String())
			}
		})
	}
}

// Where there is no reference, the result is unknown, is not kept, and says why.
func TestNoReference(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	missing := &inference.OperatorError{Operator: "CONV_2D", Version: "9", Err: &inference.RuntimeError{Sentence: "it needs another"}}
	for name, c := range map[string]struct {
		ctx         context.Context
		noReference map[string]error
		want        edgelens.CheckResult
		against     string
		reason      string
	}{
		"cannot be opened":          {t.Context(), map[string]error{"tflite": errors.New("out of memory")}, edgelens.CheckUnknown, "", "out of memory"},
		"interrupted":               {canceled, nil, edgelens.CheckUnknown, "", "interrupted"},
		"for LiteRT only":           {t.Context(), map[string]error{"tflite": missing}, edgelens.CheckPassed, "litert 1.2 without a delegate", ""},
		"LiteRT cannot open either": {t.Context(), map[string]error{"tflite": missing, "litert": errors.New("not there")}, edgelens.CheckUnknown, "", "not there"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.noReference = c.noReference
			check, _, _ := b.load(c.ctx, t)
			if check.Result != c.want || check.Against != c.against || !strings.Contains(check.Reason, c.reason) {
				t.Errorf("%+v", check)
			}
			if files, err := filepath.Glob(filepath.Join(b.dir, "*")); err != nil || (len(files) > 0) != (c.want == edgelens.CheckPassed) {
				t.Errorf("kept %v, %v", files, err)
			}
		})
	}
}

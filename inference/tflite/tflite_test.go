//go:build cgo

package tflite_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/inferencetest"
	"edgelens/inference/tflite"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

func write(t testing.TB, model []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.tflite")
	if err := os.WriteFile(path, model, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestContract(t *testing.T) {
	for _, dtype := range []models.DType{models.Uint8, models.Int8, models.Float32} {
		t.Run(dtype.String(), func(t *testing.T) {
			inferencetest.Run(t, tflite.New(), write(t, modeltest.Mean(modeltest.Options{Side: 8, DType: dtype, Softmax: true})))
		})
	}
}

func build(t testing.TB, path, delegate string) inference.Interpreter {
	t.Helper()
	m, err := tflite.New().Open(path, inference.Options{Threads: 1, Delegate: delegate})
	if err != nil {
		t.Fatal(err)
	}
	i, err := m.NewInterpreter()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(i.Close(), m.Close()); err != nil {
			t.Error(err)
		}
	})
	return i
}

// The delegate supports int8, uint8 and float32 graphs, most operators of each. What it
// took is counted; it must not be lost in silence.
func TestDelegation(t *testing.T) {
	const some, none = inference.DelegateXNNPACK, inference.DelegateNone
	for name, c := range map[string]struct {
		file, asked string
		want        inference.Delegation
	}{
		"int8":             {"tf2_mobilenet_v2_1.0_224_ptq.tflite", inference.DelegateAuto, inference.Delegation{Delegate: some, Operators: 68, Delegated: 65}},
		"int8, not wanted": {"tf2_mobilenet_v2_1.0_224_ptq.tflite", none, inference.Delegation{Delegate: none, Operators: 68}},
		"uint8":            {"mobilenet_v2_1.0_224_quant.tflite", inference.DelegateAuto, inference.Delegation{Delegate: some, Operators: 66, Delegated: 64}},
		"small uint8":      {"mobilenet_v1_0.25_128_quant.tflite", inference.DelegateAuto, inference.Delegation{Delegate: some, Operators: 31, Delegated: 29}},
	} {
		t.Run(name, func(t *testing.T) {
			i := build(t, testutil.Shared(t, "models", c.file), c.asked)
			c.want.Runtime, c.want.Version = inference.RuntimeTFLite, tflite.New().Version()
			if got := i.Delegation(); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if err := errors.Join(inference.SetInput(i, make([]byte, i.Input().Bytes())), i.Invoke()); err != nil {
				t.Error(err)
			}
		})
	}
}

// averagePool is a model of one operator that XNNPACK does not take in uint8.
func averagePool(t *testing.T) []byte {
	t.Helper()
	g := &tflitefile.Subgraph{Name: "main"}
	value := func(name string, side int) int {
		return g.Add(&tflitefile.Tensor{Name: name, Shape: []int{1, side, side, 3}, Type: tflitefile.Uint8,
			Quantization: &tflitefile.Quantization{Scale: []float32{1.0 / 256}, ZeroPoint: []int64{0}}})
	}
	g.Inputs, g.Outputs = []int{value("image", 8)}, []int{value("pooled", 4)}
	g.Operators = []*tflitefile.Operator{{Code: tflitefile.AveragePool2D, Inputs: g.Inputs, Outputs: g.Outputs,
		Options: &tflitefile.Pool2DOptions{FilterH: 2, FilterW: 2, StrideH: 2, StrideW: 2}}}
	file, err := (&tflitefile.Model{Subgraphs: []*tflitefile.Subgraph{g}}).Write()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// A model of which XNNPACK takes nothing, or on which it fails, has no delegate, and the
// reason.
func TestDelegateRefusal(t *testing.T) {
	for name, c := range map[string]struct {
		model     []byte
		operators int
		want      string
	}{
		"no operator":  {averagePool(t), 1, "none of its operators"},
		"no whole net": {modeltest.Network(tflitefile.Int8), 10, "fails on it: failed to delegate FULLY_CONNECTED"},
	} {
		t.Run(name, func(t *testing.T) {
			got := build(t, write(t, c.model), inference.DelegateAuto).Delegation()
			if got.Delegate != inference.DelegateNone || got.Delegated != 0 || got.Operators != c.operators || !strings.Contains(got.Refusal, c.want) {
				t.Errorf("got %+v, want %q", got, c.want)
			}
		})
	}
}

// Every unusable file is rejected with a sentence on the cause.
func TestUnusableFiles(t *testing.T) {
	good := modeltest.Mean(modeltest.Options{Side: 8, DType: models.Uint8, Softmax: true})
	for name, c := range map[string]struct {
		model []byte
		want  string
	}{
		"empty":            {nil, "too short for a TFLite model"},
		"web page":         {[]byte("<!doctype html><title>404</title>"), "is a web page"},
		"cut short":        {good[:len(good)/2], "truncated"},
		"identifier alone": {good[:8], "truncated"},
		"two outputs":      {modeltest.TwoOutputs(modeltest.Options{Side: 8, DType: models.Uint8}), "2 outputs"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := tflite.New().Open(write(t, c.model), inference.Options{Threads: 1, Delegate: inference.DelegateAuto})
			if err == nil {
				defer m.Close() // a test
				_, err = m.NewInterpreter()
			}
			if !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want ErrModel with %q", err, c.want)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		if _, err := tflite.New().Open(filepath.Join(t.TempDir(), "none.tflite"), inference.Options{}); !errors.Is(err, edgelens.ErrModel) {
			t.Errorf("got %v, want ErrModel", err)
		}
	})
}

// TestErrorText proves that TFLite's own messages reach the error, by way of the
// report that reads a field of go-tflite's InterpreterOptions.
func TestErrorText(t *testing.T) {
	t.Run("while building", func(t *testing.T) {
		read, err := tflitefile.Read(modeltest.Mean(modeltest.Options{Side: 8}))
		if err != nil {
			t.Fatal(err)
		}
		read.Main().Operators[0].Version = 12
		file, err := read.Write()
		if err != nil {
			t.Fatal(err)
		}
		m, err := tflite.New().Open(write(t, file), inference.Options{Threads: 1, Delegate: inference.DelegateAuto})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close() // a test
		var words *inference.RuntimeError
		if _, err = m.NewInterpreter(); !errors.Is(err, edgelens.ErrModel) || !errors.As(err, &words) || !strings.Contains(err.Error(), "version 12 of the operator AVERAGE_POOL_2D") || !strings.Contains(words.Detail, "AVERAGE_POOL_2D") {
			t.Errorf("got %v, want ErrModel that names the operator and what to do", err)
		}
	})
	t.Run("while running", func(t *testing.T) {
		i := build(t, write(t, modeltest.FailingInvoke(modeltest.Options{Side: 8, DType: models.Uint8})), inference.DelegateNone)
		for range 3 { // the report must not run full
			if err := inference.SetInput(i, make([]byte, i.Input().Bytes())); err != nil {
				t.Fatal(err)
			}
			err := i.Invoke()
			if !errors.Is(err, edgelens.ErrInference) || !strings.Contains(err.Error(), "failed to invoke") {
				t.Fatalf("got %v, want ErrInference in TensorFlow Lite's words", err)
			}
		}
	})
}

// A model that fails on every image must not become ready.
func TestPoolRejectsFailingModel(t *testing.T) {
	m, err := tflite.New().Open(write(t, modeltest.FailingInvoke(modeltest.Options{Side: 8, DType: models.Uint8})), inference.Options{Threads: 1, Delegate: inference.DelegateAuto})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inference.NewPool(m, inference.PoolConfig{Interpreters: 2, InvokeTimeout: time.Minute}); !errors.Is(err, edgelens.ErrModel) {
		t.Errorf("got %v, want ErrModel", err)
	}
}

// Opening and closing a pool again and again must not grow the process.
func TestPoolDoesNotLeak(t *testing.T) {
	path := testutil.Shared(t, "models", "mobilenet_v1_0.25_128_quant.tflite")
	cycle := func() {
		m, err := tflite.New().Open(path, inference.Options{Threads: 1, Delegate: inference.DelegateAuto})
		if err != nil {
			t.Fatal(err)
		}
		p, err := inference.NewPool(m, inference.PoolConfig{Interpreters: 2, InvokeTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	// The allocators of C and Go keep some memory for up to some fifty cycles
	// (measured: flat from there on, with and without the race detector).
	for range 50 {
		cycle()
	}
	before := resident(t)
	const cycles = 60
	for range cycles {
		cycle()
	}
	// One interpreter holds over 500 kB, so a leak of one in each cycle would
	// show as 30 MB and more; flat is within 3 MB.
	if grown := resident(t) - before; grown > 12<<20 {
		t.Errorf("%d cycles grew the process by %d kB", cycles, grown>>10)
	}
}

func resident(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc/self/status here")
	}
	for line := range strings.Lines(string(status)) {
		var kB int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kB); n == 1 {
			return kB << 10
		}
	}
	t.Fatal("no VmRSS in /proc/self/status")
	return 0
}

func BenchmarkInvoke(b *testing.B) {
	for name, file := range map[string]string{
		"int8":          "tf2_mobilenet_v2_1.0_224_ptq.tflite",
		"uint8":         "mobilenet_v2_1.0_224_quant.tflite",
		"uint8-v1-0.25": "mobilenet_v1_0.25_128_quant.tflite",
	} {
		b.Run(name, func(b *testing.B) {
			i := build(b, testutil.Shared(b, "models", file), inference.DelegateAuto)
			b.ReportAllocs()
			for b.Loop() {
				if err := i.Invoke(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A model still works after its file is overwritten and truncated: people copy new
// models over old ones.
func TestModelSurvivesChangedFile(t *testing.T) {
	path := write(t, modeltest.Network(tflitefile.Float32))
	i := build(t, path, inference.DelegateNone)
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(inference.SetInput(i, make([]byte, i.Input().Bytes())), i.Invoke()); err != nil {
		t.Error(err)
	}
}

// The file that was checked is the one that is opened.
func TestDigest(t *testing.T) {
	file := modeltest.Network(tflitefile.Float32)
	path, sum := write(t, file), sha256.Sum256(file)
	options := inference.Options{Threads: 1, Delegate: inference.DelegateNone, Digest: "sha256:" + hex.EncodeToString(sum[:])}
	m, err := tflite.New().Open(path, options)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, modeltest.Network(tflitefile.Int8), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tflite.New().Open(path, options); !errors.Is(err, edgelens.ErrBusy) || errors.Is(err, edgelens.ErrModel) {
		t.Errorf("got %v, want ErrBusy: to be asked again", err)
	}
}

//go:build cgo && linux

package litert_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/inferencetest"
	"edgelens/inference/litert"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

// root skips the test where the library is absent.
func root(t testing.TB) string {
	t.Helper()
	folder := os.Getenv(litert.RootVariable)
	if folder == "" {
		t.Skipf("LiteRT is not installed: make setup RUNTIME=litert fetches it, and %s names its folder", litert.RootVariable)
	}
	return folder
}

// backend returns LiteRT for one test.
func backend(t testing.TB) *litert.Backend {
	t.Helper()
	b, err := litert.New(litert.Config{Path: root(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func write(t testing.TB, model []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.tflite")
	if err := os.WriteFile(path, model, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func options(delegate string) inference.Options {
	return inference.Options{Threads: 1, Delegate: delegate}
}

// open returns a model with an interpreter, which the test closes.
func open(t testing.TB, b inference.Backend, path, delegate string) (inference.Model, inference.Interpreter) {
	t.Helper()
	m, err := b.Open(path, options(delegate))
	if err != nil {
		t.Fatal(err)
	}
	i, err := m.NewInterpreter()
	if err != nil {
		t.Fatal(errors.Join(err, m.Close()))
	}
	return m, i
}

// build returns an interpreter that is closed with the test.
func build(t testing.TB, b inference.Backend, path, delegate string) inference.Interpreter {
	t.Helper()
	m, i := open(t, b, path, delegate)
	t.Cleanup(func() {
		if err := errors.Join(i.Close(), m.Close()); err != nil {
			t.Error(err)
		}
	})
	return i
}

// answer returns the output for an input.
func answer(t testing.TB, i inference.Interpreter, input []byte) []byte {
	t.Helper()
	output := make([]byte, i.Output().Bytes())
	if err := errors.Join(inference.SetInput(i, input), i.Invoke(), i.ReadOutput(output)); err != nil {
		t.Fatal(err)
	}
	return output
}

func TestContract(t *testing.T) {
	b := backend(t)
	for _, dtype := range []models.DType{models.Uint8, models.Int8, models.Float32} {
		t.Run(dtype.String(), func(t *testing.T) {
			inferencetest.Run(t, b, write(t, modeltest.Mean(modeltest.Options{Side: 8, DType: dtype, Softmax: true})))
		})
	}
}

// Every unusable file is rejected with a sentence on the cause.
func TestUnusableFiles(t *testing.T) {
	b := backend(t)
	good := modeltest.Mean(modeltest.Options{Side: 8, DType: models.Uint8, Softmax: true})
	for name, c := range map[string]struct {
		model []byte
		want  string
	}{
		"empty":       {nil, "too short for a TFLite model"},
		"cut short":   {good[:len(good)/2], "truncated"},
		"two outputs": {modeltest.TwoOutputs(modeltest.Options{Side: 8, DType: models.Uint8}), "2 outputs"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.Open(write(t, c.model), options(inference.DelegateAuto))
			if !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want ErrModel with %q", err, c.want)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "none.tflite")
		if _, err := b.Open(path, options(inference.DelegateAuto)); !errors.Is(err, edgelens.ErrModel) || strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want ErrModel without the path", err)
		}
	})
}

// LiteRT's own messages reach the errors.
func TestErrorText(t *testing.T) {
	b := backend(t)
	t.Run("building", func(t *testing.T) {
		file, err := tflitefile.Read(modeltest.Mean(modeltest.Options{Side: 8, DType: models.Float32}))
		if err != nil {
			t.Fatal(err)
		}
		op := file.Main().Operators[0]
		op.Version = 99
		data, err := file.Write()
		if err != nil {
			t.Fatal(err)
		}
		m, err := b.Open(write(t, data), options(inference.DelegateAuto))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close() // a test
		var words *inference.RuntimeError
		_, err = m.NewInterpreter()
		if !errors.Is(err, edgelens.ErrModel) || !errors.As(err, &words) || !strings.Contains(err.Error(), "version 99 of the operator "+op.Name()) || !strings.Contains(words.Detail, op.Name()) {
			t.Errorf("got %v (%+v), want ErrModel that names the operator", err, words)
		}
	})
	t.Run("running", func(t *testing.T) {
		i := build(t, b, write(t, modeltest.FailingInvoke(modeltest.Options{Side: 8, DType: models.Uint8})), inference.DelegateNone)
		for range 3 { // the interpreter stays usable, and the report must not run full
			err := i.Invoke()
			if !errors.Is(err, edgelens.ErrInference) || !strings.Contains(err.Error(), "failed to invoke") || len(err.Error()) > 1000 {
				t.Fatalf("got %v, want ErrInference in LiteRT's words, of this run alone", err)
			}
		}
	})
}

// The file that was checked is the one that is opened.
func TestDigest(t *testing.T) {
	b := backend(t)
	file := modeltest.Network(tflitefile.Float32)
	path, sum := write(t, file), sha256.Sum256(file)
	o := options(inference.DelegateNone)
	o.Digest = "sha256:" + hex.EncodeToString(sum[:])
	m, err := b.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, modeltest.Network(tflitefile.Int8), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Open(path, o); !errors.Is(err, edgelens.ErrBusy) || errors.Is(err, edgelens.ErrModel) {
		t.Errorf("got %v, want ErrBusy: to be asked again", err)
	}
}

// A process has one environment, which ends with the last model of a closed Backend.
func TestOneBackend(t *testing.T) {
	folder := root(t)
	b, err := litert.New(litert.Config{Path: filepath.Join(folder, "libLiteRt.so")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := litert.New(litert.Config{Path: folder}); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("a second Backend: %v, want ErrConflict", err)
	}
	path := write(t, modeltest.Network(tflitefile.Int8))
	m, i := open(t, b, path, inference.DelegateAuto)
	want := answer(t, i, make([]byte, i.Input().Bytes()))
	for range 2 {
		if err := errors.Join(b.Close(), m.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Open(path, options(inference.DelegateAuto)); !errors.Is(err, edgelens.ErrStopping) {
		t.Errorf("Open after Close: %v, want ErrStopping", err)
	}
	if _, err := litert.New(litert.Config{Path: folder}); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("a second Backend while an interpreter is open: %v, want ErrConflict", err)
	}
	if got := answer(t, i, make([]byte, i.Input().Bytes())); !bytes.Equal(got, want) {
		t.Error("an interpreter answers otherwise after its model is closed")
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	if b, err = litert.New(litert.Config{Path: folder}); err != nil {
		t.Fatalf("a Backend after the end of the first: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// Many goroutines open, build, run and close at the same time; each gets its own answers.
func TestManyGoroutines(t *testing.T) {
	b := backend(t)
	path := write(t, modeltest.Network(tflitefile.Int8))
	i := build(t, b, path, inference.DelegateAuto)
	const goroutines = 16
	var inputs, want [goroutines][]byte
	for n := range goroutines {
		inputs[n] = bytes.Repeat([]byte{byte(16 * n)}, i.Input().Bytes())
		want[n] = answer(t, i, inputs[n])
	}
	if bytes.Equal(want[0], want[goroutines-1]) {
		t.Fatal("the model answers all inputs alike: this test cannot fail")
	}
	var wg sync.WaitGroup
	for n := range goroutines {
		wg.Go(func() {
			for range 5 {
				if err := once(b, path, inputs[n], want[n]); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// once opens the model, runs it five times and closes it.
func once(b inference.Backend, path string, input, want []byte) error {
	m, err := b.Open(path, options(inference.DelegateAuto))
	if err != nil {
		return err
	}
	i, err := m.NewInterpreter()
	if err != nil {
		return errors.Join(err, m.Close())
	}
	output := make([]byte, len(want))
	for range 5 {
		err = errors.Join(err, inference.SetInput(i, input), i.Invoke(), i.ReadOutput(output))
		if !bytes.Equal(output, want) {
			err = errors.Join(err, errors.New("another answer beside other goroutines"))
		}
	}
	return errors.Join(err, i.Close(), m.Close())
}

// Close waits for a running Invoke; the next one panics and does not run on freed memory.
func TestCloseWhileRunning(t *testing.T) {
	b := backend(t)
	path := write(t, modeltest.Network(tflitefile.Float32))
	for range 20 {
		m, i := open(t, b, path, inference.DelegateAuto)
		running, ended := make(chan struct{}), make(chan any)
		go func() {
			defer func() { ended <- recover() }()
			if err := i.Invoke(); err != nil {
				t.Error(err)
			}
			close(running)
			for {
				if err := i.Invoke(); err != nil {
					t.Error(err)
				}
			}
		}()
		<-running
		if err := errors.Join(i.Close(), m.Close()); err != nil {
			t.Fatal(err)
		}
		if problem := <-ended; problem == nil || !strings.Contains(problem.(string), "closed interpreter") {
			t.Fatalf("the runner ended with %v, want a panic about the closed interpreter", problem)
		}
	}
}

// Opening and closing again and again must not grow the process.
func TestDoesNotLeak(t *testing.T) {
	b := backend(t)
	path := testutil.Shared(t, "models", "mobilenet_v1_0.25_128_quant.tflite")
	input := make([]byte, 128*128*3)
	cycle := func() {
		m, i := open(t, b, path, inference.DelegateAuto)
		answer(t, i, input)
		if err := errors.Join(i.Close(), m.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 { // until the allocators of C and Go have what they keep
		cycle()
	}
	testutil.DoesNotLeak(t, 200, 1<<20, cycle) // an interpreter holds over a megabyte, and the model's file half of one
}

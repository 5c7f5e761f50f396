//go:build cgo

package tflitefile_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"edgelens/inference"
	"edgelens/inference/tflite"
	"edgelens/models/tflitefile"
)

// outputs runs a model of one input and output on some noise.
func outputs(t *testing.T, file []byte, delegate string) [][]byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.tflite")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	model, err := tflite.New().Open(path, inference.Options{Threads: 1, Delegate: delegate})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close() // a test
	i, err := model.NewInterpreter()
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close() // a test
	var all [][]byte
	noise := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		in, out := make([]byte, i.Input().Bytes()), make([]byte, i.Output().Bytes())
		for k := range in {
			in[k] = byte(noise.Uint32())
		}
		if err := errors.Join(inference.SetInput(i, in), i.Invoke(), i.ReadOutput(out)); err != nil {
			t.Fatal(err)
		}
		all = append(all, out)
	}
	return all
}

// A model that was read and written gives the same results in TFLite.
func TestRoundTrip(t *testing.T) {
	for name, file := range testModels(t) {
		t.Run(name, func(t *testing.T) {
			m, err := tflitefile.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			again, err := m.Write()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(bytes.Join(outputs(t, file, inference.DelegateAuto), nil), bytes.Join(outputs(t, again, inference.DelegateAuto), nil)) {
				t.Error("the outputs differ")
			}
		})
	}
}

//go:build cgo

package tflitefile_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/inference"
	"edgelens/inference/tflite"
	"edgelens/internal/testutil"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

// operatorCodes is how many operators TensorFlow Lite 2.17 has.
const operatorCodes = 207

// mutants counts those of a model: one for each byte, and, of the int8 one, one
// for each operator of the model and of the runtime.
func mutants(t testing.TB, model []byte) int {
	t.Helper()
	g := readModel(t, model).Main()
	if g.Tensors[0].Type != tflitefile.Int8 {
		return len(model)
	}
	return len(model) + operatorCodes*len(g.Operators)
}

func readModel(t testing.TB, file []byte) *tflitefile.Model {
	t.Helper()
	m, err := tflitefile.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// mutant returns the model with one byte changed, or with one operator turned
// into another. It is nil where there is no such file.
func mutant(t testing.TB, model []byte, i int) []byte {
	t.Helper()
	if i < len(model) {
		m := bytes.Clone(model)
		m[i] ^= [...]byte{0xff, 0x01, 0x80, 0x7f, 0x04}[i%5]
		return m
	}
	i -= len(model)
	m := readModel(t, model)
	op := m.Main().Operators[i/operatorCodes]
	op.Code = tflitefile.BuiltinOperator(i % operatorCodes)
	if i%2 == 0 {
		op.Options = nil
	}
	file, err := m.Write()
	if err != nil {
		return nil
	}
	return file
}

func hostileModels(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"uint8": modeltest.Network(tflitefile.Uint8), "int8": modeltest.Network(tflitefile.Int8), "float32": modeltest.Network(tflitefile.Float32),
		"gather": modeltest.FailingInvoke(modeltest.Options{}),
	}
}

// TestEveryByte changes each byte of small models in turn and passes those that are
// not rejected to TFLite, in another process so that a crash is detected.
func TestEveryByte(t *testing.T) {
	if name := os.Getenv("EDGELENS_TEST_MUTANTS"); name != "" {
		runMutants(t, name)
		return
	}
	for name, model := range hostileModels(t) {
		t.Run(name, func(t *testing.T) {
			command := exec.Command(os.Args[0], "-test.run=^TestEveryByte$", "-test.timeout=50s", fmt.Sprint("-test.short=", testing.Short()))
			command.Env = append(os.Environ(), "EDGELENS_TEST_MUTANTS="+name)
			var words bytes.Buffer
			command.Stderr = &words
			progress, err := command.Output()
			lines := strings.Fields(string(progress))
			if err != nil {
				t.Fatalf("mutant %v of %d ends the process: %v\n%.2000s", lines[max(0, len(lines)-1):], mutants(t, model), err, words.String())
			}
		})
	}
}

// runMutants passes each mutant to Read, and those that it accepts to TFLite. It
// prints the number of each before. With -short it is one mutant in sixteen, of each kind.
func runMutants(t *testing.T, name string) {
	model := hostileModels(t)[name]
	path := filepath.Join(t.TempDir(), "mutant.tflite")
	for i := 0; i < mutants(t, model); i += testutil.Rounds(1, 16) {
		m := mutant(t, model, i)
		if _, err := tflitefile.Read(m); err != nil {
			continue
		}
		fmt.Println(i)
		if err := os.WriteFile(path, m, 0o600); err != nil {
			t.Fatal(err)
		}
		runOnce(path)
	}
}

func runOnce(path string) {
	m, err := tflite.New().Open(path, inference.Options{Threads: 1, Delegate: inference.DelegateAuto})
	if err != nil {
		return
	}
	defer m.Close() // a test
	for range 2 {   // the second shares the weights of the first
		i, err := m.NewInterpreter()
		if err != nil {
			return
		}
		defer i.Close() // a test
		if inference.SetInput(i, bytes.Repeat([]byte{7}, i.Input().Bytes())) == nil {
			_ = i.Invoke() // it may fail, but come back
		}
	}
}

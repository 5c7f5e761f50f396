//go:build cgo && linux

package litert_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"edgelens"
	"edgelens/inference"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

// taskVariable is set in the child processes of these tests, to what a child does.
const taskVariable = "EDGELENS_TEST_LITERT"

// child runs this test in a process of its own and returns its output.
func child(t *testing.T, task string) (stdout, stderr string, err error) {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^"+strings.Split(t.Name(), "/")[0]+"$", "-test.timeout=100s", fmt.Sprint("-test.short=", testing.Short()))
	command.Env = append(os.Environ(), taskVariable+"="+task)
	var out, words bytes.Buffer
	command.Stdout, command.Stderr = &out, &words
	err = command.Run()
	return out.String(), words.String(), err
}

// LiteRT prints to standard error when it loads a model and when something fails; in
// our process it must not.
func TestPrintsNothing(t *testing.T) {
	root(t)
	if os.Getenv(taskVariable) != "" {
		b := backend(t)
		i := build(t, b, write(t, modeltest.Network(tflitefile.Int8)), inference.DelegateAuto)
		answer(t, i, make([]byte, i.Input().Bytes()))
		failing := build(t, b, write(t, modeltest.FailingInvoke(modeltest.Options{Side: 8, DType: models.Uint8})), inference.DelegateAuto)
		if err := failing.Invoke(); !errors.Is(err, edgelens.ErrInference) {
			t.Errorf("got %v, want ErrInference", err)
		}
		return
	}
	stdout, stderr, err := child(t, "print")
	if err != nil || stdout != "PASS\n" || stderr != "" {
		t.Errorf("a process with LiteRT printed %q and %q (%v), want nothing but the test's PASS", stdout, stderr, err)
	}
}

func hostileModels() map[string][]byte {
	return map[string][]byte{
		"uint8": modeltest.Network(tflitefile.Uint8), "int8": modeltest.Network(tflitefile.Int8),
		"float32": modeltest.Network(tflitefile.Float32), "gather": modeltest.FailingInvoke(modeltest.Options{}),
	}
}

// Damaged files are rejected with an error, or run; none ends the process. It is another
// one, so that a crash is seen.
func TestDamagedFiles(t *testing.T) {
	root(t)
	if name := os.Getenv(taskVariable); name != "" {
		runMutants(t, hostileModels()[name])
		return
	}
	for name := range hostileModels() {
		t.Run(name, func(t *testing.T) {
			progress, words, err := child(t, name)
			lines := strings.Split(strings.TrimSpace(progress), "\n")
			if last := lines[len(lines)-1]; err != nil {
				t.Fatalf("the process ended at mutant %q: %v\n%.2000s", last, err, words)
			}
			if len(lines) < 10 {
				t.Errorf("LiteRT got only %d mutants: this test cannot fail", len(lines))
			}
		})
	}
}

// runMutants opens and runs the model with each byte changed in turn, with -short one in
// sixteen. It prints the position of each that is opened before.
func runMutants(t *testing.T, file []byte) {
	b := backend(t)
	path := filepath.Join(t.TempDir(), "mutant.tflite")
	for at := 0; at < len(file); at += testutil.Rounds(1, 16) {
		mutant := bytes.Clone(file)
		mutant[at] ^= [...]byte{0xff, 0x01, 0x80, 0x7f, 0x04}[at%5]
		if _, err := tflitefile.Read(mutant); err != nil {
			continue
		}
		fmt.Println(at)
		if err := os.WriteFile(path, mutant, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, delegate := range []string{inference.DelegateAuto, inference.DelegateNone} {
			if err := runOnce(b, path, delegate); err != nil && !errors.Is(err, edgelens.ErrModel) && !errors.Is(err, edgelens.ErrInference) {
				t.Errorf("byte %d: %v, want ErrModel or ErrInference", at, err)
			}
		}
	}
}

func runOnce(b inference.Backend, path, delegate string) error {
	m, err := b.Open(path, options(delegate))
	if err != nil {
		return err
	}
	i, err := m.NewInterpreter()
	if err != nil {
		return errors.Join(err, m.Close())
	}
	err = errors.Join(inference.SetInput(i, bytes.Repeat([]byte{7}, i.Input().Bytes())), i.Invoke())
	return errors.Join(err, i.Close(), m.Close())
}

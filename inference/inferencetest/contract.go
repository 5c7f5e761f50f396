// Package inferencetest is the contract of inference.Backend. Every backend's
// tests call Run, so that the Pool's assumptions hold for the fake and the real
// runtime alike.
package inferencetest

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"edgelens"
	"edgelens/inference"
)

// Run checks the contract on a model file that backend can open.
func Run(t *testing.T, backend inference.Backend, path string) {
	t.Helper()
	open := func(t *testing.T) inference.Model {
		t.Helper()
		m, err := backend.Open(path, inference.Options{Threads: 1, Delegate: inference.DelegateAuto})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		})
		return m
	}
	build := func(t *testing.T, m inference.Model) inference.Interpreter {
		t.Helper()
		i, err := m.NewInterpreter()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { i.Close() }) // closed twice in some tests
		return i
	}

	t.Run("the same input gives the same output in every interpreter", func(t *testing.T) {
		m := open(t)
		first := invoke(t, build(t, m), pattern(build(t, m).Input().Bytes(), 1))
		second := invoke(t, build(t, m), pattern(build(t, m).Input().Bytes(), 1))
		if !bytes.Equal(first, second) {
			t.Error("two interpreters of one model disagree")
		}
	})
	t.Run("interpreters run side by side", func(t *testing.T) {
		m := open(t)
		var wg sync.WaitGroup
		for n := range 4 {
			i := build(t, m)
			input := pattern(i.Input().Bytes(), byte(n))
			want := invoke(t, i, input)
			wg.Go(func() {
				for range 5 {
					if got := invoke(t, i, input); !bytes.Equal(got, want) {
						t.Error("an interpreter answers otherwise while others run")
					}
				}
			})
		}
		wg.Wait()
	})
	t.Run("a wrong length is refused", func(t *testing.T) {
		i := build(t, open(t))
		for _, n := range []int{0, i.Input().Bytes() - 1, i.Input().Bytes() + 1} {
			if err := inference.SetInput(i, make([]byte, n)); !errors.Is(err, edgelens.ErrInvalid) {
				t.Errorf("SetInput of %d bytes: %v, want ErrInvalid", n, err)
			}
		}
		for _, n := range []int{0, i.Output().Bytes() - 1, i.Output().Bytes() + 1} {
			if err := i.ReadOutput(make([]byte, n)); !errors.Is(err, edgelens.ErrInvalid) {
				t.Errorf("ReadOutput of %d bytes: %v, want ErrInvalid", n, err)
			}
		}
	})
	t.Run("the whole input tensor can be written in place, again and again", func(t *testing.T) {
		m := open(t)
		inPlace, copied := build(t, m), build(t, m)
		for seed := range byte(4) {
			input := pattern(copied.Input().Bytes(), seed)
			tensor, err := inPlace.InputTensor()
			if err != nil || len(tensor) != len(input) {
				t.Fatalf("an input tensor of %d bytes (%v), want %d", len(tensor), err, len(input))
			}
			copy(tensor, input)
			output := make([]byte, inPlace.Output().Bytes())
			if err := errors.Join(inPlace.Invoke(), inPlace.ReadOutput(output)); err != nil {
				t.Fatal(err)
			}
			if want := invoke(t, copied, input); !bytes.Equal(output, want) {
				t.Errorf("input %d: the output is another than that of a copied input", seed)
			}
		}
	})
	t.Run("use after Close panics and a second Close does not", func(t *testing.T) {
		i := build(t, open(t))
		for range 2 {
			if err := i.Close(); err != nil {
				t.Fatal(err)
			}
		}
		defer func() {
			if recover() == nil {
				t.Error("Invoke after Close did not panic")
			}
		}()
		_ = i.Invoke() // must not return
	})
	t.Run("a closed model builds nothing", func(t *testing.T) {
		m, err := backend.Open(path, inference.Options{Threads: 1, Delegate: inference.DelegateAuto})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
		}
		defer func() {
			if recover() == nil {
				t.Error("NewInterpreter after Close did not panic")
			}
		}()
		_, _ = m.NewInterpreter() // must not return
	})
}

func invoke(t *testing.T, i inference.Interpreter, input []byte) []byte {
	t.Helper()
	output := make([]byte, i.Output().Bytes())
	if err := errors.Join(inference.SetInput(i, input), i.Invoke(), i.ReadOutput(output)); err != nil {
		t.Error(err)
	}
	return output
}

// pattern is an input that differs by seed and is finite also as float32.
func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = (byte(i)*31 + seed*17) & 0x3f
	}
	return b
}

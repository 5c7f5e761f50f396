//go:build cgo && linux

package litert

import (
	"errors"
	"fmt"
	"slices"

	"edgelens"
	"edgelens/inference"
	"edgelens/models"
)

// model is one file. LiteRT reads its memory until the last interpreter is closed.
type model struct {
	backend       *Backend
	options       inference.Options
	input, output models.TensorSpec

	// Guarded by backend.mu.
	handle       handle
	file         *memory
	interpreters int
	closed       bool
}

// NewInterpreter compiles the graph for the accelerator of the model's options, and for
// no other one. On the CPU it tries XNNPACK first and falls back to LiteRT's own kernels
// if XNNPACK rejects the graph.
func (m *model) NewInterpreter() (inference.Interpreter, error) {
	m.backend.mu.Lock()
	defer m.backend.mu.Unlock()
	if m.closed {
		panic("litert: NewInterpreter on a closed model")
	}
	i, err := m.compile()
	if err != nil {
		return nil, err // not a typed nil
	}
	return i, nil
}

func (m *model) compile() (*interpreter, error) {
	if m.options.Accelerator == inference.AcceleratorGPU {
		return m.build((*interpreter).compileForGPU)
	}
	if m.options.Delegate != inference.DelegateNone {
		if i, err := m.build(compileFor(inference.DelegateXNNPACK)); err == nil {
			return i, nil
		}
	}
	return m.build(compileFor(inference.DelegateNone))
}

// kernels are LiteRT's names of what runs a graph on the CPU.
var kernels = map[string]string{inference.DelegateXNNPACK: "xnnpack", inference.DelegateNone: "builtin"}

// compileFor compiles an interpreter's model for the CPU.
func compileFor(delegate string) func(*interpreter) error {
	return func(i *interpreter) (err error) {
		options := fmt.Sprintf("num_threads = %d\nkernel_mode = %q\n", i.model.options.Threads, kernels[delegate])
		i.compiled, _, err = compile(i.model.backend.environment, i.model.handle, onCPU(options))
		if err != nil {
			return refusal("LiteRT cannot build its graph; convert it again", err)
		}
		i.delegation = inference.Delegation{Runtime: inference.RuntimeLiteRT, Version: Version, Delegate: delegate}
		return nil
	}
}

// build makes an interpreter. m.backend.mu must be held.
func (m *model) build(compile func(*interpreter) error) (*interpreter, error) {
	i := &interpreter{model: m}
	m.interpreters++
	err := compile(i)
	if err == nil {
		err = i.prepare()
	}
	if err != nil {
		i.free()
		return nil, err
	}
	return i, nil
}

// Close frees the model, after its last interpreter if one is open; closing twice is
// harmless.
func (m *model) Close() error {
	m.backend.mu.Lock()
	defer m.backend.mu.Unlock()
	m.closed = true
	m.end()
	return nil
}

// end frees the model if it was its last use. m.backend.mu must be held.
func (m *model) end() {
	if !m.closed || m.interpreters > 0 || m.handle == nil {
		return
	}
	destroyModel(m.handle)
	m.handle = nil
	m.file.free()
	m.backend.models--
	m.backend.end()
}

// sameShape returns an error if LiteRT has another shape of a tensor than its file.
func sameShape(what string, spec models.TensorSpec, l *layout) error {
	if got := shapeOf(l); !slices.Equal(got, spec.Shape) {
		return fmt.Errorf("%w: its %s has shape %v in the file, and %v when it runs; convert it with fixed shapes", edgelens.ErrModel, what, spec.Shape, got)
	}
	return nil
}

// refusal returns an ErrModel with a sentence about the model, and LiteRT's own
// message for logs, unless a more precise error is known.
func refusal(sentence string, err error) error {
	var f *failure
	if errors.As(err, &f) {
		if missing := missingOperator(f); missing != nil {
			return missing
		}
	}
	return &inference.RuntimeError{Sentence: sentence, Detail: err.Error()}
}

// missingOperator returns the error about an operator that LiteRT does not have, nil where
// the failure is another one.
func missingOperator(f *failure) *inference.OperatorError {
	return inference.MissingOperator(f.words, "LiteRT "+Version, "convert it with an older TensorFlow")
}

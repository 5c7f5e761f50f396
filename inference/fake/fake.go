// Package fake is an inference.Backend for tests: it runs a Go function where
// TFLite would run a graph, and panics on misuse that would corrupt memory there (an
// interpreter used by two goroutines, or after Close; a model closed before
// its interpreters).
package fake

import (
	"fmt"
	"sync/atomic"

	"edgelens"
	"edgelens/inference"
	"edgelens/models"
)

// Backend opens models without looking at the path.
type Backend struct {
	// In and Out describe the tensors.
	In, Out models.TensorSpec
	// Graph computes the output of an input; nil copies as much as fits.
	Graph func(input, output []byte) error
	// Runs is what runs the graph; the zero value is one operator without a delegate.
	Runs inference.Delegation
	// OpenError and BuildError, if set, are what Open and NewInterpreter
	// return.
	OpenError, BuildError error

	// Opened, Built and Closed count models opened, interpreters built, and
	// interpreters closed.
	Opened, Built, Closed atomic.Int64
	// ModelsClosed counts models closed.
	ModelsClosed atomic.Int64
}

// Image returns a Backend for an image of side x side pixels in uint8, with
// probabilities of that many classes in uint8 as output.
func Image(side, classes int) *Backend {
	return &Backend{
		In:  models.TensorSpec{Name: "input", Shape: []int{1, side, side, 3}, DType: models.Uint8, Scale: 1 / 127.5, ZeroPoint: 127},
		Out: models.TensorSpec{Name: "scores", Shape: []int{1, classes}, DType: models.Uint8, Scale: 1.0 / 256},
	}
}

// Open implements inference.Backend.
func (b *Backend) Open(string, inference.Options) (inference.Model, error) {
	if b.OpenError != nil {
		return nil, b.OpenError
	}
	b.Opened.Add(1)
	return &model{backend: b}, nil
}

type model struct {
	backend *Backend
	open    atomic.Int64 // interpreters
	closed  atomic.Bool
}

func (m *model) NewInterpreter() (inference.Interpreter, error) {
	if m.closed.Load() {
		panic("fake: NewInterpreter on a closed model")
	}
	if m.backend.BuildError != nil {
		return nil, m.backend.BuildError
	}
	m.backend.Built.Add(1)
	m.open.Add(1)
	return &interpreter{model: m, input: make([]byte, m.backend.In.Bytes()), output: make([]byte, m.backend.Out.Bytes())}, nil
}

func (m *model) Close() error {
	if n := m.open.Load(); n != 0 {
		panic(fmt.Sprintf("fake: model closed before %d of its interpreters", n))
	}
	if !m.closed.Swap(true) {
		m.backend.ModelsClosed.Add(1)
	}
	return nil
}

// interpreter writes its fields without a lock, so that two goroutines in it
// are a data race that -race reports.
type interpreter struct {
	model         *model
	input, output []byte
	busy          atomic.Bool
	closed        bool
}

// use marks the interpreter as in use until the returned function is called.
func (i *interpreter) use() func() {
	if i.closed {
		panic("fake: use of a closed interpreter")
	}
	if i.busy.Swap(true) {
		panic("fake: two goroutines in one interpreter")
	}
	return func() { i.busy.Store(false) }
}

func (i *interpreter) Input() models.TensorSpec  { return i.model.backend.In }
func (i *interpreter) Output() models.TensorSpec { return i.model.backend.Out }

func (i *interpreter) Delegation() inference.Delegation {
	if i.model.backend.Runs == (inference.Delegation{}) {
		return inference.Delegation{Delegate: inference.DelegateNone, Operators: 1}
	}
	return i.model.backend.Runs
}

func (i *interpreter) InputTensor() ([]byte, error) {
	defer i.use()()
	return i.input, nil
}

func (i *interpreter) Invoke() error {
	defer i.use()()
	if i.model.backend.Graph == nil {
		copy(i.output, i.input)
		return nil
	}
	if err := i.model.backend.Graph(i.input, i.output); err != nil {
		return fmt.Errorf("%w: %w", edgelens.ErrInference, err)
	}
	return nil
}

func (i *interpreter) ReadOutput(data []byte) error {
	defer i.use()()
	if len(data) != len(i.output) {
		return fmt.Errorf("%w: %d bytes for an output of %d", edgelens.ErrInvalid, len(data), len(i.output))
	}
	copy(data, i.output)
	return nil
}

func (i *interpreter) Close() error {
	if i.closed {
		return nil
	}
	defer i.use()()
	i.closed = true
	i.model.open.Add(-1)
	i.model.backend.Closed.Add(1)
	return nil
}

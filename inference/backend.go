// Package inference runs models: a Pool of interpreters per model and a Loader
// that loads models on first use.
//
// It depends on no runtime: a Backend provides one (inference/tflite is the real one,
// inference/fake the one for tests); inference/inferencetest is the contract
// that both must fulfill.
package inference

import (
	"errors"
	"fmt"

	"edgelens"
	"edgelens/models"
)

// A Backend opens model files.
//
// Implementations are safe for concurrent use.
type Backend interface {
	// Open reads the model file. The error wraps edgelens.ErrModel and describes
	// in a sentence what is wrong with the file.
	Open(path string, options Options) (Model, error)
}

// Options are the same for every interpreter of a model.
type Options struct {
	// Threads is how many threads one Invoke uses. At least 1.
	Threads int
	// Delegate is DelegateAuto or DelegateNone.
	Delegate string
	// Runtime is RuntimeAuto, RuntimeTFLite or RuntimeLiteRT; "" means RuntimeAuto. A
	// Backend that is one runtime ignores it.
	Runtime string
	// Accelerator is AcceleratorGPU, or "" for the CPU. A Backend without that
	// accelerator returns an error; it never falls back to the CPU.
	Accelerator string
	// Digest, unless "", is the expected digest of the file's content ("sha256:" and
	// hex): so the file that was checked is the one that is opened.
	Digest string
}

// The runtimes that open model files, requested or in use.
const (
	RuntimeAuto   = models.RuntimeAuto   // TensorFlow Lite, or LiteRT for a file with operators that it does not have
	RuntimeTFLite = models.RuntimeTFLite // TensorFlow Lite
	RuntimeLiteRT = models.RuntimeLiteRT // LiteRT, which need not be installed
)

// AcceleratorGPU is a graphics processor, requested or in use.
const AcceleratorGPU = "gpu"

// ErrNotInstalled is the error of a runtime, or of one of its accelerators, whose
// library is not at hand. It is wrapped together with edgelens.ErrModel.
var ErrNotInstalled = errors.New("not installed")

// RuntimeError is an ErrModel with a detail in the runtime's words, which is for
// logs only.
type RuntimeError struct {
	// Sentence continues one that begins with the model.
	Sentence string
	Detail   string
}

// Error returns the sentence.
func (e *RuntimeError) Error() string { return edgelens.ErrModel.Error() + ": " + e.Sentence }

// Unwrap makes errors.Is(err, edgelens.ErrModel) true.
func (e *RuntimeError) Unwrap() error { return edgelens.ErrModel }

// The delegates that run a graph, requested or in use.
const (
	DelegateAuto    = "auto"    // XNNPACK, or none if it rejects the model
	DelegateXNNPACK = "xnnpack" // in use, never requested
	DelegateNone    = "none"    // TFLite's own kernels
)

// A Model is an open model file that outlives its interpreters.
//
// It is safe for concurrent use.
type Model interface {
	// NewInterpreter builds an interpreter with its tensors allocated. The
	// error wraps edgelens.ErrModel.
	NewInterpreter() (Interpreter, error)
	// Close frees the model. Every interpreter must have been closed before.
	Close() error
}

// An Interpreter holds one copy of the tensors and can run once at a time.
//
// It is not safe for concurrent use: the Pool gives it to one caller at a
// time. Any call after Close panics.
type Interpreter interface {
	// Input and Output describe the only input and output tensor.
	Input() models.TensorSpec
	Output() models.TensorSpec
	// Delegation describes what runs the operators of the graph.
	Delegation() Delegation
	// InputTensor returns the memory of the input tensor, of Input().Bytes()
	// bytes. It belongs to the interpreter: it may be written until the next Invoke,
	// which may overwrite it, and must not be used after that or after Close.
	InputTensor() ([]byte, error)
	// Invoke runs the graph. It cannot be interrupted. The error wraps
	// edgelens.ErrInference; the interpreter stays usable.
	Invoke() error
	// ReadOutput copies the output tensor into data. Its length must be
	// Output().Bytes().
	ReadOutput(data []byte) error
	Close() error
}

// SetInput copies data into the input tensor. Its length must be Input().Bytes(); else
// the error wraps edgelens.ErrInvalid.
func SetInput(i Interpreter, data []byte) error {
	if want := i.Input().Bytes(); len(data) != want {
		return fmt.Errorf("fill the input tensor: %w: %d bytes for %d", edgelens.ErrInvalid, len(data), want)
	}
	tensor, err := i.InputTensor()
	if err != nil {
		return fmt.Errorf("fill the input tensor: %w", err)
	}
	copy(tensor, data)
	return nil
}

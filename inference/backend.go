// Package inference runs models: a Pool of interpreters per model and a Loader
// that brings models up on first use.
//
// It knows no runtime. A Backend does (inference/tflite is the real one,
// inference/fake the one for tests); inference/inferencetest is the contract
// that both must pass.
package inference

import (
	"edgelens"
	"edgelens/models"
)

// A Backend opens model files.
//
// Implementations are safe for use by many goroutines.
type Backend interface {
	// Open reads the model file. The error wraps edgelens.ErrModel and says
	// in a sentence what is wrong with the file.
	Open(path string, options Options) (Model, error)
}

// Options are the same for every interpreter of a model.
type Options struct {
	// Threads is how many threads one Invoke uses. At least 1.
	Threads int
	// Delegate is DelegateAuto or DelegateNone.
	Delegate string
	// Digest, unless "", is what the content of the file must have ("sha256:" and
	// hex): what was checked is then what is opened, whatever becomes of the file.
	Digest string
}

// RuntimeError is an ErrModel about which the runtime has something to say, in
// words that are for logs alone.
type RuntimeError struct {
	// Sentence continues one that begins with the model.
	Sentence string
	Detail   string
}

// Error returns the sentence.
func (e *RuntimeError) Error() string { return edgelens.ErrModel.Error() + ": " + e.Sentence }

// Unwrap makes errors.Is(err, edgelens.ErrModel) true.
func (e *RuntimeError) Unwrap() error { return edgelens.ErrModel }

// Which delegate runs the graph, asked for or in use.
const (
	DelegateAuto    = "auto"    // XNNPACK, or none where it refuses the model
	DelegateXNNPACK = "xnnpack" // only as an answer
	DelegateNone    = "none"    // TFLite's own kernels
)

// A Model is an open model file that outlives its interpreters.
//
// It is safe for use by many goroutines.
type Model interface {
	// NewInterpreter builds an interpreter with its tensors allocated. The
	// error wraps edgelens.ErrModel.
	NewInterpreter() (Interpreter, error)
	// Close frees the model. Every interpreter must have been closed before.
	Close() error
}

// An Interpreter holds one copy of the tensors and can run once at a time.
//
// It is not safe for use by many goroutines; the Pool lends it to one at a
// time. Any call after Close panics.
type Interpreter interface {
	// Input and Output describe the only input and output tensor.
	Input() models.TensorSpec
	Output() models.TensorSpec
	// Delegate returns DelegateXNNPACK or DelegateNone.
	Delegate() string
	// SetInput copies data into the input tensor. Its length must be
	// Input().Bytes().
	SetInput(data []byte) error
	// Invoke runs the graph. It cannot be interrupted. The error wraps
	// edgelens.ErrInference; the interpreter stays usable.
	Invoke() error
	// ReadOutput copies the output tensor into data. Its length must be
	// Output().Bytes().
	ReadOutput(data []byte) error
	Close() error
}

package runtimes

import (
	"errors"
	"runtime"
	"sync"

	"edgelens/inference"
	"edgelens/inference/litert"
)

// choice is a model that is opened by TensorFlow Lite, or by LiteRT where only that has
// all its operators. TensorFlow Lite itself finds that out, when it builds the first
// interpreter.
type choice struct {
	set     *Set
	path    string
	options inference.Options

	mu    sync.Mutex
	model inference.Model
	made  bool // TensorFlow Lite or LiteRT has built an interpreter: the choice stands
}

// NewInterpreter implements inference.Model.
func (c *choice) NewInterpreter() (inference.Interpreter, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	built, err := c.model.NewInterpreter()
	var missing *inference.OperatorError
	if err == nil || c.made || !errors.As(err, &missing) {
		c.made = c.made || err == nil
		return built, err
	}
	return c.withLiteRT(missing)
}

// withLiteRT changes to LiteRT for the rest of the model's life.
func (c *choice) withLiteRT(missing *inference.OperatorError) (inference.Interpreter, error) {
	options := c.options
	options.Runtime = inference.RuntimeLiteRT
	opened, err := c.set.Open(c.path, options)
	if errors.Is(err, inference.ErrNotInstalled) {
		return nil, missing.WithRemedy(remedy(runtime.GOARCH))
	}
	if err != nil {
		return nil, err
	}
	built, err := opened.NewInterpreter()
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	old := c.model
	c.model, c.made = opened, true
	if err := old.Close(); err != nil {
		return nil, errors.Join(err, built.Close())
	}
	return built, nil
}

// remedy returns what makes a model with operators that TensorFlow Lite lacks run on an
// architecture (GOARCH).
func remedy(architecture string) string {
	const convert = "convert the model with an older TensorFlow"
	if !litert.IsAvailable(architecture) {
		return convert
	}
	return "install LiteRT " + litert.Version + " by `edgelens runtime install litert`, or " + convert
}

// Close implements inference.Model.
func (c *choice) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.model.Close()
}

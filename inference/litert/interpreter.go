//go:build cgo && linux

package litert

import (
	"fmt"
	"sync"

	"edgelens"
	"edgelens/inference"
	"edgelens/models"
)

// interpreter owns a compiled model and the memory of its input and output, and frees
// them in that order.
type interpreter struct {
	model *model
	// delegation is set before the interpreter is used.
	delegation inference.Delegation

	// mu makes Close wait for a running Invoke: freed memory would be written to.
	mu                        sync.Mutex
	compiled                  handle
	inputBuffer, outputBuffer handle
	inputMemory, outputMemory *memory
	report                    report
	closed                    bool
}

// prepare allocates the tensors of the compiled model.
func (i *interpreter) prepare() error {
	input, output, err := allocate(i.compiled)
	if err != nil {
		return refusal("LiteRT cannot prepare its graph, whose operators and shapes do not fit together; convert it again", err)
	}
	// InputTensor trusts the shapes of the file, and LiteRT writes the output by its own.
	if err := sameShape("input", i.model.input, &input); err != nil {
		return err
	}
	if err := sameShape("output", i.model.output, &output); err != nil {
		return err
	}
	if i.inputMemory, i.inputBuffer, err = tensor(i.model.input, &input); err != nil {
		return err
	}
	i.outputMemory, i.outputBuffer, err = tensor(i.model.output, &output)
	return err
}

// tensor allocates the memory of a tensor.
func tensor(spec models.TensorSpec, l *layout) (*memory, handle, error) {
	m, err := newMemory(spec.Bytes())
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", edgelens.ErrModel, err)
	}
	buffer, err := newBuffer(element(spec.DType), l, m)
	if err != nil {
		m.free()
		return nil, nil, refusal("LiteRT cannot use memory for its tensors", err)
	}
	return m, buffer, nil
}

// lock locks the interpreter for a use of it.
func (i *interpreter) lock() {
	i.mu.Lock()
	if i.closed {
		i.mu.Unlock()
		panic("litert: use of a closed interpreter")
	}
}

func (i *interpreter) Input() models.TensorSpec  { return i.model.input }
func (i *interpreter) Output() models.TensorSpec { return i.model.output }

// Delegation returns what was asked for. LiteRT does not count the operators that
// XNNPACK took.
func (i *interpreter) Delegation() inference.Delegation { return i.delegation }

func (i *interpreter) InputTensor() ([]byte, error) {
	i.lock()
	defer i.mu.Unlock()
	return i.inputMemory.bytes(), nil
}

func (i *interpreter) Invoke() error {
	i.lock()
	defer i.mu.Unlock()
	if err := run(i.compiled, i.inputBuffer, i.outputBuffer, &i.report); err != nil {
		if i.delegation.Accelerator != "" {
			i.model.backend.gpu.fail()
			return gpuRunError(err)
		}
		return fmt.Errorf("%w: %w", edgelens.ErrInference, err)
	}
	return nil
}

func (i *interpreter) ReadOutput(data []byte) error {
	i.lock()
	defer i.mu.Unlock()
	if len(data) != i.model.output.Bytes() {
		return fmt.Errorf("%w: %d bytes for an output of %d", edgelens.ErrInvalid, len(data), i.model.output.Bytes())
	}
	copy(data, i.outputMemory.bytes())
	return nil
}

// Close waits for a running Invoke and frees the interpreter; closing twice is
// harmless.
func (i *interpreter) Close() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return nil
	}
	i.closed = true
	i.model.backend.mu.Lock()
	defer i.model.backend.mu.Unlock()
	i.free()
	return nil
}

// free frees what prepare made. i.model.backend.mu must be held.
func (i *interpreter) free() {
	destroy(i.inputBuffer, destroyBuffer)
	destroy(i.outputBuffer, destroyBuffer)
	destroy(i.compiled, destroyCompiled)
	i.inputMemory.free()
	i.outputMemory.free()
	i.model.interpreters--
	i.model.end()
}

// destroy frees an object that was made.
func destroy(h handle, with func(handle)) {
	if h != nil {
		with(h)
	}
}

//go:build cgo

package tflite

import (
	"fmt"
	"unsafe"

	gotflite "github.com/mattn/go-tflite"

	"edgelens"
	"edgelens/inference"
	"edgelens/models"
)

// interpreter owns the C interpreter, its delegates and its error report, and
// frees them in that order.
type interpreter struct {
	i        *gotflite.Interpreter
	delegate *xnnpack // nil for none
	observer *observer
	report   *report

	input, output models.TensorSpec
	// refusal is why XNNPACK, which was tried, is not used.
	refusal string
	// unshared is why XNNPACK, which is used, has packed weights for this interpreter alone.
	unshared string
}

// c is the only access to the C interpreter. TFLite itself would run on freed
// memory.
func (i *interpreter) c() *gotflite.Interpreter {
	if i.i == nil {
		panic("tflite: use of a closed interpreter")
	}
	return i.i
}

// prepare allocates the tensors and reads their descriptions.
func (i *interpreter) prepare() error {
	if i.c().AllocateTensors() != gotflite.OK {
		return refusal("TensorFlow Lite cannot prepare its graph, whose operators and shapes do not fit together; convert it again", i.report.take())
	}
	if in, out := i.c().GetInputTensorCount(), i.c().GetOutputTensorCount(); in != 1 || out != 1 {
		return fmt.Errorf("%w: it has %d inputs and %d outputs; a classifier of images has one of each", edgelens.ErrModel, in, out)
	}
	// The library goes on where it got no memory for the tensors.
	if t := i.c().GetInputTensor(0); t != nil && t.Data() == nil {
		return &inference.RuntimeError{Sentence: "its tensors need more memory than there is", Detail: i.report.take()}
	}
	var err error
	if i.input, err = describe(i.c().GetInputTensor(0)); err != nil {
		return fmt.Errorf("%w: its input %v", edgelens.ErrModel, err)
	}
	if i.output, err = describe(i.c().GetOutputTensor(0)); err != nil {
		return fmt.Errorf("%w: its output %v", edgelens.ErrModel, err)
	}
	return nil
}

// describe copies TFLite's description of a tensor. The error continues a sentence
// that begins with the tensor.
func describe(t *gotflite.Tensor) (models.TensorSpec, error) {
	if t == nil {
		return models.TensorSpec{}, fmt.Errorf("is missing")
	}
	spec := models.TensorSpec{Name: t.Name(), Shape: t.Shape()}
	switch t.Type() {
	case gotflite.UInt8:
		spec.DType = models.Uint8
	case gotflite.Int8:
		spec.DType = models.Int8
	case gotflite.Float32:
		spec.DType = models.Float32
	default:
		return spec, fmt.Errorf("is of type %s; uint8, int8 and float32 can be used", t.Type())
	}
	q := t.QuantizationParams()
	spec.Scale, spec.ZeroPoint = q.Scale, q.ZeroPoint
	// InputTensor trusts this size, and TFLite copies the output by its own.
	if int(t.ByteSize()) != spec.Bytes() || spec.Bytes() == 0 {
		return spec, fmt.Errorf("has shape %v and %d bytes, which do not agree", spec.Shape, t.ByteSize())
	}
	return spec, nil
}

func (i *interpreter) Input() models.TensorSpec  { return i.input }
func (i *interpreter) Output() models.TensorSpec { return i.output }

func (i *interpreter) Delegation() inference.Delegation {
	i.c() // panics after Close
	d := inference.Delegation{Runtime: inference.RuntimeTFLite, Version: New().Version(), Delegate: inference.DelegateNone, Refusal: i.refusal}
	d.Operators, d.Delegated = i.observer.counts()
	switch {
	case d.Delegated > 0:
		d.Delegate, d.Unshared = inference.DelegateXNNPACK, i.unshared
	case i.delegate != nil:
		d.Refusal = "XNNPACK supports none of its operators, or not with their types and shapes"
	}
	return d
}

func (i *interpreter) InputTensor() ([]byte, error) {
	// Asked for each time: TFLite may move a tensor's memory between two runs.
	data := i.c().GetInputTensor(0).Data()
	if data == nil {
		return nil, fmt.Errorf("%w: the input tensor has no memory: %s", edgelens.ErrInference, i.report.take())
	}
	return unsafe.Slice((*byte)(data), i.input.Bytes()), nil
}

func (i *interpreter) Invoke() error {
	if i.c().Invoke() != gotflite.OK {
		return fmt.Errorf("%w: %s", edgelens.ErrInference, i.report.take())
	}
	return nil
}

func (i *interpreter) ReadOutput(data []byte) error {
	if len(data) != i.output.Bytes() {
		return fmt.Errorf("%w: %d bytes for an output of %d", edgelens.ErrInvalid, len(data), i.output.Bytes())
	}
	if i.c().GetOutputTensor(0).CopyToBuffer(data) != gotflite.OK {
		return fmt.Errorf("%w: copy the output: %s", edgelens.ErrInference, i.report.take())
	}
	return nil
}

// Close frees the interpreter; closing twice is harmless.
func (i *interpreter) Close() error {
	i.free()
	return nil
}

func (i *interpreter) free() {
	if i.i != nil {
		i.i.Delete()
		i.i = nil
	}
	i.observer.Delete()
	i.delegate.Delete()
	if i.report.c != nil {
		i.report.free()
	}
}

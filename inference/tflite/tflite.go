//go:build cgo

package tflite

/*
#include <tensorflow/lite/c/c_api.h>
*/
import "C"

import (
	"fmt"
	"os"

	gotflite "github.com/mattn/go-tflite"

	"edgelens"
	"edgelens/inference"
	"edgelens/models/tflitefile"
)

// Backend opens .tflite files. It has no state.
type Backend struct{}

// New returns the Backend.
func New() Backend { return Backend{} }

// Version returns the version of the TFLite library, for example "2.9.0".
func (Backend) Version() string { return C.GoString(C.TfLiteVersion()) }

// Open maps the file, which must not be overwritten in place while the model
// is open (replacing it by rename is fine). What package tflitefile refuses,
// the C library does not get to see.
func (Backend) Open(path string, options inference.Options) (inference.Model, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: its file cannot be read: %v", edgelens.ErrModel, err)
	}
	if _, err := tflitefile.Read(data); err != nil {
		return nil, err
	}
	// From the file and not from memory: go-tflite's NewModel leaks its copy,
	// and pages of a mapped file are shared and can be dropped under pressure.
	m := gotflite.NewModelFromFile(path)
	if m == nil {
		return nil, fmt.Errorf("%w: TensorFlow Lite finds its file truncated or corrupt; fetch it again", edgelens.ErrModel)
	}
	return &model{m: m, options: options}, nil
}

// model is one mapped file. Its interpreters must be closed before it.
type model struct {
	m       *gotflite.Model
	options inference.Options
}

// NewInterpreter tries XNNPACK first and falls back to TFLite's own kernels
// where the delegate refuses the graph, as it does with uint8 models.
func (m *model) NewInterpreter() (inference.Interpreter, error) {
	if m.m == nil {
		panic("tflite: NewInterpreter on a closed model")
	}
	if m.options.Delegate != inference.DelegateNone {
		if i, err := m.build(newXNNPACK(m.options.Threads)); err == nil {
			return i, nil
		}
	}
	i, err := m.build(nil)
	if err != nil {
		return nil, err // not a typed nil
	}
	return i, nil
}

// build makes an interpreter with the delegate, none if nil, and owns it from
// here on.
func (m *model) build(delegate *xnnpack) (*interpreter, error) {
	options := gotflite.NewInterpreterOptions()
	defer options.Delete() // the interpreter keeps a copy
	options.SetNumThread(m.options.Threads)
	i := &interpreter{report: newReport(), delegate: delegate}
	i.report.attach(options)
	if delegate != nil {
		options.AddDelegate(delegate)
	}
	i.i = gotflite.NewInterpreter(m.m, options)
	if i.i == nil {
		defer i.free()
		return nil, fmt.Errorf("%w: TensorFlow Lite refuses it: %s", edgelens.ErrModel, i.report.take())
	}
	if err := i.prepare(); err != nil {
		i.free()
		return nil, err
	}
	return i, nil
}

// Close frees the model; closing twice is harmless.
func (m *model) Close() error {
	if m.m != nil {
		m.m.Delete()
		m.m = nil
	}
	return nil
}

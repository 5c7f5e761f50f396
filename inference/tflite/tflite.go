//go:build cgo

package tflite

/*
#include <tensorflow/lite/c/c_api.h>
*/
import "C"

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	gotflite "github.com/mattn/go-tflite"

	"edgelens"
	"edgelens/inference"
	"edgelens/models"
	"edgelens/models/tflitefile"
)

// Backend opens .tflite files. It has no state.
type Backend struct{}

// New returns the Backend.
func New() Backend { return Backend{} }

// Version returns the version of the TFLite library, for example "2.17.1".
func (Backend) Version() string { return C.GoString(C.TfLiteVersion()) }

// Check returns an error that wraps edgelens.ErrModel if the library that was loaded is
// too old: a program may find another than it was built with.
func (b Backend) Check() error {
	if err := checkVersion(b.Version()); err != nil {
		return fmt.Errorf("%w: %w", edgelens.ErrModel, err)
	}
	return nil
}

// Open reads the file and opens a private copy of it: a mapped file that another
// process overwrites or truncates would crash this one. The C library never sees a
// file that package tflitefile rejects.
func (b Backend) Open(path string, options inference.Options) (inference.Model, error) {
	if err := b.Check(); err != nil {
		return nil, err
	}
	if options.Accelerator != "" {
		return nil, fmt.Errorf("%w: TensorFlow Lite runs it on the processor only, not on the accelerator %s", edgelens.ErrModel, options.Accelerator)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: its file cannot be read: %w", edgelens.ErrModel, withoutPath(err))
	}
	if sum := sha256.Sum256(data); options.Digest != "" && options.Digest != "sha256:"+hex.EncodeToString(sum[:]) {
		return nil, &edgelens.Busy{RetryAfter: time.Second, Reason: "the file of the model has changed since it was checked; try again"}
	}
	if _, err := tflitefile.Read(data); err != nil {
		return nil, err
	}
	f, copied, err := models.NewUnnamedFile("model", data)
	if err != nil {
		return nil, fmt.Errorf("%w: there is not enough memory for its %d bytes: %w", edgelens.ErrModel, len(data), withoutPath(err))
	}
	defer f.Close() // not needed once mapped
	// From a file and not from memory: go-tflite's NewModel leaks its copy.
	m := gotflite.NewModelFromFile(copied)
	if m == nil {
		return nil, fmt.Errorf("%w: TensorFlow Lite finds its file truncated or corrupt; fetch it again", edgelens.ErrModel)
	}
	return &model{m: m, options: options}, nil
}

// withoutPath drops the path from a file error: responses contain these sentences.
func withoutPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// model is one mapped file. Its interpreters must be closed before it.
type model struct {
	m       *gotflite.Model
	options inference.Options

	// building serializes builds, as the weights need.
	building sync.Mutex
	// weights are shared by the interpreters; nil before the first, and where unshared is
	// set, which is why they are not, in words that follow "because".
	weights  *weights
	unshared string
	// abandoned weights may still be in use.
	abandoned *weights
}

// NewInterpreter tries XNNPACK first and falls back to TFLite's own kernels if the
// delegate fails: the interpreter then has the reason.
func (m *model) NewInterpreter() (inference.Interpreter, error) {
	m.building.Lock()
	defer m.building.Unlock()
	if m.m == nil {
		panic("tflite: NewInterpreter on a closed model")
	}
	var refusal string
	if m.options.Delegate != inference.DelegateNone {
		i, err := m.withXNNPACK()
		if err == nil {
			return i, nil
		}
		refusal = "XNNPACK " + err.Error()
	}
	i, err := m.build(nil, nil)
	if err != nil {
		return nil, err // not a typed nil
	}
	i.refusal = refusal
	return i, nil
}

// withXNNPACK tries shared weights first, and then, for this and all later interpreters,
// weights of their own. The error continues a sentence that begins with XNNPACK.
func (m *model) withXNNPACK() (*interpreter, error) {
	if m.weights == nil && m.unshared == "" {
		var err error
		if m.weights, err = newWeights(); err != nil {
			m.unshared = "the library " + err.Error()
		}
	}
	if w := m.weights; w != nil {
		i, err := m.delegated(w)
		switch {
		case err != nil:
			m.abandon("XNNPACK, given a place for shared ones, " + err.Error())
		case w.unstable:
			m.abandon("XNNPACK packs them otherwise for each")
			return i, nil
		default:
			return i, nil
		}
	}
	i, err := m.delegated(nil)
	if err != nil {
		return nil, err
	}
	i.unshared = m.unshared
	return i, nil
}

// abandon gives further interpreters weights of their own.
func (m *model) abandon(reason string) {
	m.abandoned, m.weights, m.unshared = m.weights, nil, reason
}

// delegated builds an interpreter with XNNPACK. The error continues a sentence that
// begins with XNNPACK.
func (m *model) delegated(w *weights) (*interpreter, error) {
	delegate, err := newXNNPACK(m.options.Threads, w)
	if err != nil {
		return nil, err
	}
	i, err := m.build(delegate, w)
	if err == nil && i.observer == nil {
		i.free()
		return nil, errors.New("is not used, because this TensorFlow Lite library cannot count what it takes; use a library from 2.17 to 2.20")
	}
	if err == nil {
		return i, nil
	}
	var words *inference.RuntimeError
	if errors.As(err, &words) {
		return nil, fmt.Errorf("fails on it: %s", words.Detail)
	}
	return nil, fmt.Errorf("fails on it: %w", err)
}

// build makes an interpreter with the delegate, none if nil, and owns it from
// then on. The weights are those of the delegate, nil for its own.
func (m *model) build(delegate *xnnpack, w *weights) (*interpreter, error) {
	options := gotflite.NewInterpreterOptions()
	defer options.Delete() // the interpreter keeps a copy
	options.SetNumThread(m.options.Threads)
	i := &interpreter{report: newReport(), delegate: delegate, observer: newObserver()}
	i.report.attach(options)
	if delegate != nil {
		options.AddDelegate(delegate)
	}
	if i.observer != nil {
		options.AddDelegate(i.observer)
	}
	i.i = gotflite.NewInterpreter(m.m, options)
	if err := w.built(i.i); err != nil {
		i.free()
		return nil, err
	}
	if i.i == nil {
		defer i.free()
		return nil, refusal("TensorFlow Lite cannot build its graph; convert it again", i.report.take())
	}
	if err := i.prepare(); err != nil {
		i.free()
		return nil, err
	}
	return i, nil
}

// refusal returns an ErrModel with a sentence about the model, and the runtime's own
// message for logs, unless a more precise error is known.
func refusal(sentence, words string) error {
	if err := inference.MissingOperator(words, "TensorFlow Lite "+New().Version(), "convert it with an older TensorFlow, or build with a newer library (TFLITE_ROOT)"); err != nil {
		return err
	}
	return &inference.RuntimeError{Sentence: sentence, Detail: words}
}

// Close frees the model; closing twice is harmless.
func (m *model) Close() error {
	m.building.Lock()
	defer m.building.Unlock()
	m.weights.free()
	m.abandoned.free()
	if m.m != nil {
		m.m.Delete()
		m.m = nil
	}
	return nil
}

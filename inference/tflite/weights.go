//go:build cgo

package tflite

/*
#include "weights.h"
*/
import "C"

import (
	"errors"
	"sync"
	"unsafe"

	gotflite "github.com/mattn/go-tflite"
)

// weights are the weights of one model as XNNPACK has packed them, which the delegates of
// its interpreters share. The model owns them: they are freed after the last interpreter
// and its delegate.
//
// XNNPACK packs the weights of every interpreter that is built, and keeps those that are
// not there yet; they never move. So a build may run while other interpreters do. Two
// builds must not: the model serializes them. See docs/adr/0029-shared-weights.md.
type weights struct {
	c *C.edgelens_weights
	// complete is set when the first interpreter is built, and unstable when a further one
	// was packed otherwise. It may run, but the next should not add even more.
	complete, unstable bool
}

// canShare returns an error, which continues a sentence that begins with the library,
// where weights cannot be shared. It looks once.
var canShare = sync.OnceValue(func() error {
	if !knowsOptions(New().Version()) {
		return errors.New("is newer than 2.20, and its cache of weights is not known")
	}
	if C.edgelens_weights_can_share(flagsWord()) == 0 {
		return errors.New("has no cache of weights, or one that works in no known way")
	}
	return nil
})

// newWeights returns an error, which continues a sentence that begins with the library,
// where weights cannot be shared.
func newWeights() (*weights, error) {
	if err := canShare(); err != nil {
		return nil, err
	}
	c := C.edgelens_weights_create()
	if c == nil {
		return nil, errors.New("gets no memory for a cache of weights")
	}
	return &weights{c: c}, nil
}

// provider is what the delegate's options take; nil for no weights.
func (w *weights) provider() unsafe.Pointer {
	if w == nil {
		return nil
	}
	return unsafe.Pointer(w.c)
}

// built is called after each build, before the interpreter, which may be nil, allocates
// its tensors. With an error it must not run: its weights are not all there.
func (w *weights) built(i *gotflite.Interpreter) error {
	if w == nil {
		return nil
	}
	added := C.edgelens_weights_built(w.c)
	if added < 0 {
		return errors.New("there is too little memory for its weights")
	}
	w.unstable = w.complete && added > 0
	w.complete = w.complete || i != nil
	return nil
}

// free is safe to call twice.
func (w *weights) free() {
	if w != nil && w.c != nil {
		C.edgelens_weights_free(w.c)
		w.c = nil
	}
}

//go:build cgo

package tflite

/*
#include "xnnpack.h"
*/
import "C"

import (
	"errors"
	"sync"
	"unsafe"
)

// The quantized operators that XNNPACK only takes if enabled
// (TFLITE_XNNPACK_DELEGATE_FLAG_QS8 and _QU8).
const (
	flagQS8 = 1
	flagQU8 = 2
)

// xnnpack is a delegate of one interpreter, which it must outlive.
type xnnpack struct{ delegate *C.TfLiteDelegate }

// flagsWord is which word of the library's options holds the flags; see xnnpack.h. It is
// found once.
var flagsWord = sync.OnceValue(func() C.int { return C.edgelens_xnnpack_flags_word(flagQS8 | flagQU8) })

// newXNNPACK returns an error, which continues a sentence that begins with XNNPACK, where
// the library has no delegate that would take quantized operators. The delegate must not
// outlive the weights; without them (nil) it packs its own.
func newXNNPACK(threads int, w *weights) (*xnnpack, error) {
	word := flagsWord()
	switch word {
	case C.EDGELENS_XNNPACK_ABSENT:
		return nil, errors.New("is not in the TensorFlow Lite library")
	case C.EDGELENS_XNNPACK_UNKNOWN:
		return nil, errors.New("has options in this TensorFlow Lite library that are laid out in no known way; use a library from 2.17 to 2.20")
	}
	d := C.edgelens_xnnpack_create(word, C.int32_t(threads), flagQS8|flagQU8, w.provider())
	if d == nil {
		return nil, errors.New("cannot be started; there may be too little memory")
	}
	return &xnnpack{delegate: d}, nil
}

// Ptr and Delete make it a delegates.Delegater of go-tflite.
func (x *xnnpack) Ptr() unsafe.Pointer { return unsafe.Pointer(x.delegate) }

// Delete is safe to call twice.
func (x *xnnpack) Delete() {
	if x != nil && x.delegate != nil {
		C.TfLiteXNNPackDelegateDelete(x.delegate)
		x.delegate = nil
	}
}

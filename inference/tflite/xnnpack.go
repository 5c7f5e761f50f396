//go:build cgo

package tflite

/*
#include <stdint.h>
#include <stdlib.h>
#include <tensorflow/lite/c/c_api.h>

// XNNPACK's delegate as TFLite 2.9 declares it in
// tensorflow/lite/delegates/xnnpack/xnnpack_delegate.h, which the runtime
// package does not ship. Later versions append fields; zero is a working value
// for each of them, so the options travel in a larger zeroed block and a newer
// library reads zeros instead of whatever lies behind.
typedef struct {
	int32_t num_threads;
	uint32_t flags;
	char later[248];
} edgelens_xnnpack_options;

extern TfLiteDelegate* TfLiteXNNPackDelegateCreate(const void* options);
extern void TfLiteXNNPackDelegateDelete(TfLiteDelegate* delegate);

static TfLiteDelegate* edgelens_xnnpack_create(int32_t threads, uint32_t flags) {
	edgelens_xnnpack_options options = { .num_threads = threads, .flags = flags };
	return TfLiteXNNPackDelegateCreate(&options);
}
*/
import "C"

import "unsafe"

// The quantized operators that XNNPACK only takes if enabled
// (TFLITE_XNNPACK_DELEGATE_FLAG_QS8 and _QU8).
const (
	flagQS8 = 1
	flagQU8 = 2
)

// xnnpack is a delegate of one interpreter, which it must outlive.
type xnnpack struct{ delegate *C.TfLiteDelegate }

// newXNNPACK returns nil if the library refuses.
func newXNNPACK(threads int) *xnnpack {
	d := C.edgelens_xnnpack_create(C.int32_t(threads), flagQS8|flagQU8)
	if d == nil {
		return nil
	}
	return &xnnpack{delegate: d}
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

//go:build cgo

package tflite

/*
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tensorflow/lite/c/c_api.h>

// TFLite's messages about one interpreter, newest last. It is
// written only while a call into that interpreter runs, so it needs no lock.
typedef struct {
	size_t used;
	char text[2048];
} edgelens_report;

static void edgelens_on_report(void* data, const char* format, va_list args) {
	edgelens_report* r = data;
	size_t room = sizeof r->text - r->used;
	if (room < 2) return;
	int n = vsnprintf(r->text + r->used, room, format, args);
	if (n < 0) return;
	r->used += (size_t)n < room ? (size_t)n : room - 1;
	if (sizeof r->text - r->used > 1 && r->used > 0 && r->text[r->used - 1] != '\n') {
		r->text[r->used++] = '\n';
	}
}

static void edgelens_report_to(TfLiteInterpreterOptions* options, edgelens_report* r) {
	TfLiteInterpreterOptionsSetErrorReporter(options, edgelens_on_report, r);
}
*/
import "C"

import (
	"strings"
	"unsafe"

	gotflite "github.com/mattn/go-tflite"
)

// report collects TFLite's error messages about one interpreter, which it must
// outlive.
//
// go-tflite's own SetErrorReporter leaks a handle with each call, so
// this one sets the C callback itself.
type report struct{ c *C.edgelens_report }

func newReport() *report {
	return &report{c: (*C.edgelens_report)(C.calloc(1, C.sizeof_edgelens_report))}
}

// attach makes interpreters built with options write here. InterpreterOptions
// is a struct whose only field is the C pointer; TestErrorText fails if a
// later go-tflite changes that.
func (r *report) attach(options *gotflite.InterpreterOptions) {
	C.edgelens_report_to(*(**C.TfLiteInterpreterOptions)(unsafe.Pointer(options)), r.c)
}

// take returns the messages since the last call, on one line.
func (r *report) take() string {
	text := C.GoStringN(&r.c.text[0], C.int(r.c.used))
	r.c.used = 0
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return "TensorFlow Lite gives no reason"
	}
	return text
}

// free is safe to call twice.
func (r *report) free() {
	C.free(unsafe.Pointer(r.c))
	r.c = nil
}

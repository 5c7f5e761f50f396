//go:build cgo && linux

package litert

/*
#cgo LDFLAGS: -ldl

#include "litert.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"
)

// This is the only file with calls into C: litert.h keeps the functions of the
// library in variables of the file that includes it.

// handle is an object of LiteRT. The zero handle is none.
type handle = unsafe.Pointer

// failure is a call of LiteRT that failed, in its own words.
type failure struct {
	status int
	words  string
}

// statusNames are the names of LiteRT's statuses that the calls used here return.
var statusNames = map[int]string{
	1: "invalid argument", 2: "out of memory", 3: "runtime failure", 4: "missing input tensor", 5: "unsupported",
	6: "not found", 8: "wrong version", 9: "unknown error", 500: "file error", 501: "invalid file", 502: "library not loaded",
	504: "compilation failed", 1000: "index out of bounds", 1001: "invalid type", 1002: "invalid graph",
}

func (f *failure) Error() string {
	name := statusNames[f.status]
	if name == "" {
		name = "of no known name"
	}
	if f.words == "" {
		return fmt.Sprintf("LiteRT gives no reason (status %d, %s)", f.status, name)
	}
	return fmt.Sprintf("%s (status %d, %s)", f.words, f.status, name)
}

// check returns a *failure for a status that is not good.
func check(status C.int, r *report) error {
	if status == 0 {
		return nil
	}
	return &failure{status: int(status), words: wordsOf(r)}
}

// wordsOf returns the report's messages in one line.
func wordsOf(r *report) string {
	return strings.Join(strings.Fields(C.GoStringN(&r.text[0], C.int(r.used))), " ")
}

// load opens the library. To be called once in a process, before everything else, and
// again only if it failed.
func load(path string) error {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	problem := C.edgelens_litert_load(name)
	if problem == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(problem))
	return errors.New(C.GoString(problem))
}

// loadGPU opens the accelerator's library. To be called once in a process, after load,
// and again only if it failed.
func loadGPU(path string) error {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	problem := C.edgelens_litert_load_gpu(name)
	if problem == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(problem))
	return errors.New(C.GoString(problem))
}

// newEnvironment makes the environment, with a GPU if gpuFolder is not "": the folder of
// the library that loadGPU opened.
func newEnvironment(gpuFolder string) (handle, error) {
	var folder *C.char
	if gpuFolder != "" {
		folder = C.CString(gpuFolder)
		defer C.free(unsafe.Pointer(folder))
	}
	var h handle
	var r report
	return h, check(C.edgelens_litert_environment(folder, &h, &r), &r)
}

func destroyEnvironment(h handle) { C.edgelens_litert_destroy_environment(h) }

// newModel reads the file in memory, which must outlive the model.
func newModel(environment handle, file *memory) (handle, error) {
	var h handle
	var r report
	return h, check(C.edgelens_litert_model(environment, file.at, C.size_t(file.size), &h, &r), &r)
}

func destroyModel(h handle) { C.edgelens_litert_destroy_model(h) }

// target is what runs a compiled model: one of LiteRT's accelerators with its options in
// TOML.
type target struct {
	accelerator C.int
	options     string
}

func onCPU(options string) target { return target{C.EDGELENS_LITERT_CPU, options} }
func onGPU(options string) target { return target{C.EDGELENS_LITERT_GPU, options} }

// compile makes the model runnable. The words are LiteRT's messages, also if it succeeds.
func compile(environment, model handle, t target) (h handle, words string, err error) {
	text := C.CString(t.options)
	defer C.free(unsafe.Pointer(text))
	var r report
	err = check(C.edgelens_litert_compile(environment, model, t.accelerator, text, &h, &r), &r)
	return h, wordsOf(&r), err
}

// isWhole reports whether the GPU runs the whole graph that was compiled for it.
func isWhole(compiled handle) (bool, error) {
	var whole C.bool
	var r report
	err := check(C.edgelens_litert_whole(compiled, &whole, &r), &r)
	return bool(whole), err
}

func destroyCompiled(h handle) { C.edgelens_litert_destroy_compiled(h) }

// layout is the shape of a tensor as LiteRT has it.
type layout = C.edgelens_litert_layout

// allocate gives the tensors their memory and returns the layouts of the first input
// and output.
func allocate(compiled handle) (input, output layout, err error) {
	var r report
	err = check(C.edgelens_litert_allocate(compiled, &input, &output, &r), &r)
	return input, output, err
}

// shapeOf returns the layout's dimensions. A layout is 7 bits of rank, a bit, and the
// dimensions.
func shapeOf(l *layout) []int {
	rank := int(*(*uint8)(unsafe.Pointer(l)) & 0x7f)
	shape := make([]int, 0, len(l.dimensions))
	for _, d := range l.dimensions[:min(rank, len(l.dimensions))] {
		shape = append(shape, int(d))
	}
	return shape
}

// newBuffer makes the memory usable as a tensor, which it must outlive.
func newBuffer(element int, l *layout, m *memory) (handle, error) {
	var h handle
	var r report
	return h, check(C.edgelens_litert_buffer(C.int32_t(element), l, m.at, C.size_t(m.padded), &h, &r), &r)
}

func destroyBuffer(h handle) { C.edgelens_litert_destroy_buffer(h) }

// report has room for LiteRT's messages of one call.
type report = C.edgelens_litert_report

// run runs the graph. The report is the caller's: a new one for each run would be
// garbage of 2 kB.
func run(compiled, input, output handle, r *report) error {
	return check(C.edgelens_litert_run(compiled, input, output, r), r)
}

// memory is memory of C, aligned as LiteRT wants it, with its one owner.
type memory struct {
	at           unsafe.Pointer
	size, padded int
}

// newMemory returns size bytes of zeros, followed by a margin that may be read.
func newMemory(size int) (*memory, error) {
	padded := (size + C.EDGELENS_LITERT_ALIGNMENT - 1) / C.EDGELENS_LITERT_ALIGNMENT * C.EDGELENS_LITERT_ALIGNMENT
	at := C.aligned_alloc(C.EDGELENS_LITERT_ALIGNMENT, C.size_t(padded+C.EDGELENS_LITERT_MARGIN))
	if at == nil {
		return nil, fmt.Errorf("there is no memory for %d bytes", size)
	}
	C.memset(at, 0, C.size_t(padded+C.EDGELENS_LITERT_MARGIN))
	return &memory{at: at, size: size, padded: padded}, nil
}

func (m *memory) bytes() []byte { return unsafe.Slice((*byte)(m.at), m.size) }

// free is safe to call twice and for nil.
func (m *memory) free() {
	if m != nil {
		C.free(m.at)
		m.at, m.size = nil, 0
	}
}

// Package litert runs models on LiteRT, the successor of TensorFlow Lite, on the
// CPU and, where requested, on a GPU (docs/adr/0031-gpu.md). Its libraries are opened at
// run time: nothing of them is needed to build, and a program that never calls New does
// without. There is no Backend in a build without cgo or for another system than Linux:
// New returns an error.
//
// The functions used are declared in litert.h, in our own words, for the version of
// the library named by Version (docs/adr/0028-litert.md).
package litert

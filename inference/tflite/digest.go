//go:build cgo && linux

package tflite

/*
#cgo LDFLAGS: -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

// edgelens_address returns where a function of the library is in memory; 0 if it is not
// there.
static uintptr_t edgelens_address(const char *name) { return (uintptr_t)dlsym(RTLD_DEFAULT, name); }
*/
import "C"

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"unsafe"
)

// LibraryDigest returns the digest ("sha256:" and hex) of the file that TensorFlow Lite
// was loaded from. It is computed once. The error is a clause.
func LibraryDigest() (string, error) { return libraryDigest() }

var libraryDigest = sync.OnceValues(func() (string, error) {
	name := C.CString("TfLiteVersion")
	defer C.free(unsafe.Pointer(name))
	address := uint64(C.edgelens_address(name))
	if address == 0 {
		return "", errors.New("its functions are not found")
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return "", err
	}
	path, err := mappingAt(string(maps), address)
	if err != nil {
		return "", err
	}
	return digestOf(path)
})

// mappingAt returns the file that is mapped at an address, from the contents of
// /proc/PID/maps (proc(5)).
func mappingAt(maps string, address uint64) (string, error) {
	for line := range strings.Lines(maps) {
		fields := strings.Fields(line)
		if len(fields) < 6 {
			continue
		}
		first, last, _ := strings.Cut(fields[0], "-")
		low, lowErr := strconv.ParseUint(first, 16, 64)
		high, highErr := strconv.ParseUint(last, 16, 64)
		if lowErr != nil || highErr != nil || address < low || address >= high {
			continue
		}
		_, path, found := strings.Cut(strings.TrimSuffix(line, "\n"), "/") // it may have spaces
		if !found {
			break
		}
		if strings.HasSuffix(path, " (deleted)") {
			return "", errors.New("its file was replaced or removed since it was loaded")
		}
		return "/" + path, nil
	}
	return "", errors.New("no file is mapped where its functions are")
}

func digestOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close() // read only
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}

//go:build !(cgo && linux)

package tflite

import "errors"

// LibraryDigest returns an error: it is known on Linux only.
func LibraryDigest() (string, error) {
	return "", errors.New("it is read on Linux only, in a program with TensorFlow Lite")
}

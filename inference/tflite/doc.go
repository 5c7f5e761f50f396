// Package tflite runs models on TensorFlow Lite's C library through
// github.com/mattn/go-tflite. It is the only package that links that library;
// without cgo, New returns an error that says so.
package tflite

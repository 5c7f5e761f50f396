// Package tflite runs models on TensorFlow Lite's C library through
// github.com/mattn/go-tflite. It is the only package that links that library;
// in a build without cgo, Open returns an error.
package tflite

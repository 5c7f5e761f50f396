package models

import "edgelens"

// Fill writes one image into the memory of an interpreter's input tensor, all of it,
// and returns the facts about the image and the times that this took (Decode and
// Preprocess). It must not keep the tensor. If it returns an error, the model is
// not run.
type Fill func(tensor []byte) (edgelens.ImageInfo, edgelens.Timings, error)

// Run is one run of a model.
type Run struct {
	Fill Fill
	// Background runs Fill and the model at a low thread priority.
	Background bool
}

// Inference is the outcome of a Run.
type Inference struct {
	// Output is the raw output tensor, of Spec.Output.Bytes() bytes. It belongs to
	// the caller.
	Output []byte
	// Image and Timings are what Fill returned, with the wait for an interpreter
	// (Queue) and the time of the run (Inference) added.
	Image   edgelens.ImageInfo
	Timings edgelens.Timings
}

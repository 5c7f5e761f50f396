package models

import "edgelens"

// Filled is what filling tensors with an image has found out.
type Filled struct {
	Image edgelens.ImageInfo
	// Timings has the times of Decode and Preprocess.
	Timings edgelens.Timings
	// View is what the tensor shows of the image, and More the tensors of the other
	// parts that it counts, which are to be run as well.
	View edgelens.ShownView
	More [][]byte
}

// Fill writes one image into the memory of an interpreter's input tensor, all of it.
// It must not keep the tensor. If it returns an error, the model is not run.
type Fill func(tensor []byte) (Filled, error)

// Run is one run of a model.
type Run struct {
	Fill Fill
	// Background runs Fill and the model at a low thread priority.
	Background bool
	// Urgent goes ahead of other runs that wait for an interpreter.
	Urgent bool
}

// Inference is the outcome of a Run.
type Inference struct {
	// Output is the raw output tensor, of Spec.Output.Bytes() bytes. It belongs to
	// the caller.
	Output []byte
	// Accelerator is what ran the graph in place of the processor, for example "gpu"; ""
	// for the processor.
	Accelerator string
	// Filled is what Fill returned, with the wait for an interpreter (Queue) and the
	// time of the run (Inference) added to its Timings.
	Filled
}

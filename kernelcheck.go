package edgelens

import (
	"fmt"
	"time"
)

// CheckResult is what is known about the kernels that run a model.
type CheckResult string

// The results. Kernels with CheckFailed run no model: they are in KernelCheck.Rejected.
const (
	CheckPassed    CheckResult = "passed"    // they agree with the reference kernels
	CheckFailed    CheckResult = "failed"    // they give other results than the reference kernels
	CheckReference CheckResult = "reference" // they are the reference kernels
	CheckUnknown   CheckResult = "unknown"   // they could not be compared
	CheckOff       CheckResult = "off"       // the setting inference.check is false
)

// KernelCheck is the comparison of the kernels that run a model with the reference
// kernels, which are slower: those of TensorFlow Lite without a delegate, and those of
// LiteRT without one for a model that only LiteRT opens.
type KernelCheck struct {
	Result CheckResult
	// Reason is a sentence on why the result is unknown or failed; empty otherwise.
	Reason string
	KernelComparison
	// At is when they were compared; zero where they were not.
	At time.Time
	// Rejected are the faster kernels that failed, in whose place those here run the model.
	Rejected []RejectedKernels
}

// String returns a phrase, for example "passed: 0 of 10 images with another first class than
// by tflite 2.17.1 without a delegate, correlation 0.9997".
func (c KernelCheck) String() string {
	text := string(c.Result)
	switch {
	case c.Reason != "":
		text += ": " + c.Reason
	case c.Result == CheckPassed:
		text += ": " + c.KernelComparison.String()
	}
	for _, r := range c.Rejected {
		text += fmt.Sprintf("; %s %s with %s rejected: %s", r.Runtime, r.Version, r.Delegate, r.Reason)
	}
	return text
}

// String returns a phrase.
func (c KernelComparison) String() string {
	text := fmt.Sprintf("%d of %d images with another first class than by %s", c.OtherFirstClasses, c.ClearImages, c.Against)
	if c.Correlation != nil {
		text += fmt.Sprintf(", correlation %.4f", *c.Correlation)
	}
	return text
}

// KernelComparison has the figures of a comparison; zero values where there was none.
type KernelComparison struct {
	// Against names the reference kernels, for example "tflite 2.17.1 without a delegate".
	Against string
	// Images is how many were compared, and ClearImages for how many of them the
	// reference kernels rank a class far above the others.
	Images, ClearImages int
	// OtherFirstClasses is how many of the clear images got another first class.
	OtherFirstClasses int
	// Correlation is that of the scores, from -1 to 1; nil where the reference's scores do
	// not vary from image to image.
	Correlation *float64
}

// RejectedKernels are kernels that failed the check.
type RejectedKernels struct {
	// Runtime, Version, Delegate and Accelerator are those of what was rejected; Accelerator
	// is empty for the processor.
	Runtime, Version, Delegate, Accelerator string
	KernelComparison
	// Reason is a sentence on what differs.
	Reason string
	At     time.Time
}

package inference

// An AcceleratorError is about an accelerator that cannot run a model or failed to: the
// model may run on the CPU. It wraps an edgelens.ErrModel, or an edgelens.ErrInference
// if it is about one run.
type AcceleratorError struct {
	// Accelerator is AcceleratorGPU, and Reason one of the constants below.
	Accelerator, Reason string
	// Err is the sentence: about a model, a RuntimeError where there is a detail.
	Err error
	// Detail is in the runtime's words, for logs only; "" where there is none.
	Detail string
}

// The reasons of an AcceleratorError.
const (
	AcceleratorNotRequested = "not_requested" // the runtime was opened without it
	AcceleratorNotInstalled = "not_installed" // its library is missing, damaged or another one
	AcceleratorNoAdapter    = "no_device"     // there is no device, or no driver for it
	AcceleratorUnsupported  = "unsupported"   // it cannot run all operators of the model
	AcceleratorWrongResults = "wrong_results" // its results are wrong, or could not be compared
	AcceleratorRunFailed    = "run_failed"    // it, or its driver, failed while running
)

// Error returns the sentence.
func (e *AcceleratorError) Error() string { return e.Err.Error() }

// Unwrap returns the error about the model or the run.
func (e *AcceleratorError) Unwrap() error { return e.Err }

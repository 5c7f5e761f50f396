package edgelens

// ModelAccelerator describes an accelerator that runs a model beside the processor.
type ModelAccelerator struct {
	Name string // "gpu"
	// Adapter is its hardware in its driver's words; "" where it is not known.
	Adapter string
	State   AcceleratorState
	// Problem is a sentence on why it is off; "" otherwise.
	Problem string
	// Reason is a word for Problem: "not_requested", "not_installed", "no_device",
	// "unsupported", "wrong_results" or "run_failed".
	Reason string
	// Runs counts what it has run.
	Runs int64
	// Checked is what is known about its kernels; nil unless it is ready.
	Checked *KernelCheck
}

// AcceleratorState is whether an accelerator takes runs.
type AcceleratorState string

// The states of accelerators.
const (
	AcceleratorLoading AcceleratorState = "loading" // the processor runs the model meanwhile
	AcceleratorReady   AcceleratorState = "ready"
	AcceleratorOff     AcceleratorState = "off" // the processor runs the model
)

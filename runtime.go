package edgelens

// Runtime is what runs a model.
type Runtime struct {
	// Name is "tflite" or "litert", and Version that of its library, for example "2.17.1".
	Name, Version string
	// Accelerator is "gpu", or "" for the processor.
	Accelerator string
}

// String returns a phrase for the log, for example "litert 2.3.0 on gpu".
func (r Runtime) String() string {
	text := r.Name + " " + r.Version
	if r.Accelerator != "" {
		text += " on " + r.Accelerator
	}
	return text
}

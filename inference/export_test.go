package inference

// AcceleratorHas returns how many runs the accelerator of a loaded model has.
func (l *Loader) AcceleratorHas(model string) int { return len(l.ready()[model].accelerated[0].places) }

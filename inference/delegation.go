package inference

import "fmt"

// Delegation describes what runs the operators of a graph.
type Delegation struct {
	// Runtime is RuntimeTFLite or RuntimeLiteRT, and Version that of its library, for
	// example "2.17.1".
	Runtime, Version string
	// Accelerator is AcceleratorGPU where that runs the whole graph, "" for the CPU.
	Accelerator string
	// Adapter is the name of the accelerator's hardware in its driver's words, for example
	// "V3D 4.2.14", with ", software" behind it where there is no hardware; "" where it is
	// unknown and for the CPU.
	Adapter string
	// Delegate is DelegateXNNPACK where that runs at least one operator, else
	// DelegateNone.
	Delegate string
	// Operators is how many the graph has, and Delegated how many of them the delegate
	// runs. The runtime counted them, not an expectation; both are 0 where it does not count.
	Operators, Delegated int
	// Refusal is why a delegate that was tried runs none, in a sentence; "" where it was
	// not tried or runs some.
	Refusal string
	// Unshared is why each interpreter holds its own copy of the delegate's weights, in
	// words that follow "because"; "" where they are shared or there is no delegate. A
	// runtime that never shares them does not fill it in.
	Unshared string
}

// String returns a phrase for the log, for example "62 of 66 operators by XNNPACK, the
// rest by TensorFlow Lite's own kernels".
func (d Delegation) String() string {
	if d.Unshared != "" {
		return d.operators() + "; each interpreter has a copy of the weights, because " + d.Unshared
	}
	return d.operators()
}

func (d Delegation) operators() string {
	const rest = "TensorFlow Lite's own kernels"
	switch {
	case d.Accelerator != "" && d.Adapter != "":
		return fmt.Sprintf("all operators by the accelerator %s (%s)", d.Accelerator, d.Adapter)
	case d.Accelerator != "":
		return "all operators by the accelerator " + d.Accelerator
	case d.Operators == 0:
		return "not counted"
	case d.Delegated == 0:
		return fmt.Sprintf("all %d operators by %s", d.Operators, rest)
	case d.Delegated == d.Operators:
		return fmt.Sprintf("all %d operators by XNNPACK", d.Operators)
	}
	return fmt.Sprintf("%d of %d operators by XNNPACK, the rest by %s", d.Delegated, d.Operators, rest)
}

package edgelens

// System describes the program and the machine that it runs on.
type System struct {
	Version string
	// Board is the machine's model, and Processor that of its processor; empty where the
	// system does not name it.
	Board, Processor string
	// Features are the instructions of the processor that kernels choose by, as the
	// system names them, for example "avx512_vnni" or "asimddp".
	Features     []string
	Architecture string // GOARCH
	Cores        int
	MemoryBytes  int64 // 0 where it is unknown
	OS           string
	Runtimes     []InstalledRuntime
	Accelerators []InstalledAccelerator
}

// InstalledRuntime is a runtime that may run models.
type InstalledRuntime struct {
	Name, Version string
	// Library is the path of its library; "" where it is not installed or not known.
	Library string
	// Problem is why it cannot be used; "" where it can.
	Problem string
}

// InstalledAccelerator is an accelerator that may run models.
type InstalledAccelerator struct {
	Name string // "gpu"
	// Problem is why it is not used; "" where it may be: each model has its own answer.
	Problem string
}

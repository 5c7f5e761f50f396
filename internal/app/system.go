package app

import (
	"edgelens"
	"edgelens/inference/runtimes"
	"edgelens/internal/board"
)

// System describes the program and its machine.
func System(version string, set *runtimes.Set) edgelens.System {
	facts := board.Prober{Root: "/"}.Facts()
	return edgelens.System{
		Version: version, Board: facts.Model, Processor: facts.CPU, Features: facts.Features, Architecture: facts.Architecture,
		Cores: facts.Cores, MemoryBytes: facts.MemoryBytes, OS: facts.OS, Runtimes: set.List(), Accelerators: set.Accelerators(),
	}
}

package api

import (
	"context"

	"edgelens"
)

// GetSystem implements StrictServerInterface.
func (s *Server) GetSystem(ctx context.Context, _ GetSystemRequestObject) (GetSystemResponseObject, error) {
	system := s.system()
	described := System{
		Version: system.Version, Board: textOrNil(system.Board), Processor: textOrNil(system.Processor), ProcessorFeatures: system.Features,
		Architecture: system.Architecture, Cores: system.Cores, Os: textOrNil(system.OS), Runtimes: []InstalledRuntime{}, Accelerators: []InstalledAccelerator{},
	}
	if system.MemoryBytes > 0 {
		described.MemoryBytes = &system.MemoryBytes
	}
	for _, r := range system.Runtimes {
		described.Runtimes = append(described.Runtimes, InstalledRuntime{Name: InstalledRuntimeName(r.Name), Version: r.Version, Problem: textOrNil(r.Problem)})
	}
	for _, a := range system.Accelerators {
		described.Accelerators = append(described.Accelerators, InstalledAccelerator{Name: InstalledAcceleratorName(a.Name), Problem: textOrNil(a.Problem)})
	}
	described.State = s.systemState(ctx)
	return GetSystem200JSONResponse(described), nil
}

// newRunsOn describes the runtime of a loaded model.
func newRunsOn(r edgelens.Runtime) *Runtime {
	if r.Name == "" {
		return nil
	}
	described := &Runtime{Name: RuntimeName(r.Name), Version: r.Version}
	if r.Accelerator != "" {
		accelerator := RuntimeAccelerator(r.Accelerator)
		described.Accelerator = &accelerator
	}
	return described
}

// textOrNil returns nil for a text that is not known.
func textOrNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

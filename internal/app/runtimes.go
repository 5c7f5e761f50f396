package app

import (
	"os"
	"path/filepath"
	"slices"

	"edgelens/inference"
	"edgelens/inference/litert"
	"edgelens/inference/runtimes"
	"edgelens/internal/config"
)

// RuntimeFolder is where `edgelens runtime install` puts LiteRT.
func RuntimeFolder(c *config.Config) string {
	return filepath.Join(c.DataDir, "runtimes", "litert-"+litert.Version)
}

// NewRuntimes returns the runtimes of the program, and LiteRT where it is installed.
func NewRuntimes(c *config.Config) *runtimes.Set {
	return runtimes.New(runtimes.Config{Folder: RuntimeFolder(c), GPU: slices.Contains(c.Inference.Accelerators, inference.AcceleratorGPU)})
}

// childEnvironment has the child processes that try models find the same LiteRT.
func childEnvironment(set *runtimes.Set) []string {
	folder := os.Getenv(litert.RootVariable)
	if library, err := set.LiteRT(); err == nil {
		folder = filepath.Dir(library)
	}
	if folder == "" {
		return nil
	}
	return []string{litert.RootVariable + "=" + folder}
}

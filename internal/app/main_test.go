package app

import (
	"os"
	"testing"

	"edgelens/inference/probe"
	"edgelens/inference/runtimes"
	"edgelens/preprocess/sandbox"
)

// This test binary also probes models, as the program does.
func TestMain(m *testing.M) {
	sandbox.Main()
	probe.Main(runtimes.New(runtimes.Config{}))
	os.Exit(m.Run())
}

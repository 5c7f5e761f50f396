package app

import (
	"os"
	"testing"

	"edgelens/inference/probe"
	"edgelens/inference/tflite"
)

// This test binary also probes models, as the program does.
func TestMain(m *testing.M) {
	probe.Main(tflite.New())
	os.Exit(m.Run())
}

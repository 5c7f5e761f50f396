package main

import (
	"bytes"
	"os"
	"path/filepath"
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

// runCommand calls the command line as main does.
func runCommand(t *testing.T, environ []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = execute(t.Context(), args, environ, &out, &err)
	return status, out.String(), err.String()
}

// file writes a file of that name, and returns its path.
func file(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

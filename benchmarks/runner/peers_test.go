//go:build cgo

package runner

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"edgelens/internal/testutil"
)

// The binding of the reference service has tests in Python; they run where their dependencies are installed.
func TestPeerBinding(t *testing.T) {
	const python = "/usr/bin/python3"
	testutil.Shared(t) // the test needs its models
	if err := exec.Command(python, "-c", "import numpy, PIL").Run(); err != nil {
		t.Skipf("Debian's python3-numpy and python3-pil are not installed: %v; `make bench-peers` does", err)
	}
	library, err := loadedLibrary("libtensorflowlite_c")
	if err != nil {
		t.Fatal(err)
	}
	tests := exec.Command(python, "-m", "unittest")
	tests.Dir = filepath.Join("..", "peers", "flask")
	tests.Env = append(os.Environ(), "PEER_TFLITE="+library, "PYTHONDONTWRITEBYTECODE=1")
	if out, err := tests.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

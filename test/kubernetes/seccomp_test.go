//go:build cgo

package kubernetes

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// Under the seccomp profile of pods, without capabilities, decode helpers confine themselves as elsewhere, Redis runs, and images are
// recognized.
func TestRuntimeDefault(t *testing.T) {
	programs := forCheck(t)
	// The profile is in force: it does not let a process make a namespace.
	if out, err := exec.Command(filepath.Join(programs, "bin", "runtimedefault"), "unshare", "--user", "true").CombinedOutput(); err == nil || !strings.Contains(string(out), "Operation not permitted") {
		t.Fatalf("unshare: %v, %s", err, out)
	}
	dir := testutil.ShortDir(t)
	model := modeltest.Mean(modeltest.Options{Side: 32, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()})
	if err := os.MkdirAll(filepath.Join(dir, "models"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "models", "colors.tflite"), model, 0o644); err != nil {
		t.Fatal(err)
	}
	log := &testutil.LogBuffer{}
	cmd := exec.Command(filepath.Join(programs, "bin", "runtimedefault"), filepath.Join("..", "..", "bin", "edgelens"), "serve",
		"--listen", "127.0.0.1:0", "--data-dir", dir, "--model", "colors", "--mqtt-listen", "", "--decode-isolation", "require")
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		if t.Failed() {
			t.Logf("%s", log.String())
		}
	})
	started := regexp.MustCompile(`msg="edgelens started".* address=(http://\S+)`)
	testutil.Eventually(t, "it is ready", func() bool { return strings.Contains(log.String(), "msg=ready") })
	address := started.FindStringSubmatch(log.String())[1]

	answer, err := http.Post(address+"/api/recognize?top_k=1", "image/png", bytes.NewReader(modeltest.Image(modeltest.Red, 40, 40)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), `"label":"red"`) {
		t.Fatalf("%d %s %v", answer.StatusCode, body, err)
	}
	metrics, err := http.Get(address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(metrics.Body)
	if err != nil || !strings.Contains(string(text), `edgelens_decode_protection{layer="seccomp"} 1`) {
		t.Errorf("decode helpers have no filter of their own: %v", err)
	}
	protection := regexp.MustCompile(`edgelens_decode_protection.*`).FindAllString(string(text), -1)
	t.Logf("under RuntimeDefault: %q", protection)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("stopped with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it did not stop")
	}
}

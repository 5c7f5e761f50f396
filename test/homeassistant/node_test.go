//go:build cgo

package homeassistant

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// program is what make build has built.
const program = "../../bin/edgelens"

// node is the program with one data folder, through all its runs.
type node struct {
	t       *testing.T
	url     string
	flags   []string
	command *exec.Cmd
	ended   chan struct{}
	log     *testutil.LogBuffer
}

// newNode returns a node with a model of colors, which is not running yet.
func newNode(t *testing.T, flags ...string) *node {
	t.Helper()
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v: make build builds it", err)
	}
	installed, address := t.TempDir(), testutil.FreeAddress(t)
	model := modeltest.Mean(modeltest.Options{Side: 32, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()})
	if err := os.WriteFile(filepath.Join(installed, "colors.tflite"), model, 0o600); err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, url: "http://" + address, log: &testutil.LogBuffer{}}
	n.flags = append([]string{
		"serve", "--listen", address, "--data-dir", testutil.ShortDir(t), "--models-dir", installed, "--model", "colors",
		"--recognize-quality", "off", "--terminal-zone", "UTC", "--ledger-keep-images", "--homeassistant-discovery", "--homeassistant-images",
	}, flags...)
	t.Cleanup(func() {
		n.stop()
		if t.Failed() {
			lines := strings.Split(n.log.String(), "\n")
			t.Logf("the end of the node's log:\n%s", strings.Join(lines[max(0, len(lines)-40):], "\n"))
		}
	})
	return n
}

// start starts it, and returns when it is ready.
func (n *node) start() {
	n.command = exec.Command(program, n.flags...)
	n.command.Stdout, n.command.Stderr = n.log, n.log
	if err := n.command.Start(); err != nil {
		n.t.Error(err)
		return
	}
	n.ended = make(chan struct{})
	go func(command *exec.Cmd, ended chan struct{}) {
		_ = command.Wait()
		close(ended)
	}(n.command, n.ended)
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(50 * time.Millisecond) {
		response, err := http.Get(n.url + "/readyz")
		if err != nil {
			continue
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return
		}
	}
	n.t.Errorf("the node is not ready:\n%s", n.log)
}

// stop stops it, kill kills it, if it runs.
func (n *node) stop() { n.end(syscall.SIGTERM) }
func (n *node) kill() { n.end(syscall.SIGKILL) }

func (n *node) end(signal syscall.Signal) {
	if n.command == nil {
		return
	}
	_ = n.command.Process.Signal(signal)
	<-n.ended
	n.command = nil
}

// call calls its API.
func (n *node) call(method, path, body string) {
	request, err := http.NewRequest(method, n.url+path, strings.NewReader(body))
	if err != nil {
		n.t.Error(err)
		return
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		n.t.Error(err)
		return
	}
	_ = response.Body.Close()
	if response.StatusCode >= 300 {
		n.t.Errorf("%s %s: %s", method, path, response.Status)
	}
}

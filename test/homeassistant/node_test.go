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

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/learn/head"
	"edgelens/learn/heads"
	"edgelens/learn/softmax"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// program is what make build has built.
const program = "../../bin/edgelens"

// node is the program with one data folder, through all its runs.
type node struct {
	t   *testing.T
	url string
	// dataDir has its data, and extractor is the model of heads.
	dataDir   string
	extractor edgelens.ModelRef
	flags     []string
	command   *exec.Cmd
	ended     chan struct{}
	log       *testutil.LogBuffer
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
	n := &node{t: t, url: "http://" + address, dataDir: testutil.ShortDir(t), log: &testutil.LogBuffer{}}
	n.addExtractor(installed)
	n.learn("closed", "open")
	n.flags = append([]string{
		"serve", "--listen", address, "--data-dir", n.dataDir, "--models-dir", installed, "--model", "colors",
		"--recognize-quality", "off", "--terminal-zone", "UTC", "--ledger-keep-images", "--homeassistant-discovery", "--homeassistant-images",
		"--states-list", "gate device=" + serial + " model=gate count=1",
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

// features is how many numbers the extractor puts out.
const features = 3

// addExtractor adds a model of embeddings to a folder.
func (n *node) addExtractor(folder string) {
	n.t.Helper()
	file := filepath.Join(n.t.TempDir(), "extractor.tflite")
	if err := os.WriteFile(file, modeltest.Mean(modeltest.Options{}), 0o600); err != nil {
		n.t.Fatal(err)
	}
	added, err := models.Add(folder, models.Addition{File: file, Task: edgelens.TaskEmbedding})
	if err != nil {
		n.t.Fatal(err)
	}
	n.extractor = edgelens.ModelRef{Name: "extractor", Digest: "sha256:" + added.File.SHA256}
}

// learn makes another version of the head gate live, which answers with the first of its labels, whatever an image shows.
func (n *node) learn(labels ...string) {
	h := &head.Head{
		Name: "gate", Extractor: n.extractor, Labels: labels, Params: softmax.New(len(labels), features), Scale: 1, Method: head.Softmax, Examples: 12, CreatedAt: time.Now(),
	}
	h.Params.Biases()[0] = 20
	if _, err := heads.Open(filepath.Join(n.dataDir, "heads")).Put(h, nil, true); err != nil {
		n.t.Error(err)
	}
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

//go:build cgo

package page

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// folder has the program, once it is built.
var folder string

// program builds the program once for all tests of the package.
var program = sync.OnceValues(func() (bin string, err error) {
	if folder, err = os.MkdirTemp("", "edgelens-page"); err != nil {
		return "", err
	}
	bin = filepath.Join(folder, "edgelens")
	build := exec.Command("go", "build", "-o", bin, "./cmd/edgelens")
	build.Dir = "../.."
	build.Stderr = os.Stderr
	return bin, build.Run()
})

func TestMain(m *testing.M) {
	code := m.Run()
	if folder != "" {
		_ = os.RemoveAll(folder)
	}
	os.Exit(code)
}

// service is the program with one data folder, through all its runs.
type service struct {
	t          *testing.T
	bin        string
	data       string
	url, mqtt  string
	extra      []string
	command    *exec.Cmd
	ended      chan struct{}
	log        *testutil.LogBuffer
	modelsFlag []string
}

// newService starts the program with a model of colors and a broker of its own.
func newService(t *testing.T, extra ...string) *service {
	t.Helper()
	testutil.SkipIfShort(t, "it starts the program and a browser")
	bin, err := program()
	if err != nil {
		t.Fatalf("build the program: %v", err)
	}
	installed := t.TempDir()
	model := modeltest.Mean(modeltest.Options{Side: 32, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()})
	if err := os.WriteFile(filepath.Join(installed, "colors.tflite"), model, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, bin: bin, data: testutil.ShortDir(t), url: "http://" + testutil.FreeAddress(t), mqtt: testutil.FreeAddress(t), extra: extra, log: &testutil.LogBuffer{},
		modelsFlag: []string{"--models-dir", installed, "--model", "colors"}}
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			lines := strings.Split(s.log.String(), "\n")
			t.Logf("the end of the service's log:\n%s", strings.Join(lines[max(0, len(lines)-30):], "\n"))
		}
	})
	return s
}

func (s *service) start() *service {
	s.t.Helper()
	arguments := append([]string{"serve", "--listen", strings.TrimPrefix(s.url, "http://"), "--mqtt-listen", s.mqtt, "--data-dir", s.data}, s.modelsFlag...)
	s.command = exec.Command(s.bin, append(arguments, s.extra...)...)
	s.command.Stdout, s.command.Stderr = s.log, s.log
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.ended = make(chan struct{})
	go func(command *exec.Cmd, ended chan struct{}) {
		_ = command.Wait()
		close(ended)
	}(s.command, s.ended)
	testutil.Eventually(s.t, "the service is ready", func() bool {
		select {
		case <-s.ended:
			s.t.Fatalf("the service has ended:\n%s", s.log)
		default:
		}
		time.Sleep(20 * time.Millisecond) // each request that comes too early is a line of the log
		response, err := http.Get(s.url + "/readyz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return s
}

// stop ends the program, if it runs.
func (s *service) stop() {
	if s.command == nil {
		return
	}
	_ = s.command.Process.Signal(syscall.SIGTERM)
	<-s.ended
	s.command = nil
}

// run runs a command of the program and returns its output.
func (s *service) run(arguments ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	output, err := exec.CommandContext(ctx, s.bin, arguments...).Output()
	if err != nil {
		s.t.Fatalf("edgelens %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
	return strings.TrimSpace(string(output))
}

// simulate has a terminal send records.
func (s *service) simulate(arguments ...string) {
	s.t.Helper()
	s.run(append([]string{"terminal", "simulate", "--broker", "mqtt://" + s.mqtt, "--rate", "5", "--seed", "7", "--duration", "30s"}, arguments...)...)
}

// get returns the status and body of a call.
func (s *service) get(path, accept string) (*http.Response, string) {
	s.t.Helper()
	request, err := http.NewRequest(http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = response.Body.Close()
	return response, string(body)
}

//go:build fault

package fault

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgelens/models"
	"edgelens/models/modeltest"
)

// startWithin is the maximum duration of a start, on a busy machine too.
const startWithin = 15 * time.Second

// service is bin/edgelens with one data folder, through all its runs: a server, or a worker that serves only its
// status.
type service struct {
	t    *testing.T
	data string
	args []string
	// program is the path of the program of the next start; "" is bin/edgelens.
	program string
	log     *os.File // of all runs
	url     atomic.Value
	life    *life
}

// life is one process.
type life struct {
	cmd   *exec.Cmd
	ended chan struct{}
	born  time.Time
	// logged is the length of the log at the start.
	logged int64
}

// newService returns a service over an empty data folder, with the model of
// colors, that is not started yet.
func newService(t *testing.T, args ...string) *service {
	t.Helper()
	return newServiceIn(t, t.TempDir(), args...)
}

func newServiceIn(t *testing.T, data string, args ...string) *service {
	t.Helper()
	return newProgram(t, data, append([]string{"serve", "--listen", "127.0.0.1:0", "--mqtt-listen="}, args...)...)
}

// newWorker returns a worker on the jobs of other nodes, that is not started
// yet.
func newWorker(t *testing.T, redisURL string, args ...string) *service {
	t.Helper()
	return newProgram(t, t.TempDir(), append([]string{"worker", "--status-listen", "127.0.0.1:0", "--redis-url", redisURL}, args...)...)
}

func newProgram(t *testing.T, data string, args ...string) *service {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "colors.tflite"), colors(), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	// The last flag wins, so a test can choose another model.
	s := &service{t: t, data: data, log: log, args: slices.Insert(args, 1, "--data-dir", data, "--models-dir", folder, "--model", "colors")}
	s.url.Store("")
	t.Cleanup(func() {
		if s.life != nil {
			s.kill()
		}
		if t.Failed() {
			t.Logf("the end of the service's log:\n%s", tail(s.logSince(0), 40))
		}
		_ = log.Close()
	})
	return s
}

func colors() []byte {
	return modeltest.Mean(modeltest.Options{Side: 32, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()})
}

// spawn starts a process and does not wait for it to be ready.
func (s *service) spawn() {
	s.t.Helper()
	bin, err := filepath.Abs(cmp.Or(s.program, "../../bin/edgelens"))
	if err != nil {
		s.t.Fatal(err)
	}
	end, err := s.log.Seek(0, 2)
	if err != nil {
		s.t.Fatal(err)
	}
	l := &life{cmd: exec.Command(bin, s.args...), ended: make(chan struct{}), born: time.Now(), logged: end}
	l.cmd.Dir = s.t.TempDir()
	l.cmd.Stdout, l.cmd.Stderr = s.log, s.log
	l.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	if err := l.cmd.Start(); err != nil {
		s.t.Fatalf("start %s (make build makes it): %v", bin, err)
	}
	go func() { _ = l.cmd.Wait(); close(l.ended) }()
	s.life = l
}

var started = regexp.MustCompile(`msg="(?:edgelens started|serving status)".* address=(\S+)`)

// start starts a process and waits until it is ready.
func (s *service) start() {
	s.t.Helper()
	s.spawn()
	var url string
	s.until("the service has started", startWithin, func() bool {
		s.mustLive()
		if m := started.FindSubmatch(s.logSince(s.life.logged)); m != nil {
			url = string(m[1])
		}
		return url != ""
	})
	s.url.Store(url)
	s.until("the service is ready", startWithin, func() bool {
		s.mustLive()
		response, err := http.Get(url + "/readyz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func (s *service) mustLive() {
	s.t.Helper()
	select {
	case <-s.life.ended:
		s.t.Fatalf("the service ended by itself:\n%s", tail(s.logSince(s.life.logged), 20))
	default:
	}
}

// kill ends the process like a power cut, and returns when it has ended.
func (s *service) kill() {
	_ = s.life.cmd.Process.Kill()
	<-s.life.ended
	s.life = nil
}

// stop ends it like systemd.
func (s *service) stop() {
	s.t.Helper()
	_ = s.life.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.life.ended:
	case <-time.After(40 * time.Second):
		s.t.Error("the service does not end on SIGTERM")
		s.kill()
		return
	}
	if code := s.life.cmd.ProcessState.ExitCode(); code != 0 {
		s.t.Errorf("the service ended with status %d on SIGTERM", code)
	}
	s.life = nil
}

// rss returns the resident memory of the service in bytes.
func (s *service) rss() int64 {
	s.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.life.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		s.t.Fatal("no VmRSS")
	}
	kb, _ := strconv.ParseInt(string(m[1]), 10, 64) // digits
	return kb << 10
}

func (s *service) logSince(offset int64) []byte {
	text, _ := io.ReadAll(io.NewSectionReader(s.log, offset, 1<<40))
	return text
}

// children returns the processes that work below the data folder: its redis-server, and leftover ones.
func (s *service) children() []int {
	var pids []int
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, s.data+"/") {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// noOrphans fails unless all processes that the service started have ended.
func (s *service) noOrphans() {
	s.t.Helper()
	s.until("no redis-server is left over", 5*time.Second, func() bool { return len(s.children()) == 0 })
}

// until waits for a condition.
func (s *service) until(what string, within time.Duration, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(within); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("after %v it is still not so that %s", within, what)
		}
	}
}

func tail(text []byte, lines int) []byte {
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return bytes.Join(all[max(0, len(all)-lines):], []byte("\n"))
}

// setting reads a number or duration from the environment.
func setting[T any](t *testing.T, name string, otherwise T, parse func(string) (T, error)) T {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	v, err := parse(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

func rounds(t *testing.T) int { return setting(t, "FAULT_ROUNDS", 5, strconv.Atoi) }

// slowRounds is for tests with seconds per round: a tenth, and at least two.
func slowRounds(t *testing.T) int { return 2 + rounds(t)/10 }

func outage(t *testing.T) time.Duration {
	return setting(t, "FAULT_OUTAGE", 5*time.Second, time.ParseDuration)
}

// report prints progress at once, which t.Log does not.
func report(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "    "+time.Now().Format("15:04:05 ")+format+"\n", args...)
}

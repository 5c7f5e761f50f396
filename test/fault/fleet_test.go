//go:build fault

package fault

import (
	"bufio"
	"context"
	"encoding/json"
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
	"sync"
	"testing"
	"time"

	"edgelens/internal/testutil"
	"edgelens/internal/uuid7"
)

// drainTime is stop.drain: some intervals of the balancer's probes.
const drainTime = 2 * time.Second

// fleet is some nodes that share Redis and a broker, behind a balancer.
type fleet struct {
	t        *testing.T
	nodes    []*node
	balancer *balancer
}

// node is one of them, at the same address and with the same data for all its lives.
type node struct {
	*service
	address string
	stream  *stream
}

// newFleet starts that many, with the program of version.
func newFleet(t *testing.T, n int, version program, args ...string) *fleet {
	t.Helper()
	f := &fleet{t: t}
	var addresses []string
	for range n {
		address := testutil.FreeAddress(t)
		s := newService(t, append([]string{"--listen", address, "--stop-drain", drainTime.String()}, args...)...)
		s.program = version.path
		s.start()
		f.nodes, addresses = append(f.nodes, &node{service: s, address: address}), append(addresses, address)
	}
	f.balancer = newBalancer(t, addresses...)
	for _, n := range f.nodes {
		n.until("the balancer uses it", startWithin, func() bool { return f.balancer.isReady(n.address) })
		n.stream = follow(t, n.service)
	}
	return f
}

// replace stops a node and starts another version of it, and returns once the balancer uses it.
func (f *fleet) replace(n *node, version program) {
	f.t.Helper()
	n.stop()
	n.program = version.path
	n.start()
	if started := `version=` + version.version; !strings.Contains(string(n.logSince(n.life.logged)), started) {
		f.t.Errorf("the log of the new version lacks %s", started)
	}
	n.until("the balancer uses it", startWithin, func() bool { return f.balancer.isReady(n.address) })
}

// tag is the end of the ids of the node's jobs.
func (n *node) tag() string {
	n.t.Helper()
	name, err := os.ReadFile(filepath.Join(n.data, "node"))
	if err != nil {
		n.t.Fatal(err)
	}
	return uuid7.TagOf(strings.TrimSpace(string(name))).String()
}

var recognizedJob = regexp.MustCompile(`msg=recognize .*request_id=(\S+) source=job .*outcome=ok`)

// recognized returns the ids of the jobs that the node has recognized, its own and those of others.
func (n *node) recognized() (own, others []string) {
	for _, m := range recognizedJob.FindAllSubmatch(n.logSince(0), -1) {
		if id := string(m[1]); strings.HasSuffix(id, n.tag()) {
			own = append(own, id)
		} else {
			others = append(others, id)
		}
	}
	return own, others
}

// program is a version of edgelens.
type program struct{ path, version string }

// builtProgram is bin/edgelens.
func builtProgram(t *testing.T) program {
	t.Helper()
	return programAt(t, "../../bin/edgelens")
}

// nextProgram is the same with another version.
func nextProgram(t *testing.T) program {
	t.Helper()
	path := filepath.Join(t.TempDir(), "edgelens")
	build := exec.Command("go", "build", "-ldflags", "-X main.version=99.0.0-next", "-o", path, "../../cmd/edgelens")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the next version: %v\n%s", err, output)
	}
	return programAt(t, path)
}

func programAt(t *testing.T, path string) program {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command(path, "version", "--json").Output()
	if err != nil {
		t.Fatalf("ask %s for its version: %v", path, err)
	}
	var answer struct{ Version string }
	if err := json.Unmarshal(output, &answer); err != nil || answer.Version == "" {
		t.Fatalf("the version of %s is %s, %v", path, output, err)
	}
	return program{path, answer.Version}
}

// stream follows a node's events through all its lives, and resumes after each.
type stream struct {
	mu  sync.Mutex
	ids []int64
	// ends are the terminal states by job; wrong is what should not be.
	ends  map[string][]string
	wrong []string
}

func follow(t *testing.T, s *service) *stream {
	t.Helper()
	ctx, quit := context.WithCancel(context.Background())
	f := &stream{ends: map[string][]string{}}
	var following sync.WaitGroup
	following.Go(func() {
		for ctx.Err() == nil {
			f.read(ctx, s.url.Load().(string))
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	t.Cleanup(func() { quit(); following.Wait() })
	return f
}

// read reads until the node ends the stream, which it must do in order.
func (f *stream) read(ctx context.Context, url string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/events", nil)
	if err != nil {
		return // never
	}
	r.Header.Set("Last-Event-ID", strconv.FormatInt(f.last(), 10))
	response, err := web.Do(r)
	if err != nil {
		return // it restarts
	}
	defer response.Body.Close() // read only
	lines := bufio.NewReader(response.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			if err != io.EOF && ctx.Err() == nil {
				f.note(func() { f.wrong = append(f.wrong, "the stream broke off: "+err.Error()) })
			}
			return
		}
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "id: "); ok {
			id, _ := strconv.ParseInt(text, 10, 64) // 0 is reported as out of order
			f.note(func() { f.add(id) })
		}
		data, isData := strings.CutPrefix(line, "data: ")
		var event struct{ ID, Status string }
		if isData && json.Unmarshal([]byte(data), &event) == nil && event.Status != "" && (job{Status: event.Status}).terminal() {
			f.note(func() { f.ends[event.ID] = append(f.ends[event.ID], event.Status) })
		}
	}
}

// add must be called by note. Ids increase by one, as nothing is removed during a test.
func (f *stream) add(id int64) {
	if last := len(f.ids) - 1; last >= 0 && id != f.ids[last]+1 {
		f.wrong = append(f.wrong, fmt.Sprintf("event %d after %d", id, f.ids[last]))
	}
	f.ids = append(f.ids, id)
}

func (f *stream) last() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ids) == 0 {
		return 0
	}
	return f.ids[len(f.ids)-1]
}

func (f *stream) note(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// problems is what was wrong; at most ten.
func (f *stream) problems() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.wrong[:min(len(f.wrong), 10)])
}

// endsOf are the terminal states that the stream had of a job.
func (f *stream) endsOf(id string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ends[id])
}

//go:build boxes

package boxes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens/benchmarks/suite"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/uuid7"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// startsAtATime bounds how many nodes start at a time.
const startsAtATime = 4

// site is nodes that share a Redis Cluster of three masters and a broker.
type site struct {
	t      *testing.T
	redis  *supervisetest.Redis
	broker *supervisetest.Mosquitto
	nodes  []*node
	client *http.Client
}

// node is a running edgelens serve.
type node struct {
	*suite.Own
	tag string // of its jobs' ids
	log *log
}

func newSite(t *testing.T, n int) *site {
	t.Helper()
	s := &site{
		t: t, redis: supervisetest.StartCluster(t), broker: supervisetest.StartMosquitto(t), nodes: make([]*node, n),
		client: &http.Client{Timeout: 40 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256}},
	}
	folder := t.TempDir()
	model := modeltest.Mean(modeltest.Options{Side: 32, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()})
	if err := os.WriteFile(filepath.Join(folder, "colors.tflite"), model, 0o600); err != nil {
		t.Fatal(err)
	}
	starts := make(chan struct{}, startsAtATime)
	var starting sync.WaitGroup
	errs := make([]error, n)
	for i := range s.nodes {
		data := t.TempDir()
		starting.Go(func() {
			starts <- struct{}{}
			defer func() { <-starts }()
			s.nodes[i], errs[i] = s.start(data, folder)
		})
	}
	starting.Wait()
	t.Cleanup(func() { s.stop() })
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return s
}

// start starts one node. Its model is not checked, as that is a cost of the first start alone.
func (s *site) start(data, models string) (*node, error) {
	program, err := filepath.Abs("../../bin/edgelens")
	if err != nil {
		return nil, err
	}
	n := &node{log: newLog()}
	n.Own, err = suite.Start(context.Background(), program, []string{
		"serve", "--listen", "127.0.0.1:0", "--data-dir", data, "--models-dir", models, "--model", "colors", "--log-format", "json",
		"--redis-url", s.redis.URL, "--mqtt-url", s.broker.OpenURL(), "--mqtt-listen=", "--mqtt-group", "boxes",
		"--inference-interpreters", "1", "--inference-probe=false", "--inference-check=false", "--cache-max-entries", "0",
	}, n.log)
	if err != nil {
		return nil, err
	}
	name, err := os.ReadFile(filepath.Join(data, "node"))
	n.tag = uuid7.TagOf(strings.TrimSpace(string(name))).String()
	return n, err
}

func (s *site) stop() {
	var stopping sync.WaitGroup
	for _, n := range s.nodes {
		if n == nil {
			continue
		}
		stopping.Go(func() {
			if err := n.Stop(); err != nil {
				s.t.Error(err)
			}
		})
	}
	stopping.Wait()
}

// problems counts the warnings and errors in the nodes' logs, by their messages.
func (s *site) problems() string {
	all := map[string]int{}
	for _, n := range s.nodes {
		n.log.mu.Lock()
		for message, count := range n.log.problems {
			all[message] += count
		}
		n.log.mu.Unlock()
	}
	var parts []string
	for _, message := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, fmt.Sprintf("%s (%d)", message, all[message]))
	}
	return strings.Join(parts, "; ")
}

// forgetProblems forgets those of the start, when nodes are not ready yet.
func (s *site) forgetProblems() {
	for _, n := range s.nodes {
		n.log.mu.Lock()
		clear(n.log.problems)
		n.log.mu.Unlock()
	}
}

// recognized is how many jobs the nodes have recognized: of themselves, and of others.
func (s *site) recognized() (own, others int) {
	for _, n := range s.nodes {
		n.log.mu.Lock()
		for tag, count := range n.log.jobs {
			if tag == n.tag {
				own += count
			} else {
				others += count
			}
		}
		n.log.mu.Unlock()
	}
	return own, others
}

// log reads a node's log while it is written. It is safe for use by many goroutines.
type log struct {
	mu       sync.Mutex
	rest     []byte
	problems map[string]int // by message
	jobs     map[string]int // recognized, by the tag of their accepting node
}

func newLog() *log { return &log{problems: map[string]int{}, jobs: map[string]int{}} }

// Write implements io.Writer.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		l.rest = rest
		l.read(line)
	}
}

func (l *log) read(line []byte) {
	var entry struct {
		Level, Msg, Source, Outcome string
		RequestID                   string `json:"request_id"`
	}
	if json.Unmarshal(line, &entry) != nil {
		l.problems["not a log line: "+string(line[:min(len(line), 100)])]++
		return
	}
	switch {
	case entry.Level == "WARN" || entry.Level == "ERROR":
		l.problems[entry.Msg]++
	case entry.Msg == "recognize" && entry.Source == "job" && entry.Outcome == "ok" && len(entry.RequestID) > 8:
		l.jobs[entry.RequestID[len(entry.RequestID)-8:]]++
	}
}

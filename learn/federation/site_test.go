package federation_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/identity/signing"
	"edgelens/learn/federation"
	"edgelens/learn/federation/coordinator"
	"edgelens/learn/federation/participant"
	"edgelens/learn/head"
)

const features = 8

var labels = []string{"closed", "open"}

// newKeys returns the keys of a node with that data folder.
func newKeys(t testing.TB, folder string) federation.Keys {
	t.Helper()
	node, err := signing.Open(folder, signing.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return signing.Party{Node: node}
}

// rotate gives a node another signing key.
func rotate(t testing.TB, folder string) {
	t.Helper()
	node, err := signing.Open(folder, signing.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.Rotate(); err != nil {
		t.Fatal(err)
	}
}

// quickSettings have rounds of fractions of a second.
func quickSettings() federation.Settings {
	s := federation.DefaultSettings()
	s.Poll, s.Pause, s.Deadline, s.MinExamples = federation.Seconds(100*time.Millisecond), 0, federation.Seconds(time.Minute), 1
	return s
}

// site is a coordinator that listens.
type site struct {
	t      testing.TB
	folder string
	*coordinator.Coordinator
	server *httptest.Server
	// wrap changes what nodes reach; nil for nothing.
	wrap func(http.Handler) http.Handler
	end  func()
}

func newSite(t testing.TB, settings federation.Settings) *site {
	t.Helper()
	s := &site{t: t, folder: t.TempDir()}
	s.start(federation.Definition{Head: "gate", Labels: labels, Settings: settings})
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler := s.Handler()
		if s.wrap != nil {
			handler = s.wrap(handler)
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.server.Close()
		s.end()
	})
	return s
}

// start opens the coordinator and has it run.
func (s *site) start(definition federation.Definition) {
	s.t.Helper()
	opened, err := coordinator.Open(coordinator.Parts{Folder: filepath.Join(s.folder, "federation"), Keys: newKeys(s.t, s.folder), Log: quiet()}, definition)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { opened.Run(ctx) })
	s.Coordinator = opened
	s.end = func() {
		cancel()
		running.Wait()
		_ = opened.Close()
	}
}

// restart ends the coordinator without a farewell, and starts it on the same folder.
func (s *site) restart() {
	s.end()
	s.start(federation.Definition{})
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// store has the examples and heads of a node.
type store struct {
	mu       sync.Mutex
	examples []edgelens.Example
	changed  time.Time
	digest   string
	heads    []*head.Head
	live     int
}

func (s *store) Dataset(_ context.Context, name string) (edgelens.Dataset, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.examples) == 0 {
		return edgelens.Dataset{}, edgelens.ErrNotFound
	}
	return edgelens.Dataset{Name: name, Extractor: edgelens.ModelRef{Name: "extractor", Digest: s.digest}, Examples: len(s.examples), ChangedAt: s.changed}, nil
}

func (s *store) Embeddings(context.Context, string) ([]edgelens.Example, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]edgelens.Example(nil), s.examples...), nil
}

func (s *store) Install(_ context.Context, h *head.Head) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heads = append(s.heads, h)
	s.live = len(s.heads)
	return s.live, nil
}

func (s *store) Rollback(context.Context, string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live--
	return nil
}

// installed returns the head that answers; nil for none.
func (s *store) installed() *head.Head {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == 0 {
		return nil
	}
	return s.heads[s.live-1]
}

// add adds count examples of a class, whose embeddings lie around a direction of the class; flipped gives them the other
// label.
func (s *store) add(seed uint64, class, count int, flipped bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	random := rand.New(rand.NewPCG(seed, uint64(class)))
	for range count {
		embedding, length := make([]float32, features), 0.0
		for i := range embedding {
			v := 0.35 * random.NormFloat64()
			if i == class {
				v++
			}
			embedding[i] = float32(v)
			length += v * v
		}
		for i := range embedding {
			embedding[i] /= float32(math.Sqrt(length))
		}
		label := labels[class]
		if flipped {
			label = labels[1-class]
		}
		sum := sha256.Sum256(fmt.Append(nil, embedding))
		s.examples = append(s.examples, edgelens.Example{ID: fmt.Sprint(len(s.examples)), Label: label, SHA256: hex.EncodeToString(sum[:]), Embedding: embedding})
	}
	s.changed = s.changed.Add(time.Second)
}

// right returns the share of fresh examples that a head classifies rightly.
func rightShare(h *head.Head) float64 {
	if h == nil {
		return 0
	}
	var fresh store
	fresh.add(999, 0, 200, false)
	fresh.add(999, 1, 200, false)
	count := 0
	for _, e := range fresh.examples {
		p := h.Probabilities(e.Embedding)
		if (p[1] > p[0]) == (e.Label == labels[1]) {
			count++
		}
	}
	return float64(count) / float64(len(fresh.examples))
}

// member is a node that takes part.
type member struct {
	*participant.Participant
	name   string
	folder string
	keys   federation.Keys
	store  *store
	stop   func()
}

// addNode makes a node with examples of both classes and has it join.
func (s *site) addNode(name string, closed, open int) *member {
	s.t.Helper()
	m := s.newNode(name)
	if closed > 0 {
		m.store.add(uint64(len(name))*7919+uint64(name[len(name)-1]), 0, closed, false)
	}
	if open > 0 {
		m.store.add(uint64(len(name))*7919+uint64(name[len(name)-1]), 1, open, false)
	}
	s.joins(m)
	return m
}

// newNode makes a node that has not joined.
func (s *site) newNode(name string) *member {
	s.t.Helper()
	m := &member{name: name, folder: s.t.TempDir(), store: &store{digest: "sha256:e1", changed: time.Unix(0, 0)}}
	m.keys = newKeys(s.t, m.folder)
	m.open(s.t, participant.Parts{})
	return m
}

// open opens the participant; fields of parts that are zero are those of a test.
func (m *member) open(t testing.TB, parts participant.Parts) {
	t.Helper()
	parts.Folder, parts.Keys, parts.Datasets, parts.Heads, parts.Log = filepath.Join(m.folder, "federation"), m.keys, m.store, m.store, quiet()
	if parts.Config == (participant.Config{}) {
		parts.Config = participant.DefaultConfig()
	}
	if parts.Throttled == nil {
		parts.Throttled = func(context.Context) string { return "" }
	}
	opened, err := participant.Open(parts)
	if err != nil {
		t.Fatal(err)
	}
	m.Participant = opened
	t.Cleanup(func() { _ = opened.Close() })
}

// joins has a node join by a token of its own.
func (s *site) joins(m *member) {
	s.t.Helper()
	token, _, err := s.Invite(m.name, time.Hour)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := m.Join(s.t.Context(), participant.JoinRequest{URL: s.server.URL, Token: token.String(), Dataset: "pictures"}); err != nil {
		s.t.Fatal(err)
	}
}

// run has nodes take part until the end of the test, or until their stop.
func (s *site) run(members ...*member) {
	for _, m := range members {
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { m.Run(ctx) })
		m.stop = func() {
			cancel()
			running.Wait()
		}
		s.t.Cleanup(m.stop)
	}
}

// ended returns the rounds that ended.
func (s *site) ended() []coordinator.RoundStatus {
	s.t.Helper()
	rounds, err := s.Rounds(1000)
	if err != nil {
		s.t.Fatal(err)
	}
	return rounds
}

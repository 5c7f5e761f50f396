package similarity_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/learn/similarity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const digest = "sha256:01"

// extractor gives an embedding by the first two bytes of an image; "bad" is no image, and "broken" fails as often as it says.
type extractor struct {
	mu     sync.Mutex
	digest string
	err    error
	broken int
	// blocked is what an embedding waits for; nil for nothing.
	blocked chan struct{}
}

func (e *extractor) Recognize(ctx context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.blocked != nil {
		select {
		case <-e.blocked:
		case <-ctx.Done():
			return nil, edgelens.ErrCanceled
		}
	}
	switch {
	case req.Task != edgelens.TaskEmbedding:
		return &edgelens.Result{RequestID: req.ID}, nil
	case e.err != nil:
		return nil, e.err
	case string(req.Image) == "bad":
		return nil, edgelens.ErrBadImage
	case string(req.Image) == "broken":
		e.broken++
		return nil, edgelens.ErrInference
	}
	return &edgelens.Result{RequestID: req.ID, Model: edgelens.ModelRef{Digest: e.digest}, Embedding: []float32{float32(req.Image[0]), float32(req.Image[1])}}, nil
}

func (e *extractor) present(context.Context) (edgelens.ModelRef, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return edgelens.ModelRef{Name: "features", Digest: e.digest}, e.err
}

func (e *extractor) change(do func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	do()
}

// store is a Store and Images in memory: the results are those that have an image or were recorded.
type store struct {
	mu         sync.Mutex
	images     map[int64][]byte // of results, by Seq; nil for one that is not kept
	embeddings map[int64]edgelens.StoredEmbedding
	deleted    []int64
}

func newStore(images ...string) *store {
	s := &store{images: map[int64][]byte{}, embeddings: map[int64]edgelens.StoredEmbedding{}}
	for i, image := range images {
		s.images[int64(i+1)] = []byte(image)
	}
	return s
}

func (s *store) Put(_ context.Context, e edgelens.StoredEmbedding, id, job string, _ int) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text := id + job; text != "" {
		e.Seq = 0
		fmt.Sscan(text, &e.Seq)
	}
	if _, there := s.images[e.Seq]; !there {
		return 0, edgelens.ErrNotFound
	}
	s.embeddings[e.Seq] = e
	return e.Seq, nil
}

func (s *store) Load(_ context.Context, extractor string, after int64, limit int) (list []edgelens.StoredEmbedding, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.embeddings {
		if e.Seq > after && e.Extractor == extractor && len(e.Values) > 0 {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b edgelens.StoredEmbedding) int { return int(a.Seq - b.Seq) })
	return list[:min(limit, len(list))], nil
}

func (s *store) Embedding(_ context.Context, id string) (edgelens.StoredEmbedding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for seq, e := range s.embeddings {
		if fmt.Sprint(seq) == id {
			return e, nil
		}
	}
	return edgelens.StoredEmbedding{}, edgelens.ErrNotFound
}

func (s *store) Pending(_ context.Context, extractor string, after int64, limit int) (list []edgelens.PendingEmbedding, last int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for seq := after + 1; seq <= 1000 && limit > 0; seq++ {
		image, there := s.images[seq]
		if !there {
			continue
		}
		last, limit = seq, limit-1
		if e, embedded := s.embeddings[seq]; image != nil && (!embedded || e.Extractor != extractor) {
			list = append(list, edgelens.PendingEmbedding{Seq: seq, Job: fmt.Sprint(seq)})
		}
	}
	return list, last, nil
}

func (s *store) Newest(context.Context, int) (int64, error) { return 0, nil }

func (s *store) DeleteOthers(_ context.Context, extractor string, _ int) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for seq, e := range s.embeddings {
		if e.Extractor != extractor {
			delete(s.embeddings, seq)
			s.deleted = append(s.deleted, seq)
			n++
		}
	}
	return n, nil
}

func (s *store) Deleted(context.Context) ([]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deleted), nil
}

func (s *store) ForgetDeleted(_ context.Context, seqs []int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted = slices.DeleteFunc(s.deleted, func(seq int64) bool { return slices.Contains(seqs, seq) })
	return nil
}

func (s *store) Matching(_ context.Context, f edgelens.SimilarFilter) ([]int64, bool, error) {
	return []int64{1}, f.Device == "", nil
}

func (s *store) Results(_ context.Context, seqs []int64) (map[int64]edgelens.StoredResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[int64]edgelens.StoredResult{}
	for _, seq := range seqs {
		if _, there := s.images[seq]; there {
			found[seq] = edgelens.StoredResult{ID: fmt.Sprint(seq)}
		}
	}
	return found, nil
}

func (s *store) Image(_ context.Context, job string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var seq int64
	fmt.Sscan(job, &seq)
	if image := s.images[seq]; image != nil {
		return image, nil
	}
	return nil, edgelens.ErrNotFound
}

// record adds a result whose image is not kept.
func (s *store) record(seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.images[seq] = nil
}

func (s *store) erase(seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.images, seq)
	delete(s.embeddings, seq)
	s.deleted = append(s.deleted, seq)
}

func (s *store) embedded(seq int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, there := s.embeddings[seq]
	return there
}

func start(t *testing.T, s *store, e *extractor) (*similarity.Service, *prometheus.Registry) {
	t.Helper()
	if e.digest == "" {
		e.digest = digest
	}
	registry := prometheus.NewRegistry()
	config := similarity.DefaultConfig()
	config.Enabled = true
	service := similarity.Start(config, similarity.Parts{
		Recognizer: e, Background: e, Model: "features", Extractor: e.present, Store: s, Images: s,
	}, slog.New(slog.DiscardHandler), registry)
	t.Cleanup(service.Close)
	return service, registry
}

// ids returns what is found for an image.
func ids(t *testing.T, s *similarity.Service, image string, f edgelens.SimilarFilter) (list []string) {
	t.Helper()
	found, err := s.Similar(t.Context(), &edgelens.Request{Image: []byte(image)}, f)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range found {
		list = append(list, r.ID)
	}
	return list
}

var most = edgelens.SimilarFilter{Limit: 10, MinSimilarity: 0.9}

// What is in the history without an embedding gets one, and is found until it is erased.
func TestHistoryIsEmbedded(t *testing.T) {
	s := newStore("\x10\x01", "bad", "\x01\x10", "\x10\x02")
	service, registry := start(t, s, &extractor{})
	testutil.Eventually(t, "all are embedded", func() bool { return s.embedded(4) })
	testutil.Eventually(t, "similar ones are found", func() bool { return slices.Equal(ids(t, service, "\x10\x01", most), []string{"1", "4"}) })
	if got := ids(t, service, "\x10\x01", edgelens.SimilarFilter{Limit: 1, MinSimilarity: 0.9}); !slices.Equal(got, []string{"1"}) {
		t.Errorf("limited: %v", got)
	}
	if got := ids(t, service, "\x10\x02", edgelens.SimilarFilter{Limit: 10, Device: "door"}); !slices.Equal(got, []string{"1"}) {
		t.Errorf("of one device: %v", got)
	}
	to, err := service.SimilarTo(t.Context(), "1", edgelens.SimilarFilter{Limit: 1, MinSimilarity: -1})
	if err != nil || len(to) != 1 || to[0].ID != "4" || to[0].Similarity < 0.9 {
		t.Errorf("to a result: %+v, %v", to, err)
	}
	if _, err := service.SimilarTo(t.Context(), "7", most); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("to none: %v", err)
	}
	s.erase(4)
	if got := ids(t, service, "\x10\x01", most); !slices.Equal(got, []string{"1"}) {
		t.Errorf("after an erasure: %v", got)
	}
	if n := metric(t, registry, "edgelens_similarity_vectors"); n != 2 {
		t.Errorf("%v vectors", n)
	}
}

// metric returns the sum of a metric over its labels.
func metric(t *testing.T, registry *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
		return sum
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// What was embedded before a restart is found at once, and what another model gave is made again.
func TestRestartAndOtherModel(t *testing.T) {
	s := newStore("\x10\x01")
	e := &extractor{}
	first, _ := start(t, s, e)
	testutil.Eventually(t, "it is embedded", func() bool { return s.embedded(1) })
	first.Close()
	second, _ := start(t, s, e)
	found := func() bool {
		list, err := second.Similar(t.Context(), &edgelens.Request{Image: []byte("\x10\x01")}, most)
		return err == nil && len(list) == 1
	}
	testutil.Eventually(t, "it is found after a restart", found)
	e.change(func() { e.digest = "sha256:02" })
	testutil.Eventually(t, "it is made again", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.embeddings[1].Extractor == "sha256:02"
	})
	testutil.Eventually(t, "it is found by the other model", found)
}

// While the model is missing, a search says so; afterwards it goes on.
func TestMissingModel(t *testing.T) {
	s, e := newStore("\x10\x01"), &extractor{err: edgelens.ErrNoModel}
	service, _ := start(t, s, e)
	if _, err := service.Similar(t.Context(), &edgelens.Request{Image: []byte("\x10\x01")}, most); !errors.Is(err, edgelens.ErrNoModel) {
		t.Errorf("%v", err)
	}
}

// Images that are not kept are embedded from memory, once their results are stored; those beyond the bounds are dropped.
func TestWatch(t *testing.T) {
	s, e := newStore("\x10\x01"), &extractor{}
	service, registry := start(t, s, e)
	testutil.Eventually(t, "the service is ready", func() bool { return s.embedded(1) })
	watched := service.Watch(e)
	for id, source := range map[string]string{"7": "http", "8": "job"} {
		image := []byte("\x01\x10")
		if _, err := watched.Recognize(t.Context(), &edgelens.Request{ID: id, Source: source, Image: image}); err != nil {
			t.Fatal(err)
		}
		clear(image) // the next upload takes its place
	}
	s.record(7)
	s.record(8)
	testutil.Eventually(t, "both are embedded", func() bool { return s.embedded(7) && s.embedded(8) })
	e.change(func() { e.blocked = make(chan struct{}) })
	blocked := e.blocked
	defer close(blocked)
	for range 200 {
		if _, err := service.Watch(answering{}).Recognize(t.Context(), &edgelens.Request{ID: "7", Image: make([]byte, 1<<20)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := metric(t, registry, "edgelens_similarity_dropped_total"); n < 200-33 {
		t.Errorf("%v of 200 MiB are dropped", n)
	}
}

// answering answers at once.
type answering struct{}

func (answering) Recognize(_ context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	return &edgelens.Result{RequestID: req.ID}, nil
}

package serving_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/learn/head"
	"edgelens/learn/serving"
	"edgelens/learn/softmax"
	"edgelens/models"
)

// base is a model of task embedding, whose features are the tensor that it is given.
type base struct {
	mu       sync.Mutex
	spec     *models.Spec
	acquired int
	unloaded []string
	features []float32
	err      error
}

func newBase() *base {
	return &base{spec: extractorSpec("sha256:ab"), features: []float32{3, 0, 0}}
}

func extractorSpec(digest string) *models.Spec {
	return &models.Spec{
		Model: models.Model{ModelRef: edgelens.ModelRef{Name: "extractor", Digest: digest}, Task: edgelens.TaskEmbedding, Fit: edgelens.FitPad}, Variant: "v",
		Output: models.TensorSpec{Shape: []int{1, 3}, DType: models.Float32},
	}
}

func (b *base) Acquire(_ context.Context, name string) (*models.Spec, func(), error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if name != "extractor" && name != "file" {
		return nil, nil, fmt.Errorf("%w: %q", edgelens.ErrUnknownModel, name)
	}
	b.acquired++
	return b.spec, func() { b.mu.Lock(); b.acquired--; b.mu.Unlock() }, nil
}

func (b *base) Run(_ context.Context, spec *models.Spec, _ models.Run) (models.Inference, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return models.Inference{}, b.err
	}
	raw := make([]byte, 4*len(b.features))
	for i, f := range b.features {
		models.PutFloat32(raw[4*i:], f)
	}
	return models.Inference{Output: raw, Accelerator: "gpu"}, nil
}

func (b *base) List() []edgelens.Model {
	b.mu.Lock()
	defer b.mu.Unlock()
	return []edgelens.Model{{ModelRef: b.spec.ModelRef, Task: edgelens.TaskEmbedding, State: edgelens.ModelReady}, {ModelRef: edgelens.ModelRef{Name: "file"}, State: edgelens.ModelAvailable}}
}

func (b *base) Load(_ context.Context, name string) error {
	_, release, err := b.Acquire(context.Background(), name)
	if err == nil {
		release()
	}
	return err
}

func (b *base) Unload(_ context.Context, name string) error {
	b.unloaded = append(b.unloaded, name)
	return nil
}

func (b *base) Knows(name string) bool { return name == "extractor" }

type registry struct{ def string }

func (r registry) Has(name string) bool { return name == "extractor" || name == "file" }
func (r registry) Default() string      { return r.def }

// store has one version of each head.
type store struct {
	mu    sync.Mutex
	heads map[string]*head.Head
	err   error
}

func (s *store) Live(name string) (*head.Head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	if h := s.heads[name]; h != nil {
		return h, nil
	}
	return nil, edgelens.ErrUnknownModel
}

func (s *store) Names() (names []string) {
	for name := range s.heads {
		names = append(names, name)
	}
	return names
}

func (s *store) set(h *head.Head) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heads[h.Name] = h
}

// gate is closed for the first feature, and open for the second.
func gate(version int, threshold float64) *head.Head {
	p := softmax.New(2, 3)
	p.Row(0)[0], p.Row(1)[1] = 1, 1
	return &head.Head{
		Name: "gate", Version: version, Extractor: edgelens.ModelRef{Name: "extractor", Digest: "sha256:ab"}, Labels: []string{"closed", "open"}, Params: p,
		View: edgelens.View{Region: edgelens.Region{Width: 0.5, Height: 0.5}}, Scale: 5, Threshold: threshold, Method: head.Softmax, Examples: 12,
	}
}

func setUp(heads ...*head.Head) (*serving.Models, *base, *store) {
	b, s := newBase(), &store{heads: map[string]*head.Head{}}
	for _, h := range heads {
		s.heads[h.Name] = h
	}
	return serving.New(b, registry{"gate"}, s), b, s
}

// ask runs a model once and returns the probabilities by label.
func ask(t *testing.T, m *serving.Models, name string) (map[string]float64, *models.Spec) {
	t.Helper()
	spec, release, err := m.Acquire(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	inferred, err := m.Run(t.Context(), spec, models.Run{})
	if err != nil {
		t.Fatal(err)
	}
	scores := make([]float32, spec.Output.Elements())
	if err := spec.Output.Dequantize(scores, inferred.Output); err != nil {
		t.Fatal(err)
	}
	if inferred.Accelerator != "gpu" {
		t.Errorf("the accelerator %q is lost", inferred.Accelerator)
	}
	answers := map[string]float64{}
	for i, s := range scores {
		answers[spec.Labels[i]] = float64(s)
	}
	return answers, spec
}

func TestHeadIsAModel(t *testing.T) {
	m, b, _ := setUp(gate(1, 0))
	for _, name := range []string{"gate", ""} {
		answers, spec := ask(t, m, name)
		want := 1 / (1 + math.Exp(-5))
		if math.Abs(answers["closed"]-want) > 1e-6 || answers[head.Unknown] != 0 || math.Abs(answers["closed"]+answers["open"]-1) > 1e-6 {
			t.Errorf("the answers are %v", answers)
		}
		digest, err := gate(1, 0).Digest()
		if err != nil {
			t.Fatal(err)
		}
		if spec.Name != "gate" || spec.Digest != digest || spec.Task != edgelens.TaskClassification || spec.Activation != models.ActivationProbabilities {
			t.Errorf("the spec is %+v", spec)
		}
		if spec.Region != (edgelens.Region{Width: 0.5, Height: 0.5}) || spec.Fit != edgelens.FitPad { // of the head, and of the extractor
			t.Errorf("it is shown %v by %v", spec.Region, spec.Fit)
		}
	}
	if b.acquired != 0 {
		t.Errorf("the extractor is held %d times", b.acquired)
	}
	spec, release, err := m.Acquire(t.Context(), "extractor")
	if err != nil || spec != b.spec {
		t.Fatalf("the extractor is %+v, %v", spec, err)
	}
	inferred, err := m.Run(t.Context(), spec, models.Run{})
	if err != nil || len(inferred.Output) != 4*3 {
		t.Errorf("the extractor gives %d bytes, %v", len(inferred.Output), err)
	}
	release()
}

// TestUnknownBelowThreshold checks the rule on many probabilities: unknown is the first exactly where the best class is below the
// threshold, and all add up to 1.
func TestUnknownBelowThreshold(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		threshold := random.Float64()
		h := gate(1, threshold)
		h.Scale = 0.1 + 5*random.Float64()
		m, b, _ := setUp(h)
		b.features = []float32{random.Float32(), random.Float32(), random.Float32()}
		answers, _ := ask(t, m, "gate")
		best := max(answers["closed"], answers["open"])
		length := float32(math.Sqrt(float64(b.features[0]*b.features[0] + b.features[1]*b.features[1] + b.features[2]*b.features[2])))
		exact := h.Probabilities([]float32{b.features[0] / length, b.features[1] / length, b.features[2] / length})
		below := max(exact[0], exact[1]) < threshold
		if margin := math.Abs(max(exact[0], exact[1]) - threshold); margin < 1e-6 {
			continue
		}
		rounded := func(p float64) float64 { return math.Round(p * 1e6) }
		if first := rounded(answers[head.Unknown]) > rounded(best); first != below {
			t.Fatalf("the probabilities %v with the threshold %v give %v", exact, threshold, answers)
		}
		if sum := answers["closed"] + answers["open"] + answers[head.Unknown]; math.Abs(sum-1) > 1e-6 {
			t.Fatalf("%v add up to %v", answers, sum)
		}
		if !below && (answers[head.Unknown] != 0 || math.Abs(best-max(exact[0], exact[1])) > 1e-6) {
			t.Fatalf("the probabilities %v became %v above the threshold", exact, answers)
		}
	}
}

func TestExtractorMustBeTheSame(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*base, *head.Head)
		text   string
	}{
		"another digest":     {func(b *base, _ *head.Head) { b.spec = extractorSpec("sha256:cd") }, "embed the examples again"},
		"another task":       {func(b *base, _ *head.Head) { b.spec.Task = edgelens.TaskClassification }, "needs embeddings"},
		"other features":     {func(b *base, _ *head.Head) { b.spec.Output.Shape = []int{1, 4} }, "4"},
		"no extractor":       {func(_ *base, h *head.Head) { h.Extractor.Name = "gone" }, "gone"},
		"extractor's a head": {func(_ *base, h *head.Head) { h.Extractor.Name = "gate" }, "gate"},
	} {
		h := gate(1, 0)
		m, b, _ := setUp(h)
		test.change(b, h)
		_, _, err := m.Acquire(t.Context(), "gate")
		if !errors.Is(err, edgelens.ErrModel) || errors.Is(err, edgelens.ErrUnknownModel) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %v", name, err)
		}
		if b.acquired != 0 {
			t.Errorf("%s: the extractor is held", name)
		}
	}
}

func TestErrorsOfRuns(t *testing.T) {
	for name, features := range map[string][]float32{
		"NaN": {float32(math.NaN()), 1, 1}, "infinite": {float32(math.Inf(-1)), 1, 1}, "all 0": {0, 0, 0}, "cut off": {1},
	} {
		m, b, _ := setUp(gate(1, 0))
		b.features = features
		spec, release, err := m.Acquire(t.Context(), "gate")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Run(t.Context(), spec, models.Run{}); !errors.Is(err, edgelens.ErrInference) {
			t.Errorf("%s: %v", name, err)
		}
		b.err = edgelens.ErrDeadline
		if _, err := m.Run(t.Context(), spec, models.Run{}); !errors.Is(err, edgelens.ErrDeadline) {
			t.Errorf("%s: the error of the extractor's run is %v", name, err)
		}
		release()
	}
}

// TestVersionsChangeWhileInUse rolls back and forth while requests run: each is answered by the version that it acquired.
func TestVersionsChangeWhileInUse(t *testing.T) {
	m, b, s := setUp(gate(1, 0))
	old, release, err := m.Acquire(t.Context(), "gate")
	if err != nil {
		t.Fatal(err)
	}
	swapped := gate(2, 0)
	swapped.Labels = []string{"a", "b"}
	s.set(swapped)
	if _, spec := ask(t, m, "gate"); spec.Digest == old.Digest || spec.Labels[0] != "a" {
		t.Errorf("the new version is not used: %+v", spec.ModelRef)
	}
	if _, err := m.Run(t.Context(), old, models.Run{}); err != nil || old.Labels[0] != "closed" {
		t.Errorf("the version in use: %v, labels %v", err, old.Labels)
	}
	release()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 200 {
				if i == 0 {
					s.set(gate(1, 0.5))
					s.set(swapped)
					continue
				}
				ask(t, m, "gate")
			}
		})
	}
	all.Wait()
	if b.acquired != 0 {
		t.Errorf("the extractor is held %d times", b.acquired)
	}
}

// A head that was removed does not stay in memory.
func TestRemovedHeadLeavesMemory(t *testing.T) {
	m, _, s := setUp(gate(1, 0))
	ask(t, m, "gate")
	var freed atomic.Bool
	runtime.AddCleanup(s.heads["gate"], func(*atomic.Bool) { freed.Store(true) }, nil)
	delete(s.heads, "gate")
	if _, _, err := m.Acquire(t.Context(), "gate"); !errors.Is(err, edgelens.ErrUnknownModel) {
		t.Errorf("a removed head: %v", err)
	}
	testutil.Eventually(t, "the head is freed", func() bool { runtime.GC(); return freed.Load() })
	runtime.KeepAlive(m)
}

func TestList(t *testing.T) {
	lost := gate(1, 0)
	lost.Name, lost.Extractor.Name = "lost", "gone"
	stale := gate(1, 0)
	stale.Name, stale.Extractor.Digest = "stale", "sha256:cd"
	hidden := gate(1, 0)
	hidden.Name = "file"
	m, _, _ := setUp(gate(3, 0), lost, stale, hidden)
	states := map[string]edgelens.Model{}
	for _, model := range m.List() {
		if _, twice := states[model.Name]; twice {
			t.Errorf("%s is listed twice", model.Name)
		}
		states[model.Name] = model
	}
	if g := states["gate"]; g.State != edgelens.ModelReady || !g.Default || g.HeadVersion != 3 || g.Extractor.Name != "extractor" || g.LabelsCount != 3 || g.Task != edgelens.TaskClassification {
		t.Errorf("the head is listed as %+v", g)
	}
	for name, text := range map[string]string{"lost": "gone", "stale": "sha256:cd"} {
		if got := states[name]; got.State != edgelens.ModelFailed || !strings.Contains(got.Problem, text) {
			t.Errorf("%s is listed as %+v", name, got)
		}
	}
	if f := states["file"]; f.HeadVersion != 0 || !strings.Contains(f.Problem, "the file has the name") {
		t.Errorf("the file is listed as %+v", f)
	}
}

func TestLoadAndUnload(t *testing.T) {
	m, b, s := setUp(gate(1, 0))
	if err := m.Load(t.Context(), "gate"); err != nil {
		t.Error(err)
	}
	if err := m.Unload(t.Context(), "gate"); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("a head was unloaded: %v", err)
	}
	if err := m.Unload(t.Context(), "extractor"); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("the extractor of the default was unloaded: %v", err)
	}
	if err := m.Unload(t.Context(), "file"); err != nil || len(b.unloaded) != 1 {
		t.Errorf("unloading a file: %v, %v", err, b.unloaded)
	}
	if !m.Knows("gate") || !m.Knows("extractor") || m.Knows("nothing") || !m.IsHead("gate") || m.IsHead("file") {
		t.Error("the names are not known")
	}
	s.err = fmt.Errorf("%w: damaged", edgelens.ErrModel)
	if _, err := m.Describe(t.Context(), "gate"); !errors.Is(err, edgelens.ErrModel) {
		t.Errorf("a damaged head: %v", err)
	}
	if _, err := m.Describe(t.Context(), "file"); err != nil {
		t.Errorf("a damaged head hinders the file of its name: %v", err)
	}
}

package recognize_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"edgelens"
	"edgelens/models"
	"edgelens/recognize"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// preprocessor counts its calls and how many goroutines are in it at a time.
type preprocessor struct {
	version string
	// fit is that of the service; FitStretch if empty.
	fit edgelens.Fit
	// work, if set, is what Tensors does.
	work func(encoded []byte) error
	// memory, if set, is what Memory does.
	memory func(encoded []byte) (int64, error)
	// ahead is set where images are decoded in another process.
	ahead bool
	// parts, if set, is how many parts a sweep has.
	parts int
	// views are the views of the buffers of the last call.
	views atomic.Pointer[[]edgelens.View]

	// shade is what the tensors are filled with.
	shade atomic.Int64

	calls, inside, most atomic.Int64
}

func (p *preprocessor) Version() string { return p.version }

func (p *preprocessor) Fit() edgelens.Fit {
	if p.fit == "" {
		return edgelens.FitStretch
	}
	return p.fit
}

func (p *preprocessor) Memory(encoded []byte) (int64, error) {
	if p.memory == nil {
		return int64(len(encoded)), nil
	}
	return p.memory(encoded)
}

func (p *preprocessor) DecodesAhead() bool { return p.ahead }

func (p *preprocessor) Ahead(_ bool, encoded []byte, into ...models.InputBuffer) (models.Filled, bool, error) {
	if !p.ahead {
		return models.Filled{}, false, nil
	}
	filled, err := p.Tensors(encoded, into...)
	return filled, err == nil, err
}

func (p *preprocessor) Tensors(encoded []byte, into ...models.InputBuffer) (models.Filled, error) {
	p.calls.Add(1)
	now := p.inside.Add(1)
	defer p.inside.Add(-1)
	for most := p.most.Load(); now > most && !p.most.CompareAndSwap(most, now); most = p.most.Load() {
	}
	if p.work != nil {
		if err := p.work(encoded); err != nil {
			return models.Filled{}, err
		}
	}
	var views []edgelens.View
	for _, buffer := range into {
		copy(buffer.Bytes, bytes.Repeat([]byte{byte(p.shade.Load())}, len(buffer.Bytes)))
		views = append(views, buffer.View)
	}
	p.views.Store(&views)
	filled := models.Filled{
		Image:   edgelens.ImageInfo{Width: 640, Height: 480, Format: "jpeg"},
		Timings: edgelens.Timings{Decode: 2 * time.Millisecond, Preprocess: time.Millisecond},
		View:    edgelens.ShownView{View: views[0], Count: 1},
	}
	if views[0].Fit == edgelens.FitSweep {
		for filled.View.Count < p.parts {
			filled.View.Count++
			filled.More = append(filled.More, bytes.Repeat([]byte{byte(filled.View.Count)}, into[0].Spec.Bytes()))
		}
	}
	return filled, nil
}

// runner has one model, with the same output for every image.
type runner struct {
	spec *models.Spec
	raw  []byte
	// rawOf, if set, is the output for a tensor, in place of raw.
	rawOf func(tensor []byte) []byte
	// acquired counts the models that were not given up.
	acquired atomic.Int64
	// describe and work, if set, are what Acquire and Run do first.
	describe func() error
	work     func(ctx context.Context) error
	// others are the other models, by name.
	others map[string]*answering
	// inBackground counts the runs at a low thread priority.
	inBackground atomic.Int64
	// urgent counts those that go ahead of others.
	urgent atomic.Int64
	// waited is how long each waited for an interpreter.
	waited time.Duration
}

// answering is a model with the same output for every image, or an error.
type answering struct {
	spec              *models.Spec
	raw               []byte
	described, failed error
	work              func(ctx context.Context)
}

func (r *runner) Acquire(_ context.Context, model string) (*models.Spec, func(), error) {
	spec := r.spec
	if other := r.others[model]; other != nil {
		if other.described != nil {
			return nil, nil, other.described
		}
		spec = other.spec
	} else if r.describe != nil {
		if err := r.describe(); err != nil {
			return nil, nil, err
		}
	}
	r.acquired.Add(1)
	return spec, func() { r.acquired.Add(-1) }, nil
}

func (r *runner) Run(ctx context.Context, spec *models.Spec, run models.Run) (models.Inference, error) {
	tensor := make([]byte, spec.Input.Bytes())
	filled, err := run.Fill(tensor)
	if err != nil {
		return models.Inference{}, err
	}
	if run.Background {
		r.inBackground.Add(1)
	}
	if run.Urgent {
		r.urgent.Add(1)
	}
	if other := r.others[spec.Name]; other != nil {
		if other.work != nil {
			other.work(ctx)
		}
		return models.Inference{Output: other.raw}, other.failed
	}
	if r.work != nil {
		if err := r.work(ctx); err != nil {
			return models.Inference{}, err
		}
	}
	raw := r.raw
	if r.rawOf != nil {
		raw = r.rawOf(tensor)
	}
	filled.Timings.Queue = r.waited
	return models.Inference{Output: raw, Filled: filled}, nil
}

// memory is a cache that never evicts and counts its calls.
type memory struct {
	mu         sync.Mutex
	entries    map[string]*edgelens.Result
	gets, sets int
	panics     atomic.Bool // in GetLocal
	// afterGet, if set, runs after every Get, before it returns.
	afterGet func()
}

func (m *memory) Get(key string) (*edgelens.Result, bool) {
	m.mu.Lock()
	m.gets++
	r, ok := m.entries[key]
	after := m.afterGet
	m.mu.Unlock()
	if after != nil {
		after()
	}
	return r, ok
}

func (m *memory) GetLocal(key string) (*edgelens.Result, bool) {
	if m.panics.Load() {
		panic("boom")
	}
	return m.Get(key)
}

func (m *memory) Set(key string, r *edgelens.Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sets++
	if m.entries == nil {
		m.entries = map[string]*edgelens.Result{}
	}
	m.entries[key] = r
}

// bench is a Service with its fakes.
type bench struct {
	*recognize.Service
	preprocessor *preprocessor
	runner       *runner
	cache        *memory
	metrics      *prometheus.Registry
}

// newBench returns a Service for a model with the given uint8 probabilities,
// in 256ths.
func newBench(config recognize.Config, scores ...byte) *bench {
	return newBenchWith(config, "", scores...)
}

// newBenchWith is newBench with a quality model.
func newBenchWith(config recognize.Config, qualityModel string, scores ...byte) *bench {
	b := &bench{
		preprocessor: &preprocessor{version: "1"},
		runner:       &runner{spec: newSpec(models.Uint8, len(scores)), raw: scores},
		cache:        &memory{},
		metrics:      prometheus.NewRegistry(),
	}
	b.runner.spec.Output.Scale = 1.0 / 256
	b.Service = recognize.New(config, recognize.Parts{
		Preprocessor: b.preprocessor, Runner: b.runner, Cache: b.cache, Log: slog.New(slog.DiscardHandler), Metrics: b.metrics, QualityModel: qualityModel,
	})
	return b
}

func newSpec(dtype models.DType, classes int) *models.Spec {
	return &models.Spec{
		Model: models.Model{
			ModelRef: edgelens.ModelRef{Name: "fake", Digest: "sha256:0123"},
			Labels:   []string{"zero", "one", "two", "three", "four", "five"},
		},
		Input:      models.InputSpec{TensorSpec: models.TensorSpec{Shape: []int{1, 2, 2, 3}, DType: models.Uint8}, Width: 2, Height: 2, Channels: 3},
		Output:     models.TensorSpec{Shape: []int{1, classes}, DType: dtype},
		Activation: models.ActivationProbabilities,
	}
}

func oneSlot() recognize.Config {
	return recognize.Config{Slots: 1, Timeout: 10 * time.Second}
}

// image returns a request with this content.
func image(content string) *edgelens.Request {
	return &edgelens.Request{ID: "id of " + content, Source: "test", Image: []byte(content), SHA256: sha256.Sum256([]byte(content))}
}

// bulk is image as bulk work.
func bulk(content string) *edgelens.Request {
	req := image(content)
	req.Priority = edgelens.PriorityBulk
	return req
}

// answer is the outcome of a call of Recognize.
type answer struct {
	result *edgelens.Result
	err    error
	after  time.Duration
}

// start calls Recognize in a goroutine of its own.
func (b *bench) start(ctx context.Context, req *edgelens.Request) <-chan answer {
	done := make(chan answer, 1)
	go func() {
		begin := time.Now()
		r, err := b.Recognize(ctx, req)
		done <- answer{r, err, time.Since(begin)}
	}()
	return done
}

func (b *bench) must(t *testing.T, req *edgelens.Request) *edgelens.Result {
	t.Helper()
	r, err := b.Recognize(t.Context(), req)
	if err != nil {
		t.Fatalf("recognize %q: %v", req.Image, err)
	}
	return r
}

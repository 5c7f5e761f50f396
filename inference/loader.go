package inference

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"sync"
	"time"

	"edgelens"
	"edgelens/models"

	"github.com/prometheus/client_golang/prometheus"
)

// Registry is the Loader's source of model files; models.Registry is one.
type Registry interface {
	// Get returns the model of that name, the default one for "".
	Get(name string) (models.Model, error)
	List() []models.Listed
	Default() string
}

// Loader keeps a Pool for each model in use. A model is opened, built and
// warmed up on first use, once for all simultaneous callers, and stays until
// Unload or Close. A failed model is not retried until its file changes.
//
// A Loader is safe for concurrent use.
type Loader struct {
	config   Config
	registry Registry
	backend  Backend
	prober   Prober  // nil: models are loaded without a trial
	checker  Checker // nil: kernels are not checked
	log      *slog.Logger
	prepare  func(context.Context, models.Model) models.Model
	// preparing ends with Close.
	preparing context.Context
	stop      context.CancelFunc

	// reloading is held while a model is reloaded: one at a time has two versions in memory.
	reloading sync.Mutex

	mu     sync.Mutex
	loaded map[string]*entry // by model name
	// retired are those that others took the place of, or that are unloaded, until their users are done.
	retired []*entry
	// problems are why present files are not used, by model name.
	problems map[string]*problem
	closed   bool
	closes   sync.WaitGroup // loads in progress, and retired models
}

// entry is a model that is loaded, is being loaded or could not be.
type entry struct {
	digest string
	// source is the model as the registry described it.
	source models.Model
	// users counts those that Acquire gave it to; drained is nil until it is retired, and closed once they are done. Both are
	// guarded by the Loader's mutex.
	users   int
	drained chan struct{}

	ready chan struct{} // closed when the rest is set
	// settled is closed when its accelerators were opened, too, or could not be.
	settled chan struct{}

	spec  models.Spec
	pool  *Pool
	check edgelens.KernelCheck
	// accelerated are pools beside pool.
	accelerated []*accelerated
	err         error
	took        time.Duration
	memory      int64
}

// LoaderParts are what a Loader is made of.
type LoaderParts struct {
	Registry Registry
	Backend  Backend
	// Prober tries each model before it is loaded; nil for no trial.
	Prober Prober
	// Checker compares the kernels of each model when it is loaded; nil for no check.
	Checker Checker
	// Prepare may replace a model's file before it is loaded; it must return soon after
	// its ctx ends. Nil for none.
	Prepare func(context.Context, models.Model) models.Model
	Log     *slog.Logger
	// Metrics registers the Loader's own.
	Metrics prometheus.Registerer
}

// NewLoader returns a Loader with nothing loaded.
func NewLoader(config Config, parts LoaderParts) *Loader {
	l := &Loader{
		config: config, registry: parts.Registry, backend: parts.Backend, prober: parts.Prober, checker: parts.Checker,
		prepare: parts.Prepare, log: parts.Log, loaded: map[string]*entry{}, problems: map[string]*problem{},
	}
	l.preparing, l.stop = context.WithCancel(context.Background())
	parts.Metrics.MustRegister(metrics{l})
	return l
}

// Describe returns the spec of a model, "" for the default one, and loads it
// if it is not loaded yet. A caller whose ctx ends stops waiting; the load
// goes on for the next one.
//
// The error wraps ErrUnknownModel, ErrModel, ErrStopping, ErrDeadline or
// ErrCanceled.
func (l *Loader) Describe(ctx context.Context, name string) (*models.Spec, error) {
	e, err := l.entry(name)
	if err != nil {
		return nil, err
	}
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	return &e.spec, nil
}

// Run runs a model that Describe or Acquire returned, by that pointer, on an accelerator if one is free, else on the
// processor; see Pool.Run.
func (l *Loader) Run(ctx context.Context, spec *models.Spec, run models.Run) (models.Inference, error) {
	e := l.entryOf(spec)
	if e == nil || e.pool == nil {
		return models.Inference{}, fmt.Errorf("run model: %w", edgelens.ErrStopping)
	}
	for _, a := range e.accelerated {
		if inferred, err := a.run(ctx, &run); !errors.Is(err, errNotAccelerated) {
			return inferred, err
		}
	}
	return e.pool.Run(ctx, run)
}

// Interpreters returns the interpreters of each loaded model by state.
func (l *Loader) Interpreters() map[string]PoolStats {
	all := map[string]PoolStats{}
	for name, e := range l.ready() {
		all[name] = e.pool.Stats()
	}
	return all
}

// List describes every model in the registry, by name.
func (l *Loader) List() []edgelens.Model {
	def := l.registry.Default()
	listed := l.registry.List()
	list := make([]edgelens.Model, 0, len(listed))
	for _, item := range listed {
		m := edgelens.Model{
			ModelRef: item.ModelRef, State: item.State, Problem: item.Problem, Default: item.Name == def,
			Task: item.Task, LabelsCount: len(item.Labels), FileBytes: item.FileBytes, Facts: item.Facts,
		}
		if item.State == edgelens.ModelAvailable {
			if input, err := item.InputOf(item.Facts); err == nil {
				m.Normalization = input.PublicNormalization()
			}
		}
		l.describeLoaded(&m)
		list = append(list, m)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// describeLoaded adds the facts that only a loaded model has.
func (l *Loader) describeLoaded(m *edgelens.Model) {
	l.mu.Lock()
	e := l.loaded[m.Name]
	l.mu.Unlock()
	if e == nil {
		return
	}
	select {
	case <-e.ready:
	default: // still loading
		return
	}
	if e.err != nil && !errors.Is(e.err, edgelens.ErrModel) {
		return // it may yet be loaded
	}
	if e.err != nil {
		m.State, m.Problem = edgelens.ModelFailed, e.err.Error()
		return
	}
	m.ModelRef, m.State, m.Problem = e.spec.ModelRef, edgelens.ModelReady, ""
	m.RequantizedFrom, m.FileBytes, m.Facts = e.spec.RequantizedFrom, e.spec.FileBytes, e.spec.Facts
	m.Input, m.Output = e.spec.Input.Public(), e.spec.Output.Public()
	m.Normalization = e.spec.Input.PublicNormalization()
	m.Runtime, m.Delegate, m.Operators, m.DelegatedOperators, m.Threads = e.spec.RunsOn, e.spec.Delegate, e.spec.Operators, e.spec.DelegatedOperators, l.config.Threads
	stats := e.pool.Stats()
	m.Interpreters = stats.Idle + stats.Busy
	m.MemoryBytes, m.LoadTime = e.memory, e.took
	m.Checked = &e.check
	if p := l.problemOf(m.Name); p != nil {
		m.Problem = "Its present file is not used, the former one goes on: " + p.err.Error()
	}
	for _, a := range e.accelerated {
		m.Accelerators = append(m.Accelerators, a.describe())
	}
}

// ready returns the loaded models, by name.
func (l *Loader) ready() map[string]*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make(map[string]*entry, len(l.loaded))
	for name, e := range l.loaded {
		select {
		case <-e.ready:
			if e.pool != nil {
				list[name] = e
			}
		default:
		}
	}
	return list
}

// Close ends every pool; see Pool.Close.
func (l *Loader) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.stop()
	l.closes.Wait() // a load is short and cannot be interrupted
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for name, e := range l.loaded {
		if e.pool == nil {
			continue
		}
		for _, a := range e.accelerated {
			a.close(l.config.InvokeTimeout)
		}
		if err := e.pool.Close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("model %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// entry returns the entry of a model, starting its load if there is none yet
// or if the file behind a failed one has changed.
func (l *Loader) entry(name string) (*entry, error) {
	if name == "" {
		name = l.registry.Default()
	}
	l.mu.Lock()
	e, closed := l.loaded[name], l.closed
	l.mu.Unlock()
	if closed {
		return nil, fmt.Errorf("load model %s: %w", name, edgelens.ErrStopping)
	}
	if e != nil && !e.failed() {
		return e, nil
	}
	model, err := l.registry.Get(name)
	if err != nil {
		return nil, err
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fmt.Errorf("load model %s: %w", name, edgelens.ErrStopping)
	}
	// Another caller may have loaded it between the locks. A load that could not be
	// tried is retried; one that failed is not, until its file changes.
	if e := l.loaded[model.Name]; e != nil && (!e.failed() || e.digest == model.Digest && errors.Is(e.err, edgelens.ErrModel)) {
		return e, nil
	}
	e = &entry{digest: model.Digest, source: model, ready: make(chan struct{}), settled: make(chan struct{})}
	l.loaded[model.Name] = e
	l.closes.Add(1)
	l.start(e, model)
	return e, nil
}

// beginLoad counts a load in progress; an ErrStopping where there are no more.
func (l *Loader) beginLoad() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("load model: %w", edgelens.ErrStopping)
	}
	l.closes.Add(1)
	return nil
}

// start loads a model in the background; the load was counted.
func (l *Loader) start(e *entry, model models.Model) {
	go func() {
		defer l.closes.Done()
		defer close(e.settled)
		l.load(e, model)
		for _, a := range e.accelerated {
			l.openAccelerated(a, e)
		}
	}()
}

// failed reports whether the load has failed.
func (e *entry) failed() bool {
	select {
	case <-e.ready:
		return e.err != nil
	default:
		return false
	}
}

// load loads a model and publishes the outcome in e.
func (l *Loader) load(e *entry, model models.Model) {
	defer close(e.ready)
	start, before := time.Now(), residentBytes()
	var o opened
	o, e.err = l.build(&model)
	e.pool, e.spec, e.check = o.pool, o.spec, o.check
	if e.err != nil {
		attributes := []any{"event", "model_load_failed", "model", model.Name, "error", e.err}
		var runtime *RuntimeError
		if errors.As(e.err, &runtime) && runtime.Detail != "" {
			attributes = append(attributes, "runtime", runtime.Detail)
		}
		e.err = fmt.Errorf("load model %s: %w", model.Name, e.err)
		l.log.Error("loading model failed", attributes...)
		return
	}
	if !model.BuiltIn { // that is small, and its file cannot be tried
		for _, name := range l.config.Accelerators {
			e.accelerated = append(e.accelerated, newAccelerated(name, model.Name, l.log))
		}
	}
	e.took, e.memory = time.Since(start), max(0, residentBytes()-before)
	delegation := e.pool.Spec().Delegation
	l.log.Info("model loaded", "model", model.Name, "digest", model.Digest, "requantized_from", model.RequantizedFrom, "runtime", e.spec.RunsOn.String(), "delegate", e.spec.Delegate,
		"operators", delegation.String(), "interpreters", l.config.InterpretersOrCores(), "threads", l.config.Threads,
		"labels", len(model.Labels), "outputs", e.spec.Output.Elements(), "checked", string(e.check.Result), "ms", e.took)
	if e.check.Result == edgelens.CheckUnknown {
		l.log.Warn("kernels could not be checked", "event", "kernel_check_unknown", "model", model.Name, "reason", e.check.Reason)
	}
	if delegation.Refusal != "" {
		l.log.Warn("model runs without XNNPACK, several times slower", "event", "model_without_delegate", "model", model.Name, "reason", delegation.Refusal)
	}
	if n := len(model.Labels); n > 0 && n != e.spec.Output.Elements() {
		l.log.Warn("model labels do not match its outputs", "event", "model_labels_mismatch", "model", model.Name, "labels", n, "outputs", e.spec.Output.Elements())
	}
}

// build tries a model, replaces it by a prepared variant if there is one, and
// loads it.
func (l *Loader) build(model *models.Model) (opened, error) {
	if l.prober != nil {
		if err := l.prober.Probe(l.preparing, *model, l.config.Options(*model), l.config.Pool()); err != nil {
			return opened{}, err
		}
	}
	if l.prepare != nil {
		*model = l.prepare(l.preparing, *model)
	}
	return l.openChecked(*model)
}

// openPool opens a model and starts its interpreters.
func openPool(backend Backend, path string, options Options, config PoolConfig) (*Pool, error) {
	opened, err := backend.Open(path, options)
	if err != nil {
		return nil, err
	}
	return NewPool(opened, config)
}

// newSpec describes the tensors as those of an image classifier.
func (l *Loader) newSpec(model models.Model, pool *Pool) (models.Spec, error) {
	facts := pool.Spec()
	input, err := model.NewInput(facts.Input)
	if err != nil {
		return models.Spec{}, err
	}
	if err := model.CheckOutput(facts.Output); err != nil {
		return models.Spec{}, err
	}
	activation := model.Activation
	switch {
	case model.Task == edgelens.TaskEmbedding:
		activation = models.ActivationFeatures // whatever the graph ends with
	case activation == models.ActivationAuto:
		if activation, err = l.detectActivation(pool); err != nil {
			return models.Spec{}, err
		}
		if activation == models.ActivationLogits && facts.Output.Elements() == 1 {
			return models.Spec{}, fmt.Errorf("%w: its single output is not a probability, so it seems to measure something rather than to classify; if it is a logit, set `output: logits` in manifest.yaml", edgelens.ErrModel)
		}
	}
	spec := models.Spec{Model: model, Input: input, Output: facts.Output, Activation: activation,
		RunsOn:   edgelens.Runtime{Name: facts.Delegation.Runtime, Version: facts.Delegation.Version, Accelerator: facts.Delegation.Accelerator},
		Delegate: facts.Delegation.Delegate, Operators: facts.Delegation.Operators, DelegatedOperators: facts.Delegation.Delegated}
	spec.Accelerators = l.config.Accelerators
	spec.SetVariant()
	return spec, nil
}

// detectActivation determines the output of a model whose graph does not: see
// activationOf. Besides the noise of the warm-up, it is run on the lowest and the
// highest values.
func (l *Loader) detectActivation(pool *Pool) (models.Activation, error) {
	facts := pool.Spec()
	outputs := facts.WarmUp
	for _, highest := range []bool{false, true} {
		run := synthetic(func(tensor []byte) { fillConstant(tensor, facts.Input.DType, highest) })
		inferred, err := pool.Run(l.preparing, run)
		if err != nil {
			return "", err
		}
		outputs = append(outputs, inferred.Output)
	}
	return activationOf(facts.Output, outputs), nil
}

// Knows reports whether loading a model of that name was tried.
func (l *Loader) Knows(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.loaded[name] != nil
}

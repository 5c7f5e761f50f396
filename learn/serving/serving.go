// Package serving answers for heads as for models of files. The name of a head is that of a model; its extractor, which other heads
// and requests for embeddings share, is run, and the head classifies what that puts out.
package serving

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"edgelens"
	"edgelens/learn/head"
	"edgelens/models"
)

// Base runs the models of files; inference.Loader is one.
type Base interface {
	// Acquire returns the model of that name, loading it if needed. It stays as it is until release is called, which is once.
	Acquire(ctx context.Context, name string) (spec *models.Spec, release func(), err error)
	// Run runs a model that Acquire returned.
	Run(ctx context.Context, spec *models.Spec, run models.Run) (models.Inference, error)
	List() []edgelens.Model
	Load(ctx context.Context, name string) error
	Unload(ctx context.Context, name string) error
	// Knows reports whether loading a model of that name was tried.
	Knows(name string) bool
}

// Registry has the names of the models of files; models.Registry is one.
type Registry interface {
	// Has reports whether there is a model of that name, usable or not.
	Has(name string) bool
	// Default returns the name of the model of requests that name none, which may be that of a head.
	Default() string
}

// Heads has the heads; heads.Store is one.
type Heads interface {
	// Live returns the version of a head that answers; it must not be changed, and the same one is the same pointer. The error
	// wraps edgelens.ErrUnknownModel where there is none, and edgelens.ErrModel where it cannot be used.
	Live(name string) (*head.Head, error)
	// Names returns the names of all heads, sorted.
	Names() []string
}

// Models has the models of files and the heads. A file has the name where both are there. It is safe for concurrent use.
type Models struct {
	base     Base
	registry Registry
	heads    Heads

	mu sync.Mutex
	// prepared are the live heads that were used, by name.
	prepared map[string]prepared
	// acquired are the heads in use, by the spec that Acquire returned.
	acquired map[*models.Spec]acquired
}

// prepared is what is worked out once for a version of a head.
type prepared struct {
	head   *head.Head
	digest string
	// labels are those of the head, and then head.Unknown.
	labels []string
}

// acquired is a version of a head with its extractor, which is not freed while it is in use.
type acquired struct {
	head      *head.Head
	extractor *models.Spec
}

// New returns the models of files and the heads.
func New(base Base, registry Registry, heads Heads) *Models {
	return &Models{base: base, registry: registry, heads: heads, prepared: map[string]prepared{}, acquired: map[*models.Spec]acquired{}}
}

// Acquire returns the model of that name, the default one for "", loading it if needed; for a head, that is its extractor. It stays
// as it is until release is called, which is once, also where another version of the head goes live meanwhile.
//
// The error wraps edgelens.ErrModel where the extractor of a head is not the one that it was trained on, or one of those of the
// models of files.
func (m *Models) Acquire(ctx context.Context, name string) (*models.Spec, func(), error) {
	if name == "" {
		name = m.registry.Default()
	}
	p, err := m.headOf(name)
	if err != nil {
		return nil, nil, err
	}
	if p.head == nil {
		return m.base.Acquire(ctx, name)
	}
	extractor, release, err := m.base.Acquire(ctx, p.head.Extractor.Name)
	if err != nil {
		return nil, nil, fmt.Errorf("acquire the extractor of the head %s: %w", name, asModelError(err))
	}
	if err := checkExtractor(p.head, extractor); err != nil {
		release()
		return nil, nil, err
	}
	spec := specOf(p, extractor)
	m.mu.Lock()
	m.acquired[spec] = acquired{p.head, extractor}
	m.mu.Unlock()
	return spec, func() {
		m.mu.Lock()
		delete(m.acquired, spec)
		m.mu.Unlock()
		release()
	}, nil
}

// asModelError makes an unknown extractor a problem of the head: the request named a model that is there.
func asModelError(err error) error {
	if errors.Is(err, edgelens.ErrUnknownModel) {
		return fmt.Errorf("%w: %v", edgelens.ErrModel, err) //nolint:errorlint // it must not be an ErrUnknownModel
	}
	return err
}

// headOf returns the live head of that name; its head is nil where the name is not that of a head, or a file has it.
func (m *Models) headOf(name string) (prepared, error) {
	h, err := m.heads.Live(name)
	none := errors.Is(err, edgelens.ErrUnknownModel) || m.registry.Has(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if none {
		delete(m.prepared, name) // one that was removed does not stay in memory
		return prepared{}, nil
	}
	if err != nil {
		return prepared{}, err
	}
	if p, ok := m.prepared[name]; ok && p.head == h {
		return p, nil
	}
	p := prepared{head: h, labels: append(append([]string(nil), h.Labels...), head.Unknown)}
	if p.digest, err = h.Digest(); err != nil {
		return prepared{}, fmt.Errorf("%w: %w", edgelens.ErrModel, err)
	}
	m.prepared[name] = p
	return p, nil
}

// checkExtractor returns an edgelens.ErrModel where a model is not the one that the head was trained on.
func checkExtractor(h *head.Head, extractor *models.Spec) error {
	switch {
	case extractor.Task != edgelens.TaskEmbedding:
		return fmt.Errorf("%w: the head %s needs embeddings, and its extractor %s has the task %s", edgelens.ErrModel, h.Name, extractor.Name, extractor.Task)
	case extractor.Digest != h.Extractor.Digest:
		return fmt.Errorf("%w: the head %s was trained on embeddings of %s with the digest %s, and that is %s now; put the former file back, or embed the examples again and train the head anew",
			edgelens.ErrModel, h.Name, h.Extractor.Name, h.Extractor.Digest, extractor.Digest)
	case extractor.Output.Elements() != h.Params.Features:
		return fmt.Errorf("%w: the head %s classifies %d features, and its extractor %s has %d", edgelens.ErrModel, h.Name, h.Params.Features, extractor.Name, extractor.Output.Elements())
	}
	return nil
}

// specOf describes a head on its extractor as a classifier.
func specOf(p prepared, extractor *models.Spec) *models.Spec {
	spec := *extractor
	spec.ModelRef = edgelens.ModelRef{Name: p.head.Name, Digest: p.digest}
	spec.Task, spec.Labels = edgelens.TaskClassification, p.labels
	spec.Output = models.TensorSpec{Name: "probabilities", Shape: []int{1, len(p.labels)}, DType: models.Float32}
	spec.Activation = models.ActivationProbabilities
	view := p.head.View.Or(edgelens.View{Fit: extractor.Fit, Region: extractor.Region})
	spec.Fit, spec.Region = view.Fit, view.Region
	// The digest stands for the head, and this for what the extractor's kernels make of an image.
	spec.Variant = "head on " + extractor.Digest + " " + extractor.Variant
	return &spec
}

// Run runs a model that Acquire returned.
func (m *Models) Run(ctx context.Context, spec *models.Spec, run models.Run) (models.Inference, error) {
	m.mu.Lock()
	a, ok := m.acquired[spec]
	m.mu.Unlock()
	if !ok {
		return m.base.Run(ctx, spec, run)
	}
	inferred, err := m.base.Run(ctx, a.extractor, run)
	if err != nil {
		return models.Inference{}, err
	}
	inferred.Output, err = classify(a.head, a.extractor, inferred.Output)
	return inferred, err
}

// Describe returns the description of a model, the default one for "", loading it if needed. Its errors are Acquire's.
func (m *Models) Describe(ctx context.Context, name string) (*models.Spec, error) {
	spec, release, err := m.Acquire(ctx, name)
	if err != nil {
		return nil, err
	}
	release()
	return spec, nil
}

// Knows reports whether loading a model of that name was tried, or it is the name of a head.
func (m *Models) Knows(name string) bool {
	if m.base.Knows(name) {
		return true
	}
	_, err := m.heads.Live(name)
	return !errors.Is(err, edgelens.ErrUnknownModel)
}

// IsHead reports whether the name is that of a head, and no file has it.
func (m *Models) IsHead(name string) bool {
	_, err := m.heads.Live(name)
	return !errors.Is(err, edgelens.ErrUnknownModel) && !m.registry.Has(name)
}

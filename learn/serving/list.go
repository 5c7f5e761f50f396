package serving

import (
	"context"
	"fmt"
	"sort"

	"edgelens"
)

// Hidden is the problem of a file that has the name of a head.
const Hidden = "There is a head of this name, too, which is not used: the file has the name. Rename the file, or delete the head."

// List describes every model, those of files and the heads, by name.
func (m *Models) List() []edgelens.Model {
	list := m.base.List()
	byName := map[string]int{}
	for i, model := range list {
		byName[model.Name] = i
	}
	def := m.registry.Default()
	for _, name := range m.heads.Names() {
		if i, ok := byName[name]; ok {
			if list[i].Problem == "" {
				list[i].Problem = Hidden
			}
			continue
		}
		var extractor *edgelens.Model
		described := edgelens.Model{ModelRef: edgelens.ModelRef{Name: name}, Task: edgelens.TaskClassification, Default: name == def}
		p, err := m.headOf(name)
		switch {
		case err != nil:
			described.State, described.Problem = edgelens.ModelFailed, err.Error()
		case p.head == nil: // removed meanwhile, or only a candidate
			continue
		default:
			if i, ok := byName[p.head.Extractor.Name]; ok {
				extractor = &list[i]
			}
			describe(&described, p, extractor)
		}
		list = append(list, described)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// describe adds what is known of a head; extractor is nil where there is none.
func describe(m *edgelens.Model, p prepared, extractor *edgelens.Model) {
	h := p.head
	m.Digest, m.LabelsCount = p.digest, len(p.labels)
	m.HeadVersion, m.Extractor = h.Version, h.Extractor
	m.FileBytes, m.MemoryBytes = int64(8*len(h.Params.Values)), int64(8*len(h.Params.Values))
	switch {
	case extractor == nil:
		m.State, m.Problem = edgelens.ModelFailed, fmt.Sprintf("its extractor %s is not there", h.Extractor.Name)
		return
	case extractor.State != edgelens.ModelReady && extractor.State != edgelens.ModelAvailable:
		m.State, m.Problem = edgelens.ModelFailed, fmt.Sprintf("its extractor %s cannot be used: %s", h.Extractor.Name, extractor.Problem)
		return
	case extractor.State == edgelens.ModelReady && extractor.Digest != h.Extractor.Digest: // before, a variant may still take its place
		m.State, m.Problem = edgelens.ModelFailed, fmt.Sprintf("it was trained on embeddings of %s with the digest %s, and that is %s now; embed the examples again and train it anew", h.Extractor.Name, h.Extractor.Digest, extractor.Digest)
		return
	}
	m.State, m.Facts, m.Normalization, m.Input = extractor.State, extractor.Facts, extractor.Normalization, extractor.Input
	m.Runtime, m.Delegate, m.Operators, m.DelegatedOperators, m.Threads = extractor.Runtime, extractor.Delegate, extractor.Operators, extractor.DelegatedOperators, extractor.Threads
	if m.State == edgelens.ModelReady {
		m.Output = &edgelens.Tensor{Name: "probabilities", Shape: []int{1, len(p.labels)}, DType: "float32"}
	}
}

// Load returns once the model answers, or with the reason why it does not. For a head, its extractor is loaded.
func (m *Models) Load(ctx context.Context, name string) error {
	p, err := m.headOf(name)
	if err != nil {
		return err
	}
	if p.head == nil {
		return m.base.Load(ctx, name)
	}
	if err := m.base.Load(ctx, p.head.Extractor.Name); err != nil {
		return fmt.Errorf("load the extractor of the head %s: %w", name, asModelError(err))
	}
	_, err = m.Describe(ctx, name)
	return err
}

// Unload frees a model. The error wraps edgelens.ErrConflict for a head, which has nothing to free, and for the extractor of the
// default model.
func (m *Models) Unload(ctx context.Context, name string) error {
	p, err := m.headOf(name)
	if err != nil {
		return err
	}
	if p.head != nil {
		return fmt.Errorf("%w: %s is a head; what takes memory is its extractor %s, which can be unloaded", edgelens.ErrConflict, name, p.head.Extractor.Name)
	}
	if def, err := m.headOf(m.registry.Default()); err == nil && def.head != nil && def.head.Extractor.Name == name {
		return fmt.Errorf("%w: %s is the extractor of %s, the default model, which stays loaded", edgelens.ErrConflict, name, def.head.Name)
	}
	return m.base.Unload(ctx, name)
}

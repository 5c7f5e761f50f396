package api

import (
	"context"

	"edgelens"
)

// Models lists the models, and loads and unloads them.
type Models interface {
	// List returns every known model by name.
	List() []edgelens.Model
	// Load returns once the model answers, or with the reason why it does not: edgelens.ErrModel, ErrNoModel,
	// ErrUnknownModel, ErrStopping, ErrDeadline or ErrCanceled.
	Load(ctx context.Context, name string) error
	// Unload frees a model. Its error is an edgelens.ErrConflict for the default model, or one of Load's.
	Unload(ctx context.Context, name string) error
}

// ListModels implements StrictServerInterface.
func (s *Server) ListModels(ctx context.Context, _ ListModelsRequestObject) (ListModelsResponseObject, error) {
	list := ListModels200JSONResponse{Models: []Model{}}
	for _, m := range s.models.List() {
		if keyFrom(ctx).MayUseModel(m.Name) {
			list.Models = append(list.Models, newModel(m))
		}
	}
	return list, nil
}

// GetModel implements StrictServerInterface.
func (s *Server) GetModel(ctx context.Context, r GetModelRequestObject) (GetModelResponseObject, error) {
	m, err := s.visibleModel(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	model := newModel(m)
	if m.Facts != nil {
		facts := NewModelFacts(*m.Facts)
		model.Facts = &facts
	}
	return GetModel200JSONResponse(model), nil
}

// LoadModel implements StrictServerInterface.
func (s *Server) LoadModel(ctx context.Context, r LoadModelRequestObject) (LoadModelResponseObject, error) {
	model, err := s.changeModel(ctx, r.Name, s.models.Load)
	return LoadModel200JSONResponse(model), err
}

// UnloadModel implements StrictServerInterface.
func (s *Server) UnloadModel(ctx context.Context, r UnloadModelRequestObject) (UnloadModelResponseObject, error) {
	model, err := s.changeModel(ctx, r.Name, s.models.Unload)
	return UnloadModel200JSONResponse(model), err
}

// changeModel loads or unloads a model, and returns it as it is then.
func (s *Server) changeModel(ctx context.Context, name string, change func(context.Context, string) error) (Model, error) {
	if _, err := s.visibleModel(ctx, name); err != nil {
		return Model{}, err
	}
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	if err := change(limited, name); err != nil {
		return Model{}, err
	}
	m, err := s.visibleModel(ctx, name)
	return newModel(m), err
}

// visibleModel returns a model that the client may use; an edgelens.ErrUnknownModel for others.
func (s *Server) visibleModel(ctx context.Context, name string) (edgelens.Model, error) {
	for _, m := range s.models.List() {
		if m.Name == name && keyFrom(ctx).MayUseModel(name) {
			return m, nil
		}
	}
	return edgelens.Model{}, unknownModel(name)
}

func newModel(m edgelens.Model) Model {
	model := Model{
		Name: m.Name, Digest: m.Digest, State: ModelState(m.State), Default: m.Default, Task: m.Task,
		Labels: m.LabelsCount, FileBytes: m.FileBytes,
	}
	if m.Problem != "" {
		model.Problem = &m.Problem
	}
	if n := m.Normalization; n != nil {
		model.Normalization = &Normalization{Mean: n.Mean, Std: n.Std, Source: NormalizationSource(n.Source)}
	}
	if m.HeadVersion > 0 {
		model.HeadVersion, model.Extractor = &m.HeadVersion, &m.Extractor.Name
	}
	if m.State != edgelens.ModelReady {
		return model
	}
	delegate, load := ModelDelegate(m.Delegate), milliseconds(m.LoadTime)
	model.Input, model.Output = newTensor(m.Input), newTensor(m.Output)
	model.Runtime = newRunsOn(m.Runtime)
	model.Delegate, model.Interpreters, model.Threads = &delegate, &m.Interpreters, &m.Threads
	model.Operators, model.DelegatedOperators = &m.Operators, &m.DelegatedOperators
	model.MemoryBytes, model.LoadMs = &m.MemoryBytes, &load
	if len(m.Accelerators) > 0 {
		accelerators := newModelAccelerators(m.Accelerators)
		model.Accelerators = &accelerators
	}
	if m.Checked != nil {
		model.Checked = newKernelCheck(*m.Checked)
	}
	if m.RequantizedFrom != "" {
		model.RequantizedFrom = &m.RequantizedFrom
	}
	return model
}

func newTensor(t *edgelens.Tensor) *Tensor {
	if t == nil {
		return nil
	}
	tensor := &Tensor{Name: t.Name, Shape: t.Shape, Dtype: TensorDtype(t.DType)}
	if t.Scale != 0 {
		tensor.Quantization = &Quantization{Scale: t.Scale, ZeroPoint: t.ZeroPoint}
	}
	return tensor
}

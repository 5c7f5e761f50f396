package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"edgelens"
)

// Datasets has datasets of examples. Its errors are edgelens.ErrNotFound for what is not there.
type Datasets interface {
	// Add adds an example; existing is true where the dataset has the image with that label already. Errors:
	// edgelens.ErrInvalid for a bad name or label, ErrConflict where the dataset has another extractor or view, or the image with
	// another label, *edgelens.NoRoom where a limit is reached, and those of a recognition.
	Add(ctx context.Context, spec edgelens.ExampleSpec) (example edgelens.Example, existing bool, err error)
	Datasets(ctx context.Context) ([]edgelens.Dataset, error)
	Dataset(ctx context.Context, name string) (edgelens.Dataset, error)
	Examples(ctx context.Context, filter edgelens.ExampleFilter) (page []edgelens.Example, next string, err error)
	Example(ctx context.Context, dataset, id string) (edgelens.Example, error)
	Image(ctx context.Context, dataset, id string) ([]byte, error)
	// Relabel's error is an edgelens.ErrInvalid for a bad label.
	Relabel(ctx context.Context, dataset, id, label string) (edgelens.Example, error)
	Remove(ctx context.Context, dataset, id string) error
	RemoveDataset(ctx context.Context, name string) error
	// Embed makes outdated embeddings anew, by another extractor where one is given; some may be left. request has what
	// identifies the call.
	Embed(ctx context.Context, dataset, extractor string, request edgelens.Request) (edgelens.EmbeddingProgress, error)
}

// ListDatasets implements StrictServerInterface.
func (s *Server) ListDatasets(ctx context.Context, _ ListDatasetsRequestObject) (ListDatasetsResponseObject, error) {
	all, err := s.datasets.Datasets(ctx)
	if err != nil {
		return nil, err
	}
	list := ListDatasets200JSONResponse{Datasets: make([]Dataset, 0, len(all))}
	for _, d := range all {
		list.Datasets = append(list.Datasets, newDataset(d))
	}
	return list, nil
}

// GetDataset implements StrictServerInterface.
func (s *Server) GetDataset(ctx context.Context, r GetDatasetRequestObject) (GetDatasetResponseObject, error) {
	d, err := s.datasets.Dataset(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	return GetDataset200JSONResponse(newDataset(d)), nil
}

// RemoveDataset implements StrictServerInterface.
func (s *Server) RemoveDataset(ctx context.Context, r RemoveDatasetRequestObject) (RemoveDatasetResponseObject, error) {
	if key := keyFrom(ctx); !key.May(edgelens.ScopeAdmin) {
		others, _, err := s.datasets.Examples(ctx, edgelens.ExampleFilter{Dataset: r.Name, NotOf: key.ID, Limit: 1})
		if err == nil && len(others) > 0 {
			err = fmt.Errorf("%w: the dataset has examples of other clients, so only a key with the scope %s may remove it; remove your own examples", edgelens.ErrForbidden, edgelens.ScopeAdmin)
		}
		if err != nil {
			return nil, err
		}
	}
	err := s.datasets.RemoveDataset(ctx, r.Name)
	auditLearning(ctx, "remove_dataset")
	if err != nil {
		return nil, err
	}
	return RemoveDataset204Response{}, nil
}

// EmbedDataset implements StrictServerInterface.
func (s *Server) EmbedDataset(ctx context.Context, r EmbedDatasetRequestObject) (EmbedDatasetResponseObject, error) {
	extractor := text(r.Params.Extractor)
	if err := s.mayUseExtractor(ctx, r.Name, extractor); err != nil {
		return nil, err
	}
	progress, err := s.datasets.Embed(ctx, r.Name, extractor, *(&options{}).request(ctx))
	auditLearning(ctx, "embed_dataset", slog.Int("embeddings", progress.Done))
	if err != nil {
		return nil, err
	}
	return EmbedDataset200JSONResponse{Done: progress.Done, Left: progress.Left}, nil
}

// ListExamples implements StrictServerInterface.
func (s *Server) ListExamples(ctx context.Context, r ListExamplesRequestObject) (ListExamplesResponseObject, error) {
	limit, err := readLimit(r.Params.Limit)
	if err != nil {
		return nil, err
	}
	page, next, err := s.datasets.Examples(ctx, edgelens.ExampleFilter{
		Dataset: r.Name, Visible: keyFrom(ctx).Visible(), Label: text(r.Params.Label), Limit: limit, Cursor: text(r.Params.Cursor),
	})
	if err != nil {
		return nil, err
	}
	list := ListExamples200JSONResponse{Examples: make([]Example, 0, len(page)), Next: optional(next)}
	for _, e := range page {
		list.Examples = append(list.Examples, newExample(e))
	}
	return list, nil
}

// GetExampleImage implements StrictServerInterface.
func (s *Server) GetExampleImage(ctx context.Context, r GetExampleImageRequestObject) (GetExampleImageResponseObject, error) {
	if _, err := s.visibleExample(ctx, r.Name, r.Id.String()); err != nil {
		return nil, err
	}
	image, err := s.datasets.Image(ctx, r.Name, r.Id.String())
	if err != nil {
		return nil, err
	}
	etag := etagOf(image)
	if isCurrent(text(r.Params.IfNoneMatch), etag) {
		return GetExampleImage304Response{Headers: NotModifiedResponseHeaders{ETag: etag}}, nil
	}
	return GetExampleImage200AsteriskResponse{
		Body: bytes.NewReader(image), ContentLength: int64(len(image)), ContentType: imageType(image),
		Headers: GetExampleImage200ResponseHeaders{ETag: etag, CacheControl: "private", XContentTypeOptions: "nosniff"}, // as of results
	}, nil
}

// ChangeExample implements StrictServerInterface.
func (s *Server) ChangeExample(ctx context.Context, r ChangeExampleRequestObject) (ChangeExampleResponseObject, error) {
	const wanted = `the body must be a JSON object with the label alone, such as {"label":"open"}`
	body, err := readObject(r.Body, wanted)
	if err != nil {
		return nil, err
	}
	var change ExampleChange
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&change); err != nil {
		return nil, fmt.Errorf("%w: %s", edgelens.ErrInvalid, wanted)
	}
	if err := s.mayChangeExample(ctx, r.Name, r.Id.String()); err != nil {
		return nil, err
	}
	e, err := s.datasets.Relabel(ctx, r.Name, r.Id.String(), change.Label)
	auditLearning(ctx, "relabel_example")
	if err != nil {
		return nil, err
	}
	return ChangeExample200JSONResponse(newExample(e)), nil
}

// RemoveExample implements StrictServerInterface.
func (s *Server) RemoveExample(ctx context.Context, r RemoveExampleRequestObject) (RemoveExampleResponseObject, error) {
	if err := s.mayChangeExample(ctx, r.Name, r.Id.String()); err != nil {
		return nil, err
	}
	err := s.datasets.Remove(ctx, r.Name, r.Id.String())
	auditLearning(ctx, "remove_example")
	if err != nil {
		return nil, err
	}
	return RemoveExample204Response{}, nil
}

// visibleExample returns an example that the client may see; for others, the error is the same as for one that does not exist.
func (s *Server) visibleExample(ctx context.Context, dataset, id string) (edgelens.Example, error) {
	e, err := s.datasets.Example(ctx, dataset, id)
	if err == nil && !keyFrom(ctx).MaySee(e.Owner, e.Device) {
		err = fmt.Errorf("look up an example: %w: the dataset %q has no example with this id", edgelens.ErrNotFound, short(dataset))
	}
	return e, err
}

// mayChangeExample rejects a change of an example of another client.
func (s *Server) mayChangeExample(ctx context.Context, dataset, id string) error {
	e, err := s.visibleExample(ctx, dataset, id)
	if err != nil {
		return err
	}
	if key := keyFrom(ctx); !key.May(edgelens.ScopeAdmin) && (e.Owner == "" || e.Owner != key.ID) {
		return fmt.Errorf("%w: the example is another client's, which only that one or a key with the scope %s may change", edgelens.ErrForbidden, edgelens.ScopeAdmin)
	}
	return nil
}

// auditLearning notes for the audit log what the request did; its path has the dataset.
func auditLearning(ctx context.Context, action string, attributes ...slog.Attr) {
	x := exchangeFrom(ctx)
	x.action, x.audited = action, attributes
}

func newDataset(d edgelens.Dataset) Dataset {
	labels := make([]LabelCount, 0, len(d.Labels))
	for _, l := range d.Labels {
		labels = append(labels, LabelCount{Label: l.Label, Count: l.Count})
	}
	return Dataset{
		Name: d.Name, Extractor: ModelRef{Name: d.Extractor.Name, Digest: d.Extractor.Digest}, Fit: optional(Fit(d.View.Fit)), Region: newRegion(d.View.Region),
		Labels: labels, Examples: d.Examples, ImageBytes: d.Bytes, CreatedAt: d.CreatedAt, ChangedAt: d.ChangedAt,
	}
}

func newExample(e edgelens.Example) Example {
	example := Example{
		Id: parsed(e.ID), Dataset: e.Dataset, Label: e.Label, Sha256: e.SHA256, Bytes: e.Bytes,
		Extractor: ModelRef{Name: e.Extractor.Name, Digest: e.Extractor.Digest}, Device: optional(e.Device), CreatedAt: e.CreatedAt,
	}
	if e.Result != "" {
		id := parsed(e.Result)
		example.ResultId = &id
	}
	return example
}

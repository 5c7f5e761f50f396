package api

import (
	"context"
	"fmt"

	"edgelens"
)

// noDatasets are those of a server that does not learn.
type noDatasets struct{}

var errNoDatasets = fmt.Errorf("%w: this service has no datasets", edgelens.ErrNotFound)

func (noDatasets) Add(context.Context, edgelens.ExampleSpec) (edgelens.Example, bool, error) {
	return edgelens.Example{}, false, errNoDatasets
}

func (noDatasets) Datasets(context.Context) ([]edgelens.Dataset, error) { return nil, nil }

func (noDatasets) Dataset(context.Context, string) (edgelens.Dataset, error) {
	return edgelens.Dataset{}, errNoDatasets
}

func (noDatasets) Examples(context.Context, edgelens.ExampleFilter) ([]edgelens.Example, string, error) {
	return nil, "", errNoDatasets
}

func (noDatasets) Example(context.Context, string, string) (edgelens.Example, error) {
	return edgelens.Example{}, errNoDatasets
}

func (noDatasets) Image(context.Context, string, string) ([]byte, error) { return nil, errNoDatasets }

func (noDatasets) Relabel(context.Context, string, string, string) (edgelens.Example, error) {
	return edgelens.Example{}, errNoDatasets
}

func (noDatasets) Remove(context.Context, string, string) error { return errNoDatasets }

func (noDatasets) RemoveDataset(context.Context, string) error { return errNoDatasets }

func (noDatasets) Embed(context.Context, string, string, edgelens.Request) (edgelens.EmbeddingProgress, error) {
	return edgelens.EmbeddingProgress{}, errNoDatasets
}

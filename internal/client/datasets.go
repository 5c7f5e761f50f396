package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"edgelens"
	"edgelens/api"
)

// ExampleOptions are the options of an example. Extractor and View are for the first one of a dataset.
type ExampleOptions struct {
	Label     string
	Result    string
	Extractor string
	View      edgelens.View
}

// Datasets returns all datasets.
func (c Client) Datasets(ctx context.Context) ([]api.Dataset, error) {
	var list api.DatasetList
	err := c.call(ctx, http.MethodGet, "/api/datasets", nil, nil, nil, &list)
	return list.Datasets, err
}

// Dataset returns a dataset.
func (c Client) Dataset(ctx context.Context, name string) (d api.Dataset, err error) {
	return d, c.call(ctx, http.MethodGet, datasetPath(name), nil, nil, nil, &d)
}

// RemoveDataset removes a dataset with all its examples.
func (c Client) RemoveDataset(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, datasetPath(name), nil, nil, nil, nil)
}

// Examples returns the newest examples of a dataset, limit at most; with a label, only those with it.
func (c Client) Examples(ctx context.Context, dataset, label string, limit int) ([]api.Example, error) {
	query := parameters("label", label)
	query.Set("limit", strconv.Itoa(limit))
	var page api.ExampleList
	err := c.call(ctx, http.MethodGet, datasetPath(dataset)+"/examples", query, nil, nil, &page)
	return page.Examples, err
}

// AddExample adds an image to a dataset, or without one that of ExampleOptions.Result, and returns the example; added is false
// for an earlier one, where the dataset has the image already.
func (c Client) AddExample(ctx context.Context, dataset string, image []byte, o ExampleOptions) (e api.Example, added bool, err error) {
	query := parameters("label", o.Label, "result_id", o.Result, "extractor", o.Extractor, "fit", string(o.View.Fit), "region", o.View.Region.String())
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	status, err := c.send(ctx, http.MethodPost, datasetPath(dataset)+"/examples", query, header, image, &e)
	return e, status == http.StatusCreated, err
}

// LabelExample changes the label of an example, and returns it.
func (c Client) LabelExample(ctx context.Context, dataset, id, label string) (e api.Example, err error) {
	body, err := json.Marshal(api.ExampleChange{Label: label})
	if err != nil {
		return e, err
	}
	return e, c.call(ctx, http.MethodPatch, examplePath(dataset, id), nil, http.Header{"Content-Type": {"application/json"}}, body, &e)
}

// RemoveExample removes an example.
func (c Client) RemoveExample(ctx context.Context, dataset, id string) error {
	return c.call(ctx, http.MethodDelete, examplePath(dataset, id), nil, nil, nil, nil)
}

// EmbedDataset makes the outdated embeddings of a dataset anew, in as many calls as it takes, by another extractor where one is
// given. It calls progress with the number that is done and that of all, after each call, and returns how many were made.
func (c Client) EmbedDataset(ctx context.Context, dataset, extractor string, progress func(done, all int)) (done int, err error) {
	for {
		var one api.EmbeddingProgress
		if err := c.call(ctx, http.MethodPost, datasetPath(dataset)+"/embed", parameters("extractor", extractor), nil, nil, &one); err != nil {
			return done, err
		}
		done += one.Done
		progress(done, done+one.Left)
		if one.Left == 0 {
			return done, nil
		}
	}
}

func datasetPath(name string) string { return "/api/datasets/" + url.PathEscape(name) }

func examplePath(dataset, id string) string {
	return datasetPath(dataset) + "/examples/" + url.PathEscape(id)
}

package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"edgelens"
	"edgelens/api"
)

// Heads returns the live version of each head, and the training in progress.
func (c Client) Heads(ctx context.Context) (list api.HeadList, err error) {
	return list, c.call(ctx, http.MethodGet, "/api/heads", nil, nil, nil, &list)
}

// Head returns the versions of a head.
func (c Client) Head(ctx context.Context, name string) (h api.Head, err error) {
	return h, c.call(ctx, http.MethodGet, headPath(name), nil, nil, nil, &h)
}

// TrainHead trains the next version of a head and returns it.
func (c Client) TrainHead(ctx context.Context, name string, t edgelens.Training) (v api.HeadVersion, err error) {
	query := parameters("dataset", t.Dataset, "method", t.Method)
	query.Set("seed", strconv.FormatUint(t.Seed, 10))
	if t.Threshold != nil {
		query.Set("threshold", strconv.FormatFloat(*t.Threshold, 'g', -1, 64))
	}
	if t.Candidate {
		query.Set("candidate", "true")
	}
	return v, c.call(ctx, http.MethodPost, headPath(name)+"/train", query, nil, nil, &v)
}

// RollbackHead makes a version of a head live, by 0 the one before the live one, and returns it.
func (c Client) RollbackHead(ctx context.Context, name string, version int) (v api.HeadVersion, err error) {
	query := url.Values{}
	if version > 0 {
		query.Set("version", strconv.Itoa(version))
	}
	return v, c.call(ctx, http.MethodPost, headPath(name)+"/rollback", query, nil, nil, &v)
}

// RemoveHead removes a head with its versions.
func (c Client) RemoveHead(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, headPath(name), nil, nil, nil, nil)
}

func headPath(name string) string { return "/api/heads/" + url.PathEscape(name) }

package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"edgelens/api"
)

// States returns every state.
func (c Client) States(ctx context.Context) (list api.StateList, err error) {
	err = c.call(ctx, http.MethodGet, "/api/states", nil, nil, nil, &list)
	return list, err
}

// State returns a state with the newest changes of its history.
func (c Client) State(ctx context.Context, name string, limit int) (history api.StateHistory, err error) {
	err = c.call(ctx, http.MethodGet, "/api/states/"+url.PathEscape(name), parameters("limit", strconv.Itoa(limit)), nil, nil, &history)
	return history, err
}

package control

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
)

// Federation runs the commands of `edgelens federation`: the service of a node, a coordinator, or a Client of either. The
// forms of requests and answers are those of the packages below learn/federation.
type Federation interface {
	// RunFederation runs a command by its name, and returns its answer.
	RunFederation(ctx context.Context, command string, request json.RawMessage) (json.RawMessage, error)
}

// AddFederation adds the handler for the commands of federations.
func AddFederation(mux *http.ServeMux, f Federation) {
	mux.HandleFunc("POST /federation/{command}", handle(func(r *http.Request) (any, error) {
		request, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		return f.RunFederation(r.Context(), r.PathValue("command"), request)
	}))
}

// RunFederation implements Federation.
func (c *Client) RunFederation(ctx context.Context, command string, request json.RawMessage) (answer json.RawMessage, err error) {
	return answer, c.call(ctx, http.MethodPost, "/federation/"+url.PathEscape(command), request, &answer)
}

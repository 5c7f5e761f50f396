package client

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"edgelens/api"
)

// SimilarOptions select similar results.
type SimilarOptions struct {
	Limit         int
	MinSimilarity float64
	// Device is that of the results; "" for all. Since is the earliest time; zero for any.
	Device string
	Since  time.Time
}

// Similar returns the results whose images are most similar to an image, the most similar first.
func (c Client) Similar(ctx context.Context, image []byte, o SimilarOptions) (found api.SimilarResults, err error) {
	query := parameters("device", o.Device)
	query.Set("limit", strconv.Itoa(o.Limit))
	query.Set("min_similarity", strconv.FormatFloat(o.MinSimilarity, 'g', -1, 64))
	if !o.Since.IsZero() {
		query.Set("since", o.Since.Format(time.RFC3339Nano))
	}
	return found, c.call(ctx, http.MethodPost, "/api/similar", query, http.Header{"Content-Type": {"application/octet-stream"}}, image, &found)
}

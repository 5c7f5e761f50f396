package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"edgelens"
)

// Similarity finds results by the similarity of their images.
type Similarity interface {
	// Similar returns the results whose images are most similar to that of the request, the most similar first. Its error is
	// that of a Recognizer.
	Similar(ctx context.Context, req *edgelens.Request, f edgelens.SimilarFilter) ([]edgelens.SimilarResult, error)
	// SimilarTo is Similar for the image of a result. Its error is an edgelens.ErrNotFound where that has no embedding.
	SimilarTo(ctx context.Context, id string, f edgelens.SimilarFilter) ([]edgelens.SimilarResult, error)
}

// noSimilarity is the Similarity of a server that compares no images.
type noSimilarity struct{}

var errNoSimilarity = fmt.Errorf("find similar results: %w: images are not compared here; set similarity.enabled to true", edgelens.ErrNotFound)

func (noSimilarity) Similar(context.Context, *edgelens.Request, edgelens.SimilarFilter) ([]edgelens.SimilarResult, error) {
	return nil, errNoSimilarity
}

func (noSimilarity) SimilarTo(context.Context, string, edgelens.SimilarFilter) ([]edgelens.SimilarResult, error) {
	return nil, errNoSimilarity
}

// The number of similar results.
const (
	defaultSimilar = 10
	maxSimilar     = 100
)

// serveSimilar answers POST /api/similar. Besides its scope, the key needs that of results.
func (s *Server) serveSimilar(c echo.Context) error {
	ctx := c.Request().Context()
	if _, none := s.similarity.(noSimilarity); none {
		return errNoSimilarity
	}
	if key := keyFrom(ctx); !rules["GET /api/results"].permits(key) {
		return fmt.Errorf("%w: the key %q may not see results, which similar ones are; it needs the scope %s", edgelens.ErrForbidden, key.Name, rules["GET /api/results"].needs())
	}
	filter, err := similarFilter(ctx, c.QueryParams())
	if err != nil {
		return err
	}
	if err := s.mayUseModel(ctx, s.embeddingModel); err != nil {
		return err
	}
	o := &options{}
	for _, name := range viewOptions {
		if c.QueryParams().Has(name) {
			if err := o.add(name, c.QueryParam(name), "the query"); err != nil {
				return err
			}
		}
	}
	u, err := s.readUpload(c.Request(), o)
	if err != nil {
		return err
	}
	exchangeFrom(ctx).upload.shrink(int64(cap(u.image)))
	for name, given := range o.given {
		if !slices.Contains(viewOptions, name) {
			return fmt.Errorf("%w: %s in %s is no option of this path; leave it out", edgelens.ErrInvalid, name, given.place)
		}
	}
	req := o.request(ctx)
	req.Image, req.SHA256 = u.image, u.sha256
	waiting, cancel := readPreferences(c.Request().Header).limit(ctx, c.Response().Header())
	defer cancel()
	found, err := s.similarity.Similar(waiting, req, filter)
	if err != nil {
		return err
	}
	return s.answer(c, http.StatusOK, o, newSimilarResults(found))
}

// viewOptions are the options of a recognition that a search for similar results has, too.
var viewOptions = []string{"fit", "region"}

// ListSimilarResults implements StrictServerInterface.
func (s *Server) ListSimilarResults(ctx context.Context, r ListSimilarResultsRequestObject) (ListSimilarResultsResponseObject, error) {
	if _, err := s.visibleResult(ctx, r.Id.String()); err != nil {
		return nil, err
	}
	values := url.Values{}
	set := func(name, value string, given bool) {
		if given {
			values.Set(name, value)
		}
	}
	p := r.Params
	if p.Limit != nil {
		set("limit", strconv.Itoa(*p.Limit), true)
	}
	if p.MinSimilarity != nil {
		set("min_similarity", strconv.FormatFloat(*p.MinSimilarity, 'g', -1, 64), true)
	}
	set("device", text(p.Device), p.Device != nil)
	if p.Since != nil {
		set("since", p.Since.Format(time.RFC3339Nano), true)
	}
	filter, err := similarFilter(ctx, values)
	if err != nil {
		return nil, err
	}
	found, err := s.similarity.SimilarTo(ctx, r.Id.String(), filter)
	if err != nil {
		return nil, err
	}
	return ListSimilarResults200JSONResponse(newSimilarResults(found)), nil
}

// similarFilter reads the query, whose values checkQuery has checked one by one.
func similarFilter(ctx context.Context, values url.Values) (edgelens.SimilarFilter, error) {
	f := edgelens.SimilarFilter{Visible: keyFrom(ctx).Visible(), Device: values.Get("device"), Limit: defaultSimilar}
	if values.Has("device") {
		if err := checkDevice(f.Device); err != nil {
			return f, err
		}
	}
	if n, err := strconv.Atoi(values.Get("limit")); err == nil {
		f.Limit = n
	}
	if f.Limit < 1 || f.Limit > maxSimilar {
		return f, fmt.Errorf("%w: limit must be 1 to %d, not %d", edgelens.ErrInvalid, maxSimilar, f.Limit)
	}
	if x, ok := readNumber(values.Get("min_similarity")); ok {
		f.MinSimilarity = x
	}
	if !(f.MinSimilarity >= -1 && f.MinSimilarity <= 1) { // NaN too
		return f, fmt.Errorf("%w: min_similarity must be -1 to 1", edgelens.ErrInvalid)
	}
	if at, err := time.Parse(time.RFC3339Nano, values.Get("since")); err == nil {
		f.Since = at
	}
	return f, nil
}

func newSimilarResults(found []edgelens.SimilarResult) SimilarResults {
	list := SimilarResults{Results: make([]SimilarResult, 0, len(found))}
	for _, r := range found {
		list.Results = append(list.Results, SimilarResult{Similarity: r.Similarity, Result: newListedResult(r.StoredResult)})
	}
	return list
}

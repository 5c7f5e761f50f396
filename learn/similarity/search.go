package similarity

import (
	"context"
	"fmt"
	"slices"
	"time"

	"edgelens"
	"edgelens/learn/vector"
)

// Similar returns the results whose images are most similar to that of a request, the most similar first. The request has
// the image, and who asks. Its errors are those of a Recognizer, and an edgelens.ErrNoModel while the model of embeddings is
// not loaded.
func (s *Service) Similar(ctx context.Context, req *edgelens.Request, f edgelens.SimilarFilter) ([]edgelens.SimilarResult, error) {
	extractor, err := s.ready()
	if err != nil {
		return nil, err
	}
	req.Task, req.Model = edgelens.TaskEmbedding, s.parts.Model
	result, err := s.parts.Recognizer.Recognize(ctx, req)
	if err != nil {
		return nil, err
	}
	if result.Model.Digest != extractor {
		return nil, fmt.Errorf("find similar results: %w: the model of embeddings was replaced; the images are embedded again, try again soon", edgelens.ErrNoModel)
	}
	q, err := vector.Quantize(result.Embedding)
	if err != nil {
		return nil, err
	}
	return s.find(ctx, q.Values, "", f)
}

// SimilarTo is Similar for the image of a result, without that result. Its error is an edgelens.ErrNotFound where it has
// no embedding, or not yet.
func (s *Service) SimilarTo(ctx context.Context, id string, f edgelens.SimilarFilter) ([]edgelens.SimilarResult, error) {
	extractor, err := s.ready()
	if err != nil {
		return nil, err
	}
	e, err := s.parts.Store.Embedding(ctx, id)
	if err != nil {
		return nil, err
	}
	if e.Extractor != extractor {
		return nil, fmt.Errorf("find similar results: %w: the result's embedding is of another model, and is made again", edgelens.ErrNotFound)
	}
	f.Limit++
	found, err := s.find(ctx, e.Values, id, f)
	return found[:min(len(found), max(f.Limit-1, 0))], err
}

// ready returns the digest of the extractor once its vectors are loaded.
func (s *Service) ready() (string, error) {
	if extractor := s.extractor.Load(); extractor != nil {
		return *extractor, nil
	}
	return "", fmt.Errorf("find similar results: %w: %s is not loaded, or its vectors are not yet; the log has the reason, and `edgelens model list` what is missing", edgelens.ErrNoModel, s.parts.Model)
}

// find returns the results that are similar to a vector, but for that with the id.
func (s *Service) find(ctx context.Context, values []int8, without string, f edgelens.SimilarFilter) ([]edgelens.SimilarResult, error) {
	// What was erased a moment ago must not count: it is removed before, not by the next round of the work.
	deleted, err := s.parts.Store.Deleted(ctx)
	if err != nil {
		return nil, err
	}
	s.index.Remove(deleted...)
	search := vector.Search{Limit: f.Limit, MinSimilarity: f.MinSimilarity}
	matching, all, err := s.parts.Store.Matching(ctx, f)
	if err != nil {
		return nil, err
	}
	if !all {
		search.Keep = func(seq int64) bool {
			_, found := slices.BinarySearch(matching, seq)
			return found
		}
	}
	begin := time.Now()
	matches, err := s.index.Find(ctx, values, search)
	s.metrics.search.Observe(time.Since(begin).Seconds())
	if err != nil {
		return nil, err
	}
	seqs := make([]int64, len(matches))
	for i, m := range matches {
		seqs[i] = m.ID
	}
	results, err := s.parts.Store.Results(ctx, seqs)
	if err != nil {
		return nil, err
	}
	found := make([]edgelens.SimilarResult, 0, len(matches))
	for _, m := range matches {
		if result, there := results[m.ID]; there && result.ID != without {
			found = append(found, edgelens.SimilarResult{StoredResult: result, Similarity: m.Similarity})
		}
	}
	return found, nil
}

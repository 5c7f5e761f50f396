package datasets

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"edgelens"
)

const (
	// embedTime is for how long one call of Embed works, but for its last image.
	embedTime = 20 * time.Second
	// embedPage is how many outdated examples are read at a time.
	embedPage = 100
)

// known returns a dataset; false where there is none.
func (s *Service) known(ctx context.Context, name string) (d edgelens.Dataset, known bool, err error) {
	d, err = s.Store.Dataset(ctx, name)
	if errors.Is(err, edgelens.ErrNotFound) {
		return edgelens.Dataset{}, false, nil
	}
	return d, err == nil, err
}

// takeImage has the request be of the image of the result.
func (s *Service) takeImage(ctx context.Context, spec *edgelens.ExampleSpec) error {
	if spec.Result == "" {
		return edgelens.ErrNoImage
	}
	result, err := s.results.Result(ctx, spec.Result)
	if err != nil {
		return err
	}
	image, err := []byte(nil), edgelens.ErrNotFound
	if result.JobID != "" {
		image, err = s.results.Image(ctx, result.JobID)
	}
	if errors.Is(err, edgelens.ErrNotFound) {
		return fmt.Errorf("%w: the image of result %s is not kept; send the image itself, or set ledger.keep_images, which keeps the images of jobs", edgelens.ErrNotFound, spec.Result)
	}
	if err != nil {
		return err
	}
	spec.Request.Image, spec.Request.SHA256 = image, sha256.Sum256(image)
	return nil
}

// embed recognizes an image by a model of task embedding.
func (s *Service) embed(ctx context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	req.Task = edgelens.TaskEmbedding
	result, err := s.recognizer.Recognize(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("make the embedding: %w", err)
	}
	if len(result.Embedding) == 0 {
		return nil, fmt.Errorf("make the embedding: %w: %s gave none; choose an extractor, a model of the task %s", edgelens.ErrModel, result.Model.Name, edgelens.TaskEmbedding)
	}
	return result, nil
}

// Embed makes embeddings of a dataset anew that are not of its extractor as it is now, or of another extractor, where one is
// given; "" for none. Where it takes long, it returns with some left, to be called again. Errors: edgelens.ErrNotFound where
// there is no such dataset, or an image was lost; those of the recognition.
func (s *Service) Embed(ctx context.Context, dataset, extractor string, req edgelens.Request) (edgelens.EmbeddingProgress, error) {
	begun := time.Now()
	d, err := s.Store.Dataset(ctx, dataset)
	if err != nil {
		return edgelens.EmbeddingProgress{}, err
	}
	if d, err = s.useExtractor(ctx, d, extractor, req); err != nil {
		return edgelens.EmbeddingProgress{}, err
	}
	done := 0
	for {
		page, left, err := s.Store.Outdated(ctx, dataset, embedPage)
		if err != nil || left == 0 {
			return edgelens.EmbeddingProgress{Done: done}, err
		}
		for i, e := range page {
			if time.Since(begun) > embedTime && done > 0 {
				return edgelens.EmbeddingProgress{Done: done, Left: left - i}, nil
			}
			if err := s.embedExample(ctx, d, e, req); err != nil {
				return edgelens.EmbeddingProgress{Done: done, Left: left - i}, err
			}
			done++
		}
	}
}

// useExtractor has the embeddings of a dataset be of an extractor as it is now, which is found out by its newest example.
func (s *Service) useExtractor(ctx context.Context, d edgelens.Dataset, extractor string, req edgelens.Request) (edgelens.Dataset, error) {
	if extractor == "" {
		extractor = d.Extractor.Name
	}
	newest, _, err := s.Store.Examples(ctx, edgelens.ExampleFilter{Dataset: d.Name, Limit: 1})
	if err != nil || len(newest) == 0 {
		return d, err
	}
	req.Model = extractor
	result, err := s.embedImage(ctx, d, newest[0], req)
	if err != nil || result.Model == d.Extractor {
		return d, err
	}
	d.Extractor = result.Model
	return d, s.Store.SetExtractor(ctx, d.Name, result.Model)
}

// embedExample makes the embedding of an example anew. One that was removed meanwhile is no error.
func (s *Service) embedExample(ctx context.Context, d edgelens.Dataset, e edgelens.Example, req edgelens.Request) error {
	req.Model = d.Extractor.Name
	result, err := s.embedImage(ctx, d, e, req)
	if err == nil {
		err = s.Store.SetEmbedding(ctx, d.Name, e.ID, result.Model, result.Embedding)
	}
	if errors.Is(err, edgelens.ErrNotFound) {
		if _, gone := s.Store.Example(ctx, d.Name, e.ID); errors.Is(gone, edgelens.ErrNotFound) {
			return nil
		}
	}
	return err
}

// embedImage makes the embedding of the image of an example, as the dataset shows it.
func (s *Service) embedImage(ctx context.Context, d edgelens.Dataset, e edgelens.Example, req edgelens.Request) (*edgelens.Result, error) {
	image, err := s.Store.Image(ctx, d.Name, e.ID)
	if err != nil {
		return nil, err
	}
	req.Image, req.SHA256, req.View, req.Priority = image, sha256.Sum256(image), d.View, edgelens.PriorityBulk
	return s.embed(ctx, &req)
}

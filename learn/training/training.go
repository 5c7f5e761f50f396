// Package training trains heads on stored datasets, one at a time, and stores their versions.
package training

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"edgelens"
	"edgelens/learn/head"
	"edgelens/learn/train"
)

// Examples has the datasets.
type Examples interface {
	// Dataset returns a dataset with its labels. The error wraps edgelens.ErrNotFound.
	Dataset(ctx context.Context, name string) (edgelens.Dataset, error)
	// Embeddings returns all examples of a dataset.
	Embeddings(ctx context.Context, name string) ([]edgelens.Example, error)
}

// Store has the versions of heads; heads.Store is one.
type Store interface {
	Put(h *head.Head, report *edgelens.TrainingReport, live bool) (*head.Head, error)
	Names() []string
	Versions(name string) ([]edgelens.HeadVersion, error)
	Rollback(name string, version int) (int, error)
	Remove(name string) error
}

// Registry has the names of the models of files; models.Registry is one.
type Registry interface {
	Has(name string) bool
	Default() string
}

// Extractor returns the model of embeddings of that name as it is now, loading it where needed.
type Extractor func(ctx context.Context, name string) (edgelens.ModelRef, error)

// timeout bounds a training. It is less than what a client waits for a response.
const timeout = 2 * time.Minute

// retryAfter is when a client may try again while another head is trained.
const retryAfter = 5 * time.Second

// Service trains heads. It is safe for concurrent use.
type Service struct {
	examples  Examples
	store     Store
	registry  Registry
	extractor Extractor
	log       *slog.Logger

	mu       sync.Mutex
	progress *edgelens.TrainingProgress // nil while none trains
}

// New returns a Service.
func New(examples Examples, store Store, registry Registry, extractor Extractor, log *slog.Logger) *Service {
	return &Service{examples: examples, store: store, registry: registry, extractor: extractor, log: log}
}

// Train trains the next version of a head and stores it, with a report of its answers for held-out examples. It runs at a low
// thread priority, and ends with ctx.
//
// The error is an *edgelens.Busy while another head is trained. It wraps edgelens.ErrConflict while this one is, for the name of
// a model file, and where the extractor was replaced since the embeddings were made, ErrNotFound for an unknown dataset, ErrInvalid
// for one that cannot be trained on, ErrDeadline, ErrCanceled, or one of the extractor or the store.
func (s *Service) Train(ctx context.Context, name string, t edgelens.Training) (edgelens.HeadVersion, error) {
	if err := head.CheckName(name); err != nil {
		return edgelens.HeadVersion{}, err
	}
	if s.registry.Has(name) {
		return edgelens.HeadVersion{}, fmt.Errorf("%w: there is a model file of the name %s, which would answer in place of the head; choose another name", edgelens.ErrConflict, name)
	}
	if err := s.begin(name); err != nil {
		return edgelens.HeadVersion{}, err
	}
	defer s.setProgress(nil)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	trained, report, err := s.run(ctx, name, t)
	if err != nil {
		return edgelens.HeadVersion{}, err
	}
	stored, err := s.store.Put(trained, report, !t.Candidate)
	if err != nil {
		return edgelens.HeadVersion{}, err
	}
	s.log.Info("head trained", "event", "head_trained", "head", name, "version", stored.Version, "live", !t.Candidate, "dataset", t.Dataset, "method", report.Method,
		"labels", len(report.Labels), "examples", stored.Examples, "held_out", report.HeldOut, "right", report.Right, "ms", report.Took)
	return s.version(name, stored.Version)
}

// begin begins the training of a head, if none is trained. A second training of the same head would learn the same: it is a
// conflict, which does not go away by trying again.
func (s *Service) begin(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.progress == nil:
		s.progress = &edgelens.TrainingProgress{Name: name}
		return nil
	case s.progress.Name == name:
		return fmt.Errorf("%w: the head %s is being trained already; wait for its version (GET /api/heads has the progress)", edgelens.ErrConflict, name)
	}
	return &edgelens.Busy{RetryAfter: retryAfter, Reason: fmt.Sprintf("Another head, %s, is being trained. Try again after the seconds in Retry-After.", s.progress.Name)}
}

func (s *Service) run(ctx context.Context, name string, t edgelens.Training) (*head.Head, *edgelens.TrainingReport, error) {
	dataset, err := s.examples.Dataset(ctx, t.Dataset)
	if err != nil {
		return nil, nil, err
	}
	if dataset.Examples > train.MaxExamples {
		return nil, nil, fmt.Errorf("%w: the dataset %s has %d examples; a head can be trained on %d", edgelens.ErrInvalid, t.Dataset, dataset.Examples, train.MaxExamples)
	}
	extractor, err := s.extractor(ctx, dataset.Extractor.Name)
	if err != nil {
		return nil, nil, fmt.Errorf("load the extractor of the dataset %s: %w", t.Dataset, err)
	}
	if extractor != dataset.Extractor { // the head could not answer
		return nil, nil, fmt.Errorf("%w: the embeddings of the dataset %s are of %s with the digest %s, and that is %s now; `edgelens dataset embed %s` makes them anew",
			edgelens.ErrConflict, t.Dataset, dataset.Extractor.Name, dataset.Extractor.Digest, extractor.Digest, t.Dataset)
	}
	examples, err := s.examples.Embeddings(ctx, t.Dataset)
	if err != nil {
		return nil, nil, err
	}
	return train.Run(ctx, examples, train.Options{
		Name: name, Extractor: dataset.Extractor, View: dataset.View, Method: t.Method, Seed: t.Seed, Threshold: t.Threshold, Background: true,
	}, func(done, total int) { s.setProgress(&edgelens.TrainingProgress{Name: name, Done: done, Total: total}) })
}

// Progress returns how far the training in progress is; nil for none.
func (s *Service) Progress() *edgelens.TrainingProgress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.progress
}

func (s *Service) setProgress(p *edgelens.TrainingProgress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress = p
}

// Heads returns the live version of each head, or the newest one where none is live, by name.
func (s *Service) Heads() ([]edgelens.HeadVersion, error) {
	var all []edgelens.HeadVersion
	for _, name := range s.store.Names() {
		versions, err := s.store.Versions(name)
		switch {
		case errors.Is(err, edgelens.ErrNotFound): // removed meanwhile
			continue
		case err != nil:
			return nil, err
		}
		for i, v := range versions {
			if v.Live {
				all = append(all, v)
				break
			}
			if i == len(versions)-1 {
				all = append(all, versions[0])
			}
		}
	}
	return all, nil
}

// Versions returns the versions of a head, newest first. The error wraps edgelens.ErrNotFound.
func (s *Service) Versions(name string) ([]edgelens.HeadVersion, error) {
	return s.store.Versions(name)
}

// Rollback makes another version of a head the live one, and returns it: the given one, or for 0 the newest that is older than the
// live one. The error wraps edgelens.ErrNotFound, ErrConflict where none is older, or ErrModel for a damaged one.
func (s *Service) Rollback(name string, version int) (edgelens.HeadVersion, error) {
	live, err := s.store.Rollback(name, version)
	if err != nil {
		return edgelens.HeadVersion{}, err
	}
	s.log.Info("another version of a head is live", "event", "head_rolled_back", "head", name, "version", live)
	return s.version(name, live)
}

func (s *Service) version(name string, version int) (edgelens.HeadVersion, error) {
	versions, err := s.store.Versions(name)
	if err != nil {
		return edgelens.HeadVersion{}, err
	}
	for _, v := range versions {
		if v.Version == version {
			return v, nil
		}
	}
	return edgelens.HeadVersion{}, fmt.Errorf("%w: the version %d of the head %s was removed meanwhile", edgelens.ErrNotFound, version, name)
}

// Remove removes a head with its versions. The error wraps edgelens.ErrNotFound, or ErrConflict for the default model.
func (s *Service) Remove(name string) error {
	if name == s.registry.Default() && !s.registry.Has(name) {
		return fmt.Errorf("%w: %s is the default model; choose another one first (the setting model)", edgelens.ErrConflict, name)
	}
	if err := s.store.Remove(name); err != nil {
		return err
	}
	s.log.Info("head removed", "event", "head_removed", "head", name)
	return nil
}

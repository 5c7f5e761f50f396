// Package datasets keeps images with their right labels, from which heads learn, and the embeddings that are made of them.
// They never leave the node.
package datasets

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"edgelens"
	"edgelens/learn/head"
)

const (
	// maxLabel is how many bytes a label may have.
	maxLabel = 200
)

// Store keeps datasets. Its methods are safe for use by many goroutines; docs of their errors are at ledger.Examples.
type Store interface {
	Add(ctx context.Context, of edgelens.Dataset, e edgelens.Example, image []byte) (example edgelens.Example, existing bool, err error)
	Earlier(ctx context.Context, dataset, sha256 string) (e edgelens.Example, found bool, err error)
	Datasets(ctx context.Context) ([]edgelens.Dataset, error)
	Dataset(ctx context.Context, name string) (edgelens.Dataset, error)
	Examples(ctx context.Context, filter edgelens.ExampleFilter) (page []edgelens.Example, next string, err error)
	Example(ctx context.Context, dataset, id string) (edgelens.Example, error)
	Image(ctx context.Context, dataset, id string) ([]byte, error)
	Relabel(ctx context.Context, dataset, id, label string) (edgelens.Example, error)
	Remove(ctx context.Context, dataset, id string) error
	RemoveDataset(ctx context.Context, name string) error
	SetExtractor(ctx context.Context, dataset string, extractor edgelens.ModelRef) error
	Outdated(ctx context.Context, dataset string, limit int) (page []edgelens.Example, count int, err error)
	SetEmbedding(ctx context.Context, dataset, id string, extractor edgelens.ModelRef, embedding []float32) error
}

// Results has results and their images, as far as they are kept.
type Results interface {
	// Result's error is an edgelens.ErrNotFound where there is none.
	Result(ctx context.Context, id string) (edgelens.StoredResult, error)
	// Image's error is an edgelens.ErrNotFound where the image of the job is not kept.
	Image(ctx context.Context, jobID string) ([]byte, error)
}

// Service adds examples to datasets, with the embeddings of a Recognizer, which must run on this node. It is safe for use by
// many goroutines.
type Service struct {
	Store
	results    Results
	recognizer edgelens.Recognizer
}

// New returns a Service.
func New(store Store, results Results, recognizer edgelens.Recognizer) *Service {
	return &Service{Store: store, results: results, recognizer: recognizer}
}

// CheckLabel returns an edgelens.ErrInvalid for a label that no example can have.
func CheckLabel(label string) error {
	notPrintable := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case label == "" || len(label) > maxLabel || !utf8.ValidString(label) || strings.ContainsFunc(label, notPrintable) || strings.TrimSpace(label) != label:
		return fmt.Errorf("%w: %.220q is no label: use 1 to %d bytes of printable characters, without blanks around them", edgelens.ErrInvalid, label, maxLabel)
	case strings.EqualFold(label, head.Unknown):
		return fmt.Errorf("%w: the label %q is reserved for images that none of the labels fits; leave such images out", edgelens.ErrInvalid, label)
	}
	return nil
}

// normalized returns a label in the form NFC: macOS writes "ö" in names of folders as "o" and its dots, and both are one label.
func normalized(label string) string { return norm.NFC.String(label) }

// Add makes the embedding of an image, and makes both durable as an example, with its label; the first one creates the dataset
// and fixes its extractor and view. existing is true for an image that the dataset has with that label already: nothing is
// written then.
//
// Errors, besides those of the recognition and of the Store: edgelens.ErrInvalid for a bad name or label, ErrConflict for another
// extractor, or another version of it, or another view than the dataset's, ErrNotFound for a result that is not stored, or
// whose image is not kept.
func (s *Service) Add(ctx context.Context, spec edgelens.ExampleSpec) (example edgelens.Example, existing bool, err error) {
	if err := head.CheckName(spec.Dataset); err != nil {
		return edgelens.Example{}, false, fmt.Errorf("name the dataset: %w", err)
	}
	spec.Label = normalized(spec.Label)
	if err := CheckLabel(spec.Label); err != nil {
		return edgelens.Example{}, false, err
	}
	stored, known, err := s.known(ctx, spec.Dataset)
	if err != nil {
		return edgelens.Example{}, false, err
	}
	if known {
		if err := fits(stored, spec); err != nil {
			return edgelens.Example{}, false, err
		}
		spec.Request.Model, spec.Request.View = stored.Extractor.Name, stored.View
	}
	if len(spec.Request.Image) == 0 {
		if err := s.takeImage(ctx, &spec); err != nil {
			return edgelens.Example{}, false, err
		}
	}
	sum := hex.EncodeToString(spec.Request.SHA256[:])
	// An embedding takes longer than to look it up.
	if earlier, found, err := s.Store.Earlier(ctx, spec.Dataset, sum); err != nil || found && earlier.Label == spec.Label {
		return earlier, found, err
	}
	result, err := s.embed(ctx, spec.Request)
	if err != nil {
		return edgelens.Example{}, false, err
	}
	of := edgelens.Dataset{Name: spec.Dataset, Extractor: result.Model, View: result.View.View}
	if known {
		of.View = stored.View
	}
	return s.Store.Add(ctx, of, edgelens.Example{
		Label: spec.Label, SHA256: sum, Bytes: int64(len(spec.Request.Image)),
		Extractor: result.Model, Embedding: result.Embedding, Result: spec.Result, Owner: spec.Request.Owner,
	}, spec.Request.Image)
}

// fits returns an edgelens.ErrConflict where a spec has another extractor or view than its dataset, and an ErrInvalid where it has
// one label more than a head can have.
func fits(d edgelens.Dataset, spec edgelens.ExampleSpec) error {
	req := spec.Request
	for _, one := range []struct{ name, given, fixed string }{
		{"extractor", req.Model, d.Extractor.Name},
		{"fit", string(req.View.Fit), string(d.View.Fit)},
		{"region", req.View.Region.String(), d.View.Region.String()},
	} {
		if one.given != "" && one.given != one.fixed {
			return fmt.Errorf("%w: the first example of the dataset %q has fixed its %s as %q; leave it out, or choose another dataset", edgelens.ErrConflict, d.Name, one.name, one.fixed)
		}
	}
	for _, l := range d.Labels {
		if l.Label == spec.Label {
			return nil
		}
	}
	if len(d.Labels) >= head.MaxClasses {
		return fmt.Errorf("%w: the dataset %q has %d labels, which is the limit", edgelens.ErrInvalid, d.Name, len(d.Labels))
	}
	return nil
}

// Relabel changes the label of an example. Errors: edgelens.ErrInvalid for a bad label, ErrNotFound where there is no such example.
func (s *Service) Relabel(ctx context.Context, dataset, id, label string) (edgelens.Example, error) {
	label = normalized(label)
	if err := CheckLabel(label); err != nil {
		return edgelens.Example{}, err
	}
	return s.Store.Relabel(ctx, dataset, id, label)
}

// Examples lists the examples of a dataset, as its Store does.
func (s *Service) Examples(ctx context.Context, filter edgelens.ExampleFilter) (page []edgelens.Example, next string, err error) {
	filter.Label = normalized(filter.Label)
	return s.Store.Examples(ctx, filter)
}

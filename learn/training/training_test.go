package training_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"edgelens"
	"edgelens/learn/heads"
	"edgelens/learn/training"
)

// dataset is one that a head can be trained on, in two directions. While it is read, reading is called.
type dataset struct {
	examples int
	reading  func()
}

var extractor = edgelens.ModelRef{Name: "extractor", Digest: "sha256:ab"}

func (d dataset) Dataset(_ context.Context, name string) (edgelens.Dataset, error) {
	if name != "yard" {
		return edgelens.Dataset{}, fmt.Errorf("%w: there is no dataset %q", edgelens.ErrNotFound, name)
	}
	return edgelens.Dataset{Name: name, Extractor: extractor, View: edgelens.View{Fit: edgelens.FitPad}, Examples: d.examples}, nil
}

func (d dataset) Embeddings(context.Context, string) ([]edgelens.Example, error) {
	if d.reading != nil {
		d.reading()
	}
	var all []edgelens.Example
	for i := range d.examples {
		e := edgelens.Example{ID: fmt.Sprint(i), SHA256: fmt.Sprintf("%064d", i), Label: "closed", Extractor: extractor, Embedding: []float32{1, float32(i) / 100}}
		if i%2 == 1 {
			e.Label, e.Embedding = "open", []float32{float32(i) / 100, 1}
		}
		all = append(all, e)
	}
	return all, nil
}

type registry struct{}

func (registry) Has(name string) bool { return name == "file" }
func (registry) Default() string      { return "standing" }

func newService(t *testing.T, d dataset) *training.Service {
	t.Helper()
	return newServiceWith(t, d, func(context.Context, string) (edgelens.ModelRef, error) { return extractor, nil })
}

func newServiceWith(t *testing.T, d dataset, present training.Extractor) *training.Service {
	t.Helper()
	return training.New(d, heads.Open(t.TempDir()), registry{}, present, slog.New(slog.DiscardHandler))
}

// A head of embeddings whose extractor was replaced, or is gone, could not answer: it does not go live in place of another.
func TestTrainNeedsTheExtractor(t *testing.T) {
	for name, test := range map[string]struct {
		present edgelens.ModelRef
		err     error
		want    error
	}{
		"replaced": {present: edgelens.ModelRef{Name: "extractor", Digest: "sha256:cd"}, want: edgelens.ErrConflict},
		"removed":  {err: edgelens.ErrNoModel, want: edgelens.ErrNoModel},
	} {
		s := newServiceWith(t, dataset{examples: 12}, func(context.Context, string) (edgelens.ModelRef, error) { return test.present, test.err })
		if _, err := s.Train(t.Context(), "gate", edgelens.Training{Dataset: "yard"}); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
		if all, err := s.Heads(); len(all) != 0 || err != nil {
			t.Errorf("%s: there are %v, %v", name, all, err)
		}
	}
}

func TestTrainAndRollBack(t *testing.T) {
	s := newService(t, dataset{examples: 12})
	for version := 1; version <= 2; version++ {
		v, err := s.Train(t.Context(), "gate", edgelens.Training{Dataset: "yard"})
		if err != nil || v.Version != version || !v.Live || v.Report == nil || v.Report.HeldOut != 12 || v.View.Fit != edgelens.FitPad {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	if v, err := s.Train(t.Context(), "gate", edgelens.Training{Dataset: "yard", Method: "imprinting", Candidate: true}); err != nil || v.Live || v.Version != 3 {
		t.Errorf("a candidate: %+v, %v", v, err)
	}
	if v, err := s.Rollback("gate", 0); err != nil || v.Version != 1 || !v.Live {
		t.Errorf("rolled back: %+v, %v", v, err)
	}
	if _, err := s.Train(t.Context(), "draft", edgelens.Training{Dataset: "yard", Candidate: true}); err != nil {
		t.Error(err)
	}
	all, err := s.Heads()
	if err != nil || len(all) != 2 || all[0].Name != "draft" || all[0].Live || all[1].Version != 1 {
		t.Errorf("the heads are %+v, %v", all, err)
	}
	if err := s.Remove("gate"); err != nil {
		t.Error(err)
	}
	if _, err := s.Versions("gate"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
}

func TestTrainRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		head, dataset string
		examples      int
		want          error
	}{
		"no name":          {"../gate", "yard", 12, edgelens.ErrInvalid},
		"the name of file": {"file", "yard", 12, edgelens.ErrConflict},
		"no dataset":       {"gate", "nothing", 12, edgelens.ErrNotFound},
		"too few examples": {"gate", "yard", 4, edgelens.ErrInvalid},
		"too many":         {"gate", "yard", 1 << 20, edgelens.ErrInvalid},
	} {
		s := newService(t, dataset{examples: test.examples})
		if _, err := s.Train(t.Context(), test.head, edgelens.Training{Dataset: test.dataset}); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
		if s.Progress() != nil {
			t.Errorf("%s: it still trains", name)
		}
	}
	s := newService(t, dataset{})
	if err := s.Remove("standing"); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("the default model was removed: %v", err)
	}
}

func TestOneTrainingAtATime(t *testing.T) {
	var s *training.Service
	var second, same error
	s = newService(t, dataset{examples: 12, reading: func() {
		_, second = s.Train(t.Context(), "other", edgelens.Training{Dataset: "yard"})
		_, same = s.Train(t.Context(), "gate", edgelens.Training{Dataset: "yard"})
		if p := s.Progress(); p == nil || p.Name != "gate" {
			t.Errorf("the progress is %+v", p)
		}
	}})
	if _, err := s.Train(t.Context(), "gate", edgelens.Training{Dataset: "yard"}); err != nil {
		t.Fatal(err)
	}
	var busy *edgelens.Busy
	if !errors.As(second, &busy) || busy.RetryAfter <= 0 {
		t.Errorf("a second training: %v", second)
	}
	if !errors.Is(same, edgelens.ErrConflict) || errors.Is(same, edgelens.ErrBusy) {
		t.Errorf("a second training of the same head: %v", same)
	}
	if _, err := s.Train(t.Context(), "gate", edgelens.Training{Dataset: "yard"}); err != nil {
		t.Errorf("after both: %v", err)
	}
}

package recognize_test

import (
	"errors"
	"reflect"
	"sync/atomic"
	"testing"

	"edgelens"
	"edgelens/recognize"
)

var gate = edgelens.Region{X: 0.25, Y: 0, Width: 0.5, Height: 1}

// What is shown is decided by the request, then the model, then the service; and the
// result has it, also from the cache.
func TestViewPrecedence(t *testing.T) {
	for name, test := range map[string]struct {
		request        edgelens.View
		model, service edgelens.Fit
		want           edgelens.View
	}{
		"service":             {edgelens.View{}, "", edgelens.FitCenter, edgelens.View{Fit: edgelens.FitCenter}},
		"model":               {edgelens.View{}, edgelens.FitStretch, edgelens.FitCenter, edgelens.View{Fit: edgelens.FitStretch}},
		"request":             {edgelens.View{Fit: edgelens.FitPad}, edgelens.FitStretch, edgelens.FitCenter, edgelens.View{Fit: edgelens.FitPad}},
		"a region alone":      {edgelens.View{Region: gate}, edgelens.FitStretch, edgelens.FitCenter, edgelens.View{Fit: edgelens.FitStretch, Region: gate}},
		"both":                {edgelens.View{Fit: edgelens.FitSweep, Region: gate}, "", edgelens.FitCenter, edgelens.View{Fit: edgelens.FitSweep, Region: gate}},
		"the whole, in words": {edgelens.View{Region: edgelens.Region{Width: 1, Height: 1}}, "", edgelens.FitCenter, edgelens.View{Fit: edgelens.FitCenter}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(oneSlot(), 64, 128)
			b.runner.spec.Fit, b.preprocessor.fit = test.model, test.service
			req := image("cat")
			req.View = test.request
			for range 2 {
				if got := b.must(t, req); got.View != (edgelens.ShownView{View: test.want, Count: 1}) {
					t.Errorf("the result has %+v, want %+v", got.View, test.want)
				}
			}
			if views := *b.preprocessor.views.Load(); len(views) != 1 || views[0] != test.want {
				t.Errorf("shown is %+v, want %+v", views, test.want)
			}
		})
	}
}

// A sweep's scores are the mean of those of its parts, within one slot.
func TestSweepIsTheMean(t *testing.T) {
	b := newBench(oneSlot(), 0, 0)
	b.preprocessor.parts = 3
	var runs atomic.Int64
	b.runner.rawOf = func(tensor []byte) []byte {
		runs.Add(1)
		switch tensor[0] { // the fake's parts are full of their numbers
		case 2:
			return []byte{0, 240}
		case 3:
			return []byte{120, 60}
		}
		return []byte{240, 0}
	}
	req := image("a street")
	req.View.Fit = edgelens.FitSweep
	got := b.must(t, req)
	single := image("another street")
	one := b.must(t, single)
	perUnit := one.Predictions[0].Probability / 240 // the output's scale
	if len(got.Predictions) != 2 || got.Predictions[0].ClassID != 0 || !near(got.Predictions[0].Probability, 120*perUnit) || !near(got.Predictions[1].Probability, 100*perUnit) {
		t.Errorf("%+v, want 120 and 100 units of %v", got.Predictions, perUnit)
	}
	if got.View.Count != 3 || runs.Load() != 4 {
		t.Errorf("%d parts and %d runs, want 3 and 4", got.View.Count, runs.Load())
	}
}

func near(a, b float64) bool { return a-b < 2e-6 && b-a < 2e-6 }

// If the model fails on one part, there is no result, and nothing is cached.
func TestSweepFailsAsAWhole(t *testing.T) {
	b := newBench(oneSlot(), 0, 0)
	b.preprocessor.parts = 3
	b.runner.rawOf = func(tensor []byte) []byte {
		if tensor[0] == 3 {
			return []byte{1}
		}
		return []byte{240, 0}
	}
	req := image("a street")
	req.View.Fit = edgelens.FitSweep
	for range 2 {
		if r, err := b.Recognize(t.Context(), req); !errors.Is(err, edgelens.ErrInference) {
			t.Fatalf("%+v, %v, want an ErrInference", r, err)
		}
	}
}

// The quality model is shown what the model sees, but without bars, and a sweep at once.
func TestQualityModelSeesTheSame(t *testing.T) {
	for fit, want := range map[edgelens.Fit]edgelens.Fit{
		edgelens.FitCenter: edgelens.FitCenter, edgelens.FitStretch: edgelens.FitStretch, edgelens.FitSweep: edgelens.FitStretch, edgelens.FitPad: edgelens.FitStretch,
	} {
		b := newRatingBench(recognize.QualityAll, 192, 32, 32)
		b.preprocessor.parts = 3
		req := image("a door")
		req.View = edgelens.View{Fit: fit, Region: gate}
		if got := b.must(t, req); got.Quality == nil {
			t.Errorf("%s: not rated", fit)
		}
		if views := *b.preprocessor.views.Load(); !reflect.DeepEqual(views, []edgelens.View{req.View, {Fit: want, Region: gate}}) {
			t.Errorf("%s: shown are %+v", fit, views)
		}
	}
}

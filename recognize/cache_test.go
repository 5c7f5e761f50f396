package recognize_test

import (
	"reflect"
	"testing"

	"edgelens"
)

func TestHitIsAFreshCopy(t *testing.T) {
	b := newBench(oneSlot(), 64, 128)
	first := b.must(t, image("cat"))
	want := first.Clone()
	spoil := func(r *edgelens.Result) {
		r.Predictions[0] = edgelens.Prediction{ClassID: 99, Label: "damaged"}
		r.Model.Name, r.Image.Format = "damaged", "damaged"
	}
	spoil(first)
	for range 3 {
		hit := b.must(t, image("cat"))
		if !hit.Cached {
			t.Fatal("not cached")
		}
		if !reflect.DeepEqual(hit.Predictions, want.Predictions) || hit.Model != want.Model || hit.Image != want.Image {
			t.Fatalf("hit %+v, want %+v", hit, want)
		}
		if hit.Timings.Decode != 0 || hit.Timings.Total <= 0 {
			t.Errorf("timings of a hit: %+v, want a total alone", hit.Timings)
		}
		spoil(hit)
	}
	if n := b.preprocessor.calls.Load(); n != 1 {
		t.Errorf("computed %d times, want once", n)
	}
}

func TestCacheKey(t *testing.T) {
	tests := map[string]struct {
		change func(b *bench, req *edgelens.Request)
		hit    bool
	}{
		"nothing":                    {func(*bench, *edgelens.Request) {}, true},
		"request id":                 {func(_ *bench, r *edgelens.Request) { r.ID = "another" }, true},
		"source":                     {func(_ *bench, r *edgelens.Request) { r.Source = "another" }, true},
		"top_k set to the default":   {func(_ *bench, r *edgelens.Request) { r.TopK = edgelens.DefaultTopK }, true},
		"default model by its name":  {func(_ *bench, r *edgelens.Request) { r.Model = "fake" }, true},
		"top_k":                      {func(_ *bench, r *edgelens.Request) { r.TopK = 1 }, false},
		"min_score":                  {func(_ *bench, r *edgelens.Request) { r.MinScore = .1 }, false},
		"min_score by very little":   {func(_ *bench, r *edgelens.Request) { r.MinScore = 5e-324 }, false},
		"content":                    {func(_ *bench, r *edgelens.Request) { *r = *image("dog") }, false},
		"model digest":               {func(b *bench, _ *edgelens.Request) { b.runner.spec.Digest = "sha256:4567" }, false},
		"normalization or labels":    {func(b *bench, _ *edgelens.Request) { b.runner.spec.Variant = "another" }, false},
		"preprocess version":         {func(b *bench, _ *edgelens.Request) { b.preprocessor.version = "2" }, false},
		"the fit by its name":        {func(_ *bench, r *edgelens.Request) { r.View.Fit = edgelens.FitStretch }, true},
		"the whole image, in words":  {func(_ *bench, r *edgelens.Request) { r.View.Region = edgelens.Region{Width: 1, Height: 1} }, true},
		"fit":                        {func(_ *bench, r *edgelens.Request) { r.View.Fit = edgelens.FitCenter }, false},
		"region":                     {func(_ *bench, r *edgelens.Request) { r.View.Region = gate }, false},
		"fit of the model":           {func(b *bench, _ *edgelens.Request) { b.runner.spec.Fit = edgelens.FitPad }, false},
		"fit of the service":         {func(b *bench, _ *edgelens.Request) { b.preprocessor.fit = edgelens.FitPad }, false},
		"same file as another model": {func(b *bench, _ *edgelens.Request) { b.runner.spec.Name = "twin" }, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(oneSlot(), 64, 128)
			b.must(t, image("cat"))
			req := image("cat")
			test.change(b, req)
			r := b.must(t, req)
			if r.Cached != test.hit {
				t.Errorf("cached: %v, want %v", r.Cached, test.hit)
			}
			if r.RequestID != req.ID {
				t.Errorf("request id %q, want %q", r.RequestID, req.ID)
			}
			if r.Model != b.runner.spec.ModelRef {
				t.Errorf("model %v, want %v", r.Model, b.runner.spec.ModelRef)
			}
		})
	}
}

func TestNoCacheNeitherReadsNorFills(t *testing.T) {
	b := newBench(oneSlot(), 64, 128)
	req := image("cat")
	req.NoCache = true
	b.must(t, req)
	if b.cache.gets != 0 || b.cache.sets != 0 {
		t.Errorf("read %d times and filled %d times", b.cache.gets, b.cache.sets)
	}
	b.must(t, image("cat")) // fills
	if r := b.must(t, req); r.Cached {
		t.Error("answered from the cache")
	}
	if n := b.preprocessor.calls.Load(); n != 3 {
		t.Errorf("computed %d times, want 3", n)
	}
}

func TestFailureIsNotCached(t *testing.T) {
	b := newBench(oneSlot(), 64, 128)
	b.preprocessor.work = func([]byte) error { return edgelens.ErrBadImage }
	if _, err := b.Recognize(t.Context(), image("cat")); edgelens.Code(err) != "bad_image" {
		t.Fatalf("error %v, want bad_image", err)
	}
	b.preprocessor.work = nil
	if r := b.must(t, image("cat")); r.Cached {
		t.Error("the failure was cached")
	}
}

func TestLateMissUsesCachedResult(t *testing.T) {
	b := newBench(oneSlot(), 64, 128)
	// Another identical request computes and stores between this one's cache
	// lookup and its start.
	b.cache.afterGet = func() {
		b.cache.mu.Lock()
		b.cache.afterGet = nil
		b.cache.mu.Unlock()
		b.must(t, image("cat"))
	}
	b.must(t, image("cat"))
	if n := b.preprocessor.calls.Load(); n != 1 {
		t.Errorf("computed %d times, want once", n)
	}
}

package recognize_test

import (
	"context"
	"errors"
	"testing"

	"edgelens"
	"edgelens/models"
	"edgelens/recognize"
)

// newRatingBench returns a bench with a second model, which rates images: ok, blurred
// or dark with these probabilities, in 256ths.
func newRatingBench(quality string, scores ...byte) *bench {
	config := oneSlot()
	config.Quality, config.QualityMinScore = quality, 0.7
	b := newBenchWith(config, "rater", 200, 50)
	qualityModel := newSpec(models.Uint8, len(scores))
	qualityModel.Name, qualityModel.Digest, qualityModel.Labels = "rater", "sha256:4567", []string{edgelens.QualityOK, edgelens.QualityBlurred, edgelens.QualityDark}
	qualityModel.Output.Scale = 1.0 / 256
	b.runner.others = map[string]*answering{"rater": {spec: qualityModel, raw: scores}}
	return b
}

func TestQuality(t *testing.T) {
	const door = "door"
	for name, test := range map[string]struct {
		setting string
		device  string
		scores  []byte
		want    *edgelens.Quality
	}{
		"off":                       {recognize.QualityOff, door, []byte{0, 255, 0}, nil},
		"an app's, terminals only":  {recognize.QualityTerminals, "", []byte{0, 255, 0}, nil},
		"a terminal's":              {recognize.QualityTerminals, door, []byte{0, 240, 16}, &edgelens.Quality{Verdict: edgelens.QualityBlurred, Score: 0.9375}},
		"an app's, all":             {recognize.QualityAll, "", []byte{0, 0, 192}, &edgelens.Quality{Verdict: edgelens.QualityDark, Score: 0.75}},
		"ok":                        {recognize.QualityAll, "", []byte{192, 32, 32}, &edgelens.Quality{Verdict: edgelens.QualityOK, Score: 0.75, Usable: true}},
		"ok, but hardly":            {recognize.QualityAll, "", []byte{96, 80, 80}, &edgelens.Quality{Verdict: edgelens.QualityOK, Score: 0.375, Usable: true}},
		"bad, but not sure of that": {recognize.QualityAll, "", []byte{64, 128, 64}, &edgelens.Quality{Verdict: edgelens.QualityBlurred, Score: 0.5, Usable: true}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newRatingBench(test.setting, test.scores...)
			req := image("a door")
			req.Device = test.device
			for _, cached := range []bool{false, true} {
				got := b.must(t, req)
				if got.Cached != cached || len(got.Predictions) != 2 || got.Predictions[0].Label != "zero" {
					t.Fatalf("%+v, want both predictions of the model, cached %v", got, cached)
				}
				switch {
				case (got.Quality == nil) != (test.want == nil):
					t.Errorf("quality %+v, want %+v", got.Quality, test.want)
				case got.Quality != nil && *got.Quality != *test.want:
					t.Errorf("quality %+v, want %+v", *got.Quality, *test.want)
				}
			}
			if n := b.preprocessor.calls.Load(); n != 1 {
				t.Errorf("the image was decoded %d times, want once", n)
			}
		})
	}
}

// Results with a quality and without are different: neither is returned for the other.
func TestQualityIsPartOfTheKey(t *testing.T) {
	b := newRatingBench(recognize.QualityTerminals, 0, 255, 0)
	b.must(t, image("a door"))
	req := image("a door")
	req.Device = "door"
	if got := b.must(t, req); got.Cached || got.Quality == nil {
		t.Errorf("%+v, want an answer of its own, with a quality", got)
	}
	if got := b.must(t, image("a door")); !got.Cached || got.Quality != nil {
		t.Errorf("%+v, want the first answer from the cache, without a quality", got)
	}
}

// An error of the quality model costs the quality, and that result is not cached.
func TestResultsWithoutQualityModel(t *testing.T) {
	broken := errors.New("broken")
	for name, spoil := range map[string]func(qualityModel *answering){
		"it cannot be loaded": func(qualityModel *answering) { qualityModel.described = broken },
		"it fails":            func(qualityModel *answering) { qualityModel.failed = broken },
		"it answers short":    func(qualityModel *answering) { qualityModel.raw = qualityModel.raw[:1] },
	} {
		t.Run(name, func(t *testing.T) {
			b := newRatingBench(recognize.QualityAll, 0, 255, 0)
			qualityModel := b.runner.others["rater"]
			whole := *qualityModel
			spoil(qualityModel)
			if got := b.must(t, image("a door")); got.Quality != nil || len(got.Predictions) != 2 {
				t.Errorf("%+v, want predictions without a quality", got)
			}
			*qualityModel = whole
			if got := b.must(t, image("a door")); got.Quality == nil {
				t.Errorf("%+v, want a quality once the quality model works", got)
			}
		})
	}
}

// If the requested model is the quality model, it runs once.
func TestQualityModelAsRequestedModel(t *testing.T) {
	b := newRatingBench(recognize.QualityAll, 16, 240, 0)
	runs := 0
	b.runner.others["rater"].work = func(context.Context) { runs++ }
	req := image("a door")
	req.Model = "rater"
	got := b.must(t, req)
	if got.Quality == nil || got.Quality.Verdict != edgelens.QualityBlurred || got.Predictions[0].Label != edgelens.QualityBlurred || runs != 1 {
		t.Errorf("%+v (quality %+v) in %d runs, want blurred twice in one", got, got.Quality, runs)
	}
}

package recognize_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"testing"

	"edgelens"
	"edgelens/models"
	"edgelens/recognize"

	"github.com/prometheus/client_golang/prometheus"
)

func floats(values ...float32) []byte {
	b := make([]byte, 4*len(values))
	for i, v := range values {
		models.PutFloat32(b[4*i:], v)
	}
	return b
}

func TestPredictions(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	type list = []edgelens.Prediction
	is := func(class int, label string, p float64) edgelens.Prediction {
		return edgelens.Prediction{ClassID: class, Label: label, Probability: p}
	}
	tests := map[string]struct {
		dtype    models.DType
		scale    float64
		zero     int
		logits   bool
		classes  int // 0: as many as raw holds
		raw      []byte
		labels   []string
		topK     int
		minScore float64
		want     list
		wantErr  error
	}{
		"sorted, best first": {
			dtype: models.Uint8, scale: 1.0 / 256, raw: []byte{16, 128, 64, 32}, labels: []string{"a", "b", "c", "d"}, topK: 4,
			want: list{is(1, "b", .5), is(2, "c", .25), is(3, "d", .125), is(0, "a", .0625)},
		},
		"three by default": {
			dtype: models.Uint8, scale: 1.0 / 256, raw: []byte{16, 128, 64, 32}, labels: []string{"a", "b", "c", "d"},
			want: list{is(1, "b", .5), is(2, "c", .25), is(3, "d", .125)},
		},
		"ties by class id": {
			dtype: models.Uint8, scale: 1.0 / 256, raw: []byte{64, 0, 64, 128, 64}, labels: []string{"a", "b", "c", "d", "e"}, topK: 3,
			want: list{is(3, "d", .5), is(0, "a", .25), is(2, "c", .25)},
		},
		"all alike": {
			dtype: models.Uint8, scale: 1.0 / 256, raw: []byte{64, 64, 64, 64}, topK: 2,
			want: list{is(0, "class 0", .25), is(1, "class 1", .25)},
		},
		"alike once rounded": {
			dtype: models.Float32, raw: floats(0, .1000001, .1000002, .5), topK: 3,
			want: list{is(3, "class 3", .5), is(1, "class 1", .1), is(2, "class 2", .1)},
		},
		"alike once limited to 1": {
			dtype: models.Float32, raw: floats(.5, 1.5, 2.5), topK: 2,
			want: list{is(1, "class 1", 1), is(2, "class 2", 1)},
		},
		"below 0 is 0": {
			dtype: models.Float32, raw: floats(-3, .5), topK: 2,
			want: list{is(1, "class 1", .5), is(0, "class 0", 0)},
		},
		"top_k larger than classes": {
			dtype: models.Uint8, scale: 1.0 / 256, raw: []byte{64, 128}, topK: edgelens.MaxTopK,
			want: list{is(1, "class 1", .5), is(0, "class 0", .25)},
		},
		"min_score keeps what reaches it": {
			dtype: models.Uint8, scale: 1.0 / 256, raw: []byte{64, 63, 128}, topK: 3, minScore: .25,
			want: list{is(2, "class 2", .5), is(0, "class 0", .25)},
		},
		"min_score above all": {
			dtype: models.Uint8, scale: 1.0 / 256, raw: []byte{64, 63, 128}, minScore: .9,
			want: list{},
		},
		"missing labels": {
			dtype: models.Uint8, scale: 1.0 / 256, raw: []byte{32, 64, 128}, labels: []string{"a", ""}, topK: 3,
			want: list{is(2, "class 2", .5), is(1, "class 1", .25), is(0, "a", .125)},
		},
		"uint8 with zero point": {
			dtype: models.Uint8, scale: .25, zero: 128, raw: []byte{130, 131, 129}, topK: 3,
			want: list{is(1, "class 1", .75), is(0, "class 0", .5), is(2, "class 2", .25)},
		},
		"int8": {
			dtype: models.Int8, scale: 1.0 / 256, zero: -128, raw: []byte{0x80, 0x00, 0x40}, topK: 3,
			want: list{is(2, "class 2", .75), is(1, "class 1", .5), is(0, "class 0", 0)},
		},
		"float32": {
			dtype: models.Float32, raw: floats(.25, .75), topK: 2,
			want: list{is(1, "class 1", .75), is(0, "class 0", .25)},
		},
		"logits": {
			dtype: models.Float32, logits: true, raw: floats(0, float32(math.Log(3))), topK: 2,
			want: list{is(1, "class 1", .75), is(0, "class 0", .25)},
		},
		"quantized logits": {
			dtype: models.Int8, logits: true, scale: math.Log(3), raw: []byte{0xff, 0x00}, topK: 2,
			want: list{is(1, "class 1", .75), is(0, "class 0", .25)},
		},
		"logits that would overflow": {
			dtype: models.Float32, logits: true, raw: floats(-3e38, 3e38), topK: 2,
			want: list{is(1, "class 1", 1), is(0, "class 0", 0)},
		},
		"NaN":                {dtype: models.Float32, raw: floats(.5, nan), wantErr: edgelens.ErrInference},
		"NaN logit":          {dtype: models.Float32, logits: true, raw: floats(.5, nan), wantErr: edgelens.ErrInference},
		"infinity":           {dtype: models.Float32, raw: floats(inf, .5), wantErr: edgelens.ErrInference},
		"too few bytes":      {dtype: models.Uint8, classes: 3, raw: []byte{1, 2}, wantErr: edgelens.ErrInference},
		"too many bytes":     {dtype: models.Uint8, classes: 3, raw: []byte{1, 2, 3, 4}, wantErr: edgelens.ErrInference},
		"no element type":    {dtype: models.InvalidDType, classes: 3, wantErr: edgelens.ErrInference},
		"no classes, logits": {dtype: models.Float32, logits: true, wantErr: edgelens.ErrInference},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(oneSlot())
			classes := test.classes
			if classes == 0 && test.dtype != models.InvalidDType {
				classes = len(test.raw) / test.dtype.Size()
			}
			spec := newSpec(test.dtype, classes)
			spec.Labels, spec.Output.Scale, spec.Output.ZeroPoint = test.labels, test.scale, test.zero
			if test.logits {
				spec.Activation = models.ActivationLogits
			}
			b.runner.spec, b.runner.raw = spec, test.raw
			req := image("cat")
			req.TopK, req.MinScore = test.topK, test.minScore
			r, err := b.Recognize(t.Context(), req)
			if test.wantErr != nil {
				if edgelens.Code(err) != edgelens.Code(test.wantErr) {
					t.Fatalf("error %v, want one that wraps %q", err, test.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.Predictions, test.want) {
				t.Errorf("predictions %v, want %v", r.Predictions, test.want)
			}
		})
	}
}

func TestLogitsBecomeProbabilities(t *testing.T) {
	const classes = 1001
	logits := make([]float32, classes)
	for i := range logits {
		logits[i] = float32((i*7919)%classes)/100 - 5 // a permutation: no two alike
	}
	b := newBench(oneSlot())
	b.runner.spec, b.runner.raw = newSpec(models.Float32, classes), floats(logits...)
	b.runner.spec.Activation = models.ActivationLogits
	req := image("cat")
	req.TopK = edgelens.MaxTopK
	r := b.must(t, req)
	sum, last := 0.0, math.Inf(1)
	for i, p := range r.Predictions {
		sum += p.Probability
		if i > 0 && p.Probability == r.Predictions[i-1].Probability {
			continue // alike once rounded
		}
		if l := float64(logits[p.ClassID]); l >= last {
			t.Fatalf("class %d with logit %v comes after %v", p.ClassID, l, last)
		}
		last = float64(logits[p.ClassID])
	}
	if math.Abs(sum-1) > 1e-3 {
		t.Errorf("the probabilities add up to %v, want 1", sum)
	}
}

func TestTopKIsAPrefix(t *testing.T) {
	scores := make([]float32, 50)
	for i := range scores {
		scores[i] = float32(i*31%7) * .1 * (1 + float32(i)*1e-9)
	}
	b := newBench(oneSlot())
	b.runner.spec, b.runner.raw = newSpec(models.Float32, len(scores)), floats(scores...)
	req := image("cat")
	req.TopK = len(scores)
	all := b.must(t, req).Predictions
	for k := 1; k < len(scores); k++ {
		req.TopK = k
		if got := b.must(t, req).Predictions; !slices.Equal(got, all[:k]) {
			t.Fatalf("top_k %d gives %v, want the first of %v", k, got, all)
		}
	}
}

func TestResultHasAllFacts(t *testing.T) {
	b := newBench(oneSlot(), 64, 128)
	req := image("cat")
	r := b.must(t, req)
	want := edgelens.ImageInfo{Width: 640, Height: 480, Format: "jpeg", SHA256: fmt.Sprintf("%x", req.SHA256)}
	if r.Image != want {
		t.Errorf("image %+v, want %+v", r.Image, want)
	}
	if r.Model != b.runner.spec.ModelRef || r.RequestID != req.ID || r.Cached {
		t.Errorf("model %v, request id %q, cached %v", r.Model, r.RequestID, r.Cached)
	}
	if r.Timings.Decode == 0 || r.Timings.Preprocess == 0 || r.Timings.Total == 0 {
		t.Errorf("timings %+v leave out a stage", r.Timings)
	}
}

// FuzzPredictions gives the output tensor arbitrary bytes.
func FuzzPredictions(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint8(models.Uint8), 1.0/256, 0, 3, 0.0, false, uint8(0))
	f.Add([]byte{1, 2, 3}, uint8(models.Int8), 1.0/256, -128, 1, .5, true, uint8(0))
	f.Add(floats(1, 2, 3e38, -3e38), uint8(models.Float32), 0.0, 0, 3, 0.0, true, uint8(0))
	f.Add(floats(.1000001, .1000002), uint8(models.Float32), 0.0, 0, 2, 0.0, false, uint8(0))
	f.Add([]byte{}, uint8(models.Float32), 0.0, 0, 3, 0.0, true, uint8(0))
	f.Add(floats(.25), uint8(models.Float32), 0.0, 0, 3, 0.0, true, uint8(0))
	f.Add([]byte{1}, uint8(models.InvalidDType), 0.0, 0, 3, 0.0, true, uint8(9))
	f.Add([]byte{1, 2}, uint8(models.Uint8), math.Inf(1), 1, 3, 0.0, true, uint8(0))
	f.Fuzz(func(t *testing.T, raw []byte, dtype uint8, scale float64, zero, topK int, minScore float64, logits bool, missing uint8) {
		spec := newSpec(models.DType(dtype), 0)
		spec.Output.Shape[1] = len(raw)/max(1, spec.Output.DType.Size()) + int(missing)
		spec.Output.Scale, spec.Output.ZeroPoint = scale, zero
		if logits {
			spec.Activation = models.ActivationLogits
		}
		// A panic would be caught and logged: it counts as one nevertheless.
		log := slog.New(slog.NewTextHandler(failing{t}, nil))
		s := recognize.New(oneSlot(), recognize.Parts{Preprocessor: &preprocessor{}, Runner: &runner{spec: spec, raw: raw}, Cache: &memory{}, Log: log, Metrics: prometheus.NewRegistry()})
		req := image("cat")
		req.TopK, req.MinScore = topK, minScore
		r, err := s.Recognize(t.Context(), req)
		if err != nil {
			if edgelens.Code(err) == "internal" {
				t.Fatalf("%v wraps no sentinel", err)
			}
			if r != nil {
				t.Fatalf("both a result and %v", err)
			}
			return
		}
		checkPredictions(t, r.Predictions, max(2, spec.Output.Elements()), req) // a single sigmoid has two classes
	})
}

// checkPredictions checks the invariants of every result.
func checkPredictions(t *testing.T, list []edgelens.Prediction, classes int, req *edgelens.Request) {
	t.Helper()
	if most := max(req.TopK, edgelens.DefaultTopK); len(list) > most {
		t.Fatalf("%d predictions, asked for %d", len(list), req.TopK)
	}
	for i, p := range list {
		switch {
		case !(p.Probability >= 0 && p.Probability <= 1), p.Probability < req.MinScore:
			t.Fatalf("probability %v, min_score %v", p.Probability, req.MinScore)
		case p.ClassID < 0 || p.ClassID >= classes:
			t.Fatalf("class %d of %d", p.ClassID, classes)
		case p.Label == "":
			t.Fatalf("class %d has no label", p.ClassID)
		}
		if i == 0 {
			continue
		}
		before := list[i-1]
		if before.Probability < p.Probability || (before.Probability == p.Probability && before.ClassID >= p.ClassID) {
			t.Fatalf("not sorted: %v before %v", before, p)
		}
	}
}

// failing is the output of a log that must not be written.
type failing struct{ t *testing.T }

func (f failing) Write(line []byte) (int, error) {
	f.t.Errorf("logged: %s", line)
	return 0, errors.New("logged")
}

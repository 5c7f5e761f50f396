package train_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/learn/head"
	"edgelens/learn/train"
)

var extractor = edgelens.ModelRef{Name: "extractor", Digest: "sha256:ab"}

// examplesOf returns n examples of each label around a random direction of each, with noise of about that length.
func examplesOf(labels []string, n, features int, noise float64) []edgelens.Example {
	random := rand.New(rand.NewPCG(7, 7))
	var all []edgelens.Example
	for l, label := range labels {
		center := make([]float64, features)
		for i := range center {
			center[i] = random.NormFloat64() / math.Sqrt(float64(features))
		}
		for k := range n {
			x := make([]float32, features)
			for i := range x {
				x[i] = float32(center[i] + noise*random.NormFloat64()/math.Sqrt(float64(features)))
			}
			all = append(all, edgelens.Example{
				ID: fmt.Sprintf("%s-%d", label, k), Label: label, SHA256: fmt.Sprintf("%032d%032d", (k*7919+l)%104729, l), Extractor: extractor, Embedding: x,
			})
		}
	}
	return all
}

func options(method string) train.Options {
	return train.Options{Name: "gate", Extractor: extractor, Method: method, Seed: 1, Now: time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)}
}

func TestRunLearns(t *testing.T) {
	for _, method := range []string{head.Imprinting, head.Softmax} {
		t.Run(method, func(t *testing.T) {
			examples := examplesOf([]string{"closed", "open", "ajar"}, 20, 32, 1)
			var steps []int
			total := 0
			h, report, err := train.Run(t.Context(), examples, options(method), func(done, of int) { steps, total = append(steps, done), of })
			if err != nil {
				t.Fatal(err)
			}
			h.Version = 1
			if err := h.Check(); err != nil {
				t.Fatal(err)
			}
			if want := []string{"ajar", "closed", "open"}; !reflect.DeepEqual(h.Labels, want) || h.Examples != 60 || h.Method != method {
				t.Errorf("the head has the labels %v, %d examples and the method %s", h.Labels, h.Examples, h.Method)
			}
			if report.HeldOut != 60 || report.Accuracy < 0.85 || report.Low >= report.Accuracy || report.High < report.Accuracy {
				t.Errorf("%d held out, accuracy %v (%v to %v)", report.HeldOut, report.Accuracy, report.Low, report.High)
			}
			if len(steps) != total || steps[len(steps)-1] != total {
				t.Errorf("the progress is %v of %d", steps, total)
			}
			right := 0
			for _, e := range examples {
				p := h.Probabilities(e.Embedding)
				best := 0
				for c := range p {
					if p[c] > p[best] {
						best = c
					}
				}
				if h.Labels[best] == e.Label {
					right++
				}
			}
			if right < 54 {
				t.Errorf("%d of 60 training examples are right", right)
			}
		})
	}
}

// TestReportAddsUp checks what the report says of itself.
func TestReportAddsUp(t *testing.T) {
	_, report, err := train.Run(t.Context(), examplesOf([]string{"a", "b", "c", "d"}, 12, 8, 2), options(head.Softmax), nil)
	if err != nil {
		t.Fatal(err)
	}
	sum, diagonal := 0, 0
	for i, row := range report.Confusion {
		of := 0
		for j, n := range row {
			of += n
			if i == j {
				diagonal += n
			}
		}
		if of != 12 || report.Labels[i].Count != 12 {
			t.Errorf("%d answers for the %d examples of %s", of, report.Labels[i].Count, report.Labels[i].Label)
		}
		sum += of
	}
	if sum != report.HeldOut || diagonal != report.Right || report.Right == report.HeldOut {
		t.Errorf("the confusion has %d answers, %d right; the report says %d and %d, and these should overlap", sum, diagonal, report.HeldOut, report.Right)
	}
	if report.ThresholdGiven || report.RightBelow > report.Right/20 {
		t.Errorf("%d of %d right answers are below the threshold %v", report.RightBelow, report.Right, report.Threshold)
	}
}

// TestHeldOutScoreIsHonest trains on labels that say nothing: what is held out must be answered no better than by chance.
func TestHeldOutScoreIsHonest(t *testing.T) {
	examples := examplesOf([]string{"all"}, 120, 16, 1)
	for _, method := range []string{head.Imprinting, head.Softmax} {
		random := rand.New(rand.NewPCG(3, 3))
		right, of := 0, 0
		for range 10 {
			for i := range examples {
				examples[i].Label = []string{"a", "b"}[random.IntN(2)]
			}
			_, report, err := train.Run(t.Context(), examples, options(method), nil)
			if err != nil {
				t.Fatal(err)
			}
			right, of = right+report.Right, of+report.HeldOut
		}
		if share := float64(right) / float64(of); share < 0.43 || share > 0.57 { // four standard deviations
			t.Errorf("%s: %d of %d answers to noise are right", method, right, of)
		}
	}
}

func TestCalibrationHelps(t *testing.T) {
	_, report, err := train.Run(t.Context(), examplesOf([]string{"a", "b", "c"}, 60, 16, 2), options(head.Imprinting), nil)
	if err != nil {
		t.Fatal(err)
	}
	// Cosines as they are make probabilities of about a third.
	if report.ErrorBefore < 0.2 || report.ErrorAfter > 0.1 {
		t.Errorf("the calibration error is %v before and %v after", report.ErrorBefore, report.ErrorAfter)
	}
}

func TestSeedDecides(t *testing.T) {
	examples := examplesOf([]string{"a", "b"}, 9, 8, 2)
	run := func(change func(*train.Options), order []edgelens.Example) (*head.Head, *edgelens.TrainingReport) {
		o := options(head.Softmax)
		change(&o)
		h, report, err := train.Run(t.Context(), order, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		report.Took = 0
		return h, report
	}
	reversed := make([]edgelens.Example, len(examples))
	for i, e := range examples {
		reversed[len(examples)-1-i] = e
	}
	h, report := run(func(*train.Options) {}, examples)
	for name, other := range map[string]func(*train.Options){"one worker": func(o *train.Options) { o.Workers = 1 }, "another order": func(*train.Options) {}} {
		again, same := run(other, reversed)
		if !reflect.DeepEqual(h, again) || !reflect.DeepEqual(report, same) {
			t.Errorf("%s: another head: %+v, not %+v", name, same, report)
		}
	}
	differs := false
	for seed := uint64(2); seed < 12; seed++ {
		_, other := run(func(o *train.Options) { o.Seed = seed }, examples)
		differs = differs || !reflect.DeepEqual(report, other)
	}
	if !differs {
		t.Error("no seed changes the folds")
	}
}

func TestGivenThreshold(t *testing.T) {
	o := options(head.Imprinting)
	half := 0.5
	o.Threshold = &half
	h, report, err := train.Run(t.Context(), examplesOf([]string{"a", "b"}, 6, 8, 1), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if h.Threshold != 0.5 || !report.ThresholdGiven {
		t.Errorf("the threshold is %v, given: %v", h.Threshold, report.ThresholdGiven)
	}
}

func TestSameImageCountsOnce(t *testing.T) {
	examples := examplesOf([]string{"a", "b"}, 4, 8, 1)
	h, _, err := train.Run(t.Context(), append(examples, examples[0], examples[5]), options(head.Imprinting), nil)
	if err != nil {
		t.Fatal(err)
	}
	if h.Examples != 8 {
		t.Errorf("%d examples, not 8", h.Examples)
	}
}

func TestRunRefuses(t *testing.T) {
	nan := 2.0
	for name, test := range map[string]struct {
		change func([]edgelens.Example) []edgelens.Example
		option func(*train.Options)
		says   string
	}{
		"no examples":      {func([]edgelens.Example) []edgelens.Example { return nil }, nil, "2 at least"},
		"one label":        {func(e []edgelens.Example) []edgelens.Example { return e[:6] }, nil, "2 at least"},
		"two of a label":   {func(e []edgelens.Example) []edgelens.Example { return e[:8] }, nil, "too few examples, 2"},
		"NaN":              {func(e []edgelens.Example) []edgelens.Example { e[3].Embedding[2] = float32(math.NaN()); return e }, nil, "must be finite"},
		"infinite":         {func(e []edgelens.Example) []edgelens.Example { e[3].Embedding[2] = float32(math.Inf(1)); return e }, nil, "must be finite"},
		"all 0":            {func(e []edgelens.Example) []edgelens.Example { clear(e[3].Embedding); return e }, nil, "not all 0"},
		"other length":     {func(e []edgelens.Example) []edgelens.Example { e[3].Embedding = e[3].Embedding[:5]; return e }, nil, "5 numbers"},
		"empty embedding":  {func(e []edgelens.Example) []edgelens.Example { e[0].Embedding = nil; return e }, nil, "0 numbers"},
		"other extractor":  {func(e []edgelens.Example) []edgelens.Example { e[3].Extractor.Digest = "sha256:cd"; return e }, nil, "one extractor"},
		"reserved label":   {func(e []edgelens.Example) []edgelens.Example { e[3].Label = head.Unknown; return e }, nil, "another word"},
		"empty label":      {func(e []edgelens.Example) []edgelens.Example { e[3].Label = ""; return e }, nil, "0 bytes"},
		"same image":       {func(e []edgelens.Example) []edgelens.Example { e[7].SHA256 = e[0].SHA256; return e }, nil, "both the label"},
		"unknown method":   {nil, func(o *train.Options) { o.Method = "guess" }, "no method"},
		"federated":        {nil, func(o *train.Options) { o.Method = head.Federated }, "no method"},
		"wrong threshold":  {nil, func(o *train.Options) { o.Threshold = &nan }, "threshold"},
		"name of a folder": {nil, func(o *train.Options) { o.Name = "../gate" }, "no name"},
	} {
		examples, o := examplesOf([]string{"a", "b"}, 6, 8, 1), options(head.Softmax)
		if test.change != nil {
			examples = test.change(examples)
		}
		if test.option != nil {
			test.option(&o)
		}
		_, _, err := train.Run(t.Context(), examples, o, nil)
		if !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestContextEndsRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := train.Run(ctx, examplesOf([]string{"a", "b"}, 40, 64, 3), options(head.Softmax), func(int, int) { cancel() })
	if !errors.Is(err, edgelens.ErrCanceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestWilson(t *testing.T) {
	for _, test := range []struct {
		right, n  int
		low, high float64
	}{{0, 10, 0, 0.277533}, {10, 10, 0.722467, 1}, {45, 48, 0.831646, 0.978517}} {
		low, high := train.Wilson(test.right, test.n)
		if math.Abs(low-test.low) > 1e-5 || math.Abs(high-test.high) > 1e-5 {
			t.Errorf("%d of %d: %v to %v, not %v to %v", test.right, test.n, low, high, test.low, test.high)
		}
	}
}

// BenchmarkRun is the size that should take seconds on two cores.
func BenchmarkRun(b *testing.B) {
	for _, classes := range []int{2, 10} {
		labels := make([]string, classes)
		for i := range labels {
			labels[i] = fmt.Sprintf("label %d", i)
		}
		examples := examplesOf(labels, 1000/classes, 1024, 3)
		for _, method := range []string{head.Imprinting, head.Softmax} {
			b.Run(fmt.Sprintf("%s-%d", method, classes), func(b *testing.B) {
				for b.Loop() {
					if _, _, err := train.Run(b.Context(), examples, options(method), nil); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// More weights than a stored head has room for are refused before they are trained.
func TestTooManyWeights(t *testing.T) {
	wide := make([]float32, head.MaxFeatures)
	wide[0] = 1
	var all []edgelens.Example
	for i := range 3 * (head.MaxValues/head.MaxFeatures + 1) {
		all = append(all, edgelens.Example{ID: fmt.Sprint(i), Label: fmt.Sprint(i / 3), Embedding: wide})
	}
	if _, _, err := train.Run(t.Context(), all, train.Options{Name: "gate"}, nil); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), "too many weights") {
		t.Errorf("%v", err)
	}
}

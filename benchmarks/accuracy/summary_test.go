package accuracy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/benchmarks/accuracy"
)

// newRun is a run of a model of eight classes.
func newRun(frames []accuracy.Frame, variants ...string) *accuracy.Run {
	run := &accuracy.Run{ID: "accuracy-x", Started: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC), Ended: time.Date(2024, 5, 1, 13, 0, 0, 0, time.UTC), Version: "v1",
		Command: []string{"edgelens", "bench", "accuracy", "/home/x/photos", "--out=/tmp/y", "--seed=1"}, Labels: labels, Classes: len(labels)}
	run.Frames = frames
	for i, name := range variants {
		run.Variants = append(run.Variants, accuracy.Variant{Name: name, Model: "m", Fit: edgelens.FitCenter, Beside: min(0, i-1)})
	}
	return run
}

// answer is one whose first class has that probability.
func answer(c, image, class int, p float64, answered ...int) accuracy.Answer {
	a := accuracy.Answer{Case: c, Image: fmt.Sprintf("%04d.jpg", image), Class: class, Classes: answered, MS: float32(10 + image)}
	for i := range answered {
		a.Probabilities = append(a.Probabilities, p/float64(i+1))
	}
	return a
}

// summarize writes and reads the records.
func summarize(t *testing.T, run *accuracy.Run, answers ...accuracy.Answer) (*accuracy.Summary, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "made", run.ID)
	run.Images = len(answers)
	w, err := accuracy.Create(dir, run)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Add(answers), w.Close()); err != nil {
		t.Fatal(err)
	}
	s, err := accuracy.Summarize(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6 }

var asIs = []accuracy.Frame{{}}

func TestTopOneAndTopFive(t *testing.T) {
	s, _ := summarize(t, newRun(asIs, "center"),
		answer(0, 1, 3, 0.9, 3, 1, 2, 4, 5), answer(0, 2, 3, 0.8, 1, 3), answer(0, 3, 3, 0.7, 1, 2, 4, 5, 3), answer(0, 4, 3, 0.6, 1, 2, 4, 5, 6),
		answer(0, 4, 3, 0.6, 3), // a second answer about the same image does not count
		accuracy.Answer{Case: 0, Image: "b", Class: 1, Failure: accuracy.FailureAbsent, Reason: "gone"})
	m := s.Frames[0].Variants[0]
	if m.Top1.Right != 1 || m.Top1.N != 4 || m.Top5.Right != 3 || m.MedianMS != 12.5 || m.Paired != nil {
		t.Errorf("%+v, top 5 %+v", m, m.Top5)
	}
	if len(s.Failures) != 1 || s.Images != 5 {
		t.Errorf("failures %+v of %d images", s.Failures, s.Images)
	}
	if c := s.Frames[0].Confusions; len(c) != 1 || c[0].Count != 3 || c[0].Label != "Great White Shark" || c[0].Answered != "tench" {
		t.Errorf("confusions %+v", c)
	}
}

// Only images that both variants have answers about are compared.
func TestPairedComparison(t *testing.T) {
	var answers []accuracy.Answer
	for i := range 20 {
		right, wrong := answer(0, i, 3, 0.5, 3), answer(0, i, 3, 0.5, 1)
		one, other := right, right
		switch {
		case i < 9:
			one = wrong
		case i == 9:
			other = wrong
		case i < 13:
			one, other = wrong, wrong
		}
		other.Case = 1
		answers = append(answers, one, other)
	}
	answers = append(answers, answer(0, 98, 3, 0.5, 3), answer(1, 99, 3, 0.5, 1))
	s, _ := summarize(t, newRun(asIs, "center", "stretch"), answers...)
	p := s.Frames[0].Variants[1].Paired
	if p.N != 20 || p.OnlyBeside != 1 || p.OnlyThis != 9 || !near(p.Points, 40) || !near(p.P, 0.021484375) || !p.Real() || p.Beside != "center" {
		t.Errorf("%+v", p)
	}
	s, _ = summarize(t, newRun(asIs, "center", "stretch"), answer(0, 1, 3, 0.5, 3), answer(1, 1, 3, 0.5, 3))
	if p := s.Frames[0].Variants[1].Paired; p.P != 1 || p.Real() || p.Words() != "not distinguishable" {
		t.Errorf("without a difference: %+v", p)
	}
}

// Three answers around 0.95 of which two are right, one of 0.3 that is right, and one of 0.25 that is not:
// ECE = 3/5 |2/3 - 0.95| + 1/5 |1 - 0.3| + 1/5 |0 - 0.25|.
func TestReliability(t *testing.T) {
	s, _ := summarize(t, newRun(asIs, "center"), answer(0, 1, 3, 0.9, 3), answer(0, 2, 3, 1, 3), answer(0, 3, 3, 0.95, 1), answer(0, 4, 3, 0.3, 3), answer(0, 5, 3, 0.25, 1))
	r := s.Frames[0].Reliability
	if want := 0.6*(0.95-2.0/3) + 0.2*0.7 + 0.2*0.25; !near(r.Error, want) {
		t.Errorf("expected calibration error %v, want %v", r.Error, want)
	}
	for i, want := range map[int][2]int{9: {2, 3}, 3: {1, 1}, 2: {0, 1}, 0: {0, 0}} {
		if b := r.Bins[i]; b.Right != want[0] || b.N != want[1] {
			t.Errorf("from %v to %v: %d of %d, want %v", b.From, b.To, b.Right, b.N, want)
		}
	}
	if b := r.Bins[9]; !near(b.Mean, 0.95) {
		t.Errorf("mean %v", b.Mean)
	}
}

func TestThresholds(t *testing.T) {
	s, _ := summarize(t, newRun(asIs, "center"), answer(0, 1, 3, 0.9, 3), answer(0, 2, 3, 0.5, 3), answer(0, 3, 3, 0.5, 1), answer(0, 4, 3, 0.1, 1))
	for at, want := range map[float64][3]int{0.1: {4, 2, 4}, 0.5: {3, 2, 3}, 0.6: {1, 1, 1}, 0.95: {0, 0, 0}} {
		for _, th := range s.Frames[0].Thresholds {
			if th.At == at && (th.Answered.Right != want[0] || th.Precision.Right != want[1] || th.Precision.N != want[2]) {
				t.Errorf("from %v: %+v, want %v", at, th, want)
			}
		}
	}
}

func TestWantedPrecision(t *testing.T) {
	right := func(i int, p float64) accuracy.Answer { return answer(0, i, 3, p, 3) }
	wrong := func(i int, p float64) accuracy.Answer { return answer(0, i, 3, p, 1) }
	var many []accuracy.Answer
	for i := range 1000 {
		many = append(many, right(i, 0.8))
		if i < 40 {
			many[i] = wrong(i, 0.8)
		}
	}
	for name, tt := range map[string]struct {
		answers  []accuracy.Answer
		wanted   float64
		low, to  float64 // the threshold is over low and at most to
		answered int
		warning  bool
		err      string
	}{
		"in between":              {[]accuracy.Answer{right(1, 0.9), right(2, 0.7), wrong(3, 0.6), wrong(4, 0.2)}, 0.95, 0.6, 0.7, 2, true, ""},
		"ties stay together":      {[]accuracy.Answer{right(1, 0.9), right(2, 0.7), wrong(3, 0.7), wrong(4, 0.2)}, 0.95, 0.7, 0.9, 1, true, ""},
		"all of them":             {[]accuracy.Answer{right(1, 0.9), right(2, 0.7)}, 0.95, -1, 0, 2, true, ""},
		"again below a worse one": {[]accuracy.Answer{wrong(1, 0.9), right(2, 0.8), right(3, 0.7), right(4, 0.6), wrong(5, 0.5), wrong(6, 0.4)}, 0.75, 0.5, 0.6, 4, true, ""},
		"exactly":                 {[]accuracy.Answer{right(1, 0.9), wrong(2, 0.9), wrong(3, 0.3)}, 0.5, 0.3, 0.9, 2, true, ""},
		"close probabilities":     {[]accuracy.Answer{right(1, 0.70001), wrong(2, 0.7)}, 1, 0.7, 0.70001, 1, true, ""},
		"enough images":           {many, 0.95, -1, 0, 1000, false, ""},
		"never":                   {[]accuracy.Answer{wrong(1, 0.9), right(2, 0.8)}, 0.95, 0, 0, 0, false, "the best is 50.0%"},
		"nothing right":           {[]accuracy.Answer{wrong(1, 0.9)}, 0.95, 0, 0, 0, false, "the best is 0.0%"},
		"no share":                {[]accuracy.Answer{right(1, 0.9)}, 1.5, 0, 0, 0, false, "--precision"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := summarize(t, newRun(asIs, "center"), tt.answers...)
			p, err := s.Want(tt.wanted)
			if tt.err != "" {
				if !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !(p.At > tt.low && p.At <= tt.to) || p.Answered.Right != tt.answered || p.Precision.Value < tt.wanted || (p.Warning() != "") != tt.warning {
				t.Errorf("%+v, warning %q", p, p.Warning())
			}
		})
	}
}

func TestHints(t *testing.T) {
	few := []accuracy.Answer{answer(0, 1, 3, 0.9, 3), answer(0, 2, 3, 0.9, 1)}
	s, _ := summarize(t, newRun(asIs, "center"), few...)
	if len(s.Hints) != 1 || !strings.Contains(s.Hints[0], "With 2 images") || !strings.Contains(s.Hints[0], "points wide") {
		t.Errorf("%q", s.Hints)
	}
	var many, shifted []accuracy.Answer
	for i := range 2000 {
		many = append(many, answer(0, i, 3, 0.9, 3))
		shifted = append(shifted, answer(0, i, 3, 0.9, 4))
	}
	if s, _ = summarize(t, newRun(asIs, "center"), many...); len(s.Hints) != 0 {
		t.Errorf("with many images: %q", s.Hints)
	}
	if s, _ = summarize(t, newRun(asIs, "center"), shifted...); len(s.Hints) != 1 || !strings.Contains(s.Hints[0], "background") {
		t.Errorf("with classes that count from another: %q", s.Hints)
	}
}

func TestReport(t *testing.T) {
	run := newRun([]accuracy.Frame{{}, {Width: 16, Height: 9}}, "center", "stretch")
	run.Notes = []string{"A note."}
	for i := range 7 {
		run.Unmatched = append(run.Unmatched, accuracy.Unmatched{File: fmt.Sprintf("dog/%d.jpg", i), Class: "dog", Reason: "no class of the model has this name"})
	}
	var answers []accuracy.Answer
	for i := range 30 {
		for c := range 4 {
			answers = append(answers, answer(c, i, 3, 0.9, []int{3, 1, 3, 3}[(i+c)%4], 3))
		}
	}
	answers = append(answers, accuracy.Answer{Case: 0, Image: "torn.jpg", Class: 1, Failure: accuracy.FailureNotImage, Reason: "no <image>"})
	s, dir := summarize(t, run, answers...)
	if err := s.Write(dir); err != nil {
		t.Fatal(err)
	}
	markdown, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := s.Text(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"A note.", "7 images without a class of the model, not measured: dog/0.jpg (dog: no class of the model has this name)", "and 2 more, in report.json",
		"1 file not an image that can be decoded, counted apart: torn.jpg.", "With 30 images", "16:9", "stretch", "right alone", "expected calibration error", "terminal.min_score", "accuracy photos --seed=1"} {
		if !strings.Contains(text.String(), want) || !strings.Contains(string(markdown), want) {
			t.Errorf("%q is missing in\n%s\n%s", want, &text, markdown)
		}
	}
	for _, plot := range []string{"top1-as-is", "top1-16x9", "reliability", "thresholds"} {
		if !strings.Contains(string(markdown), plot+".svg") {
			t.Errorf("%s is not in the report", plot)
		}
		for _, suffix := range []string{".svg", ".png"} {
			if data, err := os.ReadFile(filepath.Join(dir, plot+suffix)); err != nil || len(data) == 0 {
				t.Errorf("%s%s: %v", plot, suffix, err)
			}
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Run      struct{ Unmatched []accuracy.Unmatched }
		Failures []accuracy.Failure
		Frames   []struct{ Variants []accuracy.Measure }
	}
	if err := json.Unmarshal(data, &all); err != nil || len(all.Run.Unmatched) != 7 || len(all.Failures) != 1 || all.Frames[1].Variants[1].Paired.N != 30 {
		t.Errorf("%v, %+v", err, all)
	}
}

// A name cannot change a terminal or the form of a report.
func TestNamesOfOthersInReport(t *testing.T) {
	run := newRun(asIs, "center")
	run.Unmatched = []accuracy.Unmatched{{File: "a\x1b[31m\nb.jpg", Class: "\x1b]0;x\a", Reason: "none"}}
	s, _ := summarize(t, run, answer(0, 1, 3, 0.9, 3), accuracy.Answer{Image: "c\x1b[2J\nd.jpg", Class: 1, Failure: accuracy.FailureAbsent})
	var text bytes.Buffer
	if err := s.Text(&text); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(text.String(), "\x1b\a") || !strings.Contains(text.String(), "c [2J d.jpg") || !strings.Contains(text.String(), "a [31m b.jpg") {
		t.Errorf("%q", &text)
	}
}

// A model with few classes has all of them among the first five.
func TestFewClassesHaveNoTopFive(t *testing.T) {
	run := newRun(asIs, "center")
	run.Classes, run.Labels = 3, nil
	s, _ := summarize(t, run, answer(0, 1, 2, 0.9, 2, 1, 0))
	var text bytes.Buffer
	if err := s.Text(&text); err != nil || strings.Contains(text.String(), "top-5") {
		t.Errorf("%v\n%s", err, &text)
	}
}

func TestNothingMeasured(t *testing.T) {
	failed := accuracy.Answer{Case: 0, Image: "a.jpg", Class: 1, Failure: accuracy.FailureAbsent, Reason: "there is no such file"}
	s, _ := summarize(t, newRun(asIs, "center"), failed)
	if err := s.Measured(); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), "a.jpg: absent") {
		t.Errorf("%v", err)
	}
	if s, _ = summarize(t, newRun(asIs, "center")); s.Measured() == nil {
		t.Error("without records: no error")
	}
}

func TestRequirements(t *testing.T) {
	var answers []accuracy.Answer
	for i := range 100 {
		one, other := answer(0, i, 3, 0.9, 3), answer(1, i, 3, 0.9, 3)
		if i < 10 {
			other = answer(1, i, 3, 0.9, 1)
		}
		answers = append(answers, one, other)
	}
	s, _ := summarize(t, newRun(asIs, "center", "stretch"), answers...)
	for text, want := range map[string]bool{
		"as-is, center, stretch, 10": true, "as-is, center, stretch, 10.1": false, "as-is,stretch,center,-10": true, "as-is,stretch,center,0": false,
		"as-is, stretch, center, +-10": true, "as-is, stretch, center, +-9.9": false,
	} {
		r, err := accuracy.ParseRequirement(text)
		if err == nil {
			err = r.Known(s.Run.Parameters)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Require(r); got.Met != want {
			t.Errorf("%s: %+v", text, got)
		}
	}
	for _, text := range []string{"", "center > stretch", "as-is, center, stretch", "as-is, center, stretch, many", "as-is,,stretch,1", "9:16, center, stretch, 1", "as-is, center, stretch, +--1", "as-is, a, b, c, 1", "as-is, a, b, NaN"} {
		if _, err := accuracy.ParseRequirement(text); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"16:9, center, stretch, 1", "as-is, center, pad, 1", "as-is, swep, center, 1"} {
		r, err := accuracy.ParseRequirement(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Known(s.Run.Parameters); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), "--require") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAnswersAreReadInOrder(t *testing.T) {
	want := []accuracy.Answer{answer(0, 2, 3, 0.8, 3, 1), answer(0, 1, 4, 0.5, 2)}
	_, dir := summarize(t, newRun(asIs, "center"), want...)
	if got, err := accuracy.ReadAnswers(dir); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if _, err := accuracy.ReadAnswers(t.TempDir()); err == nil {
		t.Error("a folder without records is no error")
	}
}

package runner

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"edgelens/benchmarks/suite"
	"edgelens/benchmarks/tune"
	"edgelens/inference"
	"edgelens/inference/runtimes"
	"edgelens/internal/tuned"
	"edgelens/models"
)

func TestServiceCandidatesFitOnTheCores(t *testing.T) {
	way := tuned.Settings{Runtime: "litert", Delegate: "auto", Requantize: true}
	for cores, want := range map[int]int{1: 1, 2: 3, 4: 6, 6: 9} {
		got := serviceCandidates(way, cores)
		if len(got) != want {
			t.Errorf("%d cores: %d candidates, want %d: %+v", cores, len(got), want, got)
		}
		both := way
		both.Accelerators = "gpu"
		if with := serviceCandidates(both, cores); len(with) != 2*want {
			t.Errorf("%d cores with a GPU: %d candidates, want each with it and without: %+v", cores, len(with), with)
		}
		all := way
		all.Threads, all.Interpreters = cores, 1
		if !slices.Contains(got, all) {
			t.Errorf("%d cores: one interpreter on all of them is missing", cores)
		}
	}
}

func TestTunedSettingsReplaceThoseOfTheService(t *testing.T) {
	c := TuneConfig{Service: Service{Flags: []string{"--inference-threads=9", "--model=m", "--inference-delegate=none", "--inference-interpreters=9",
		"--inference-runtime=litert", "--inference-requantize=true", "--inference-probe=false"}}}
	for range 2 { // the flags of the service stay
		got := c.flagsFor(tuned.Settings{Runtime: "auto", Delegate: "auto", Threads: 2, Interpreters: 3})
		want := []string{"--model=m", "--inference-probe=false", "--inference-runtime=auto", "--inference-delegate=auto", "--inference-threads=2", "--inference-interpreters=3", "--inference-requantize=false", "--inference-accelerators="}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// LiteRT is a candidate where it is installed, and the only one where the manifest asks for it.
func TestModelCandidates(t *testing.T) {
	set := runtimes.New(runtimes.Config{})
	_, missing := set.LiteRT()
	variants := []suite.ModelSetting{{Variant: suite.VariantFloat32, Delegate: "auto", Threads: 1, Interpreters: 1}}
	of := func(manifest string) (names []string) {
		for _, s := range modelCandidates(set, models.Model{Runtime: manifest}, variants) {
			if s.Variant != "" && s.Delegate != "auto" || s.Threads != 1 {
				t.Errorf("%+v", s)
			}
			names = append(names, s.Runtime)
		}
		return slices.Compact(names)
	}
	want := []string{inference.RuntimeTFLite}
	if missing == nil { // the first is on the GPU
		want = []string{inference.RuntimeLiteRT, inference.RuntimeTFLite, inference.RuntimeLiteRT}
	}
	if got := of(""); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := of(inference.RuntimeLiteRT); !slices.Equal(got, []string{inference.RuntimeLiteRT}) {
		t.Errorf("by the manifest: %q", got)
	}
}

func TestGrossDisagreement(t *testing.T) {
	reference := [][]float32{{0.9, 0.05, 0.05}, {0.1, 0.8, 0.1}, {0.2, 0.2, 0.6}, {0.7, 0.2, 0.1}}
	for name, c := range map[string]struct {
		other [][]float32
		want  string // in the error; "" for none
	}{
		"the same":              {reference, ""},
		"a little different":    {[][]float32{{0.85, 0.1, 0.05}, {0.15, 0.75, 0.1}, {0.2, 0.25, 0.55}, {0.6, 0.25, 0.15}}, ""},
		"other classes":         {[][]float32{{0.05, 0.9, 0.05}, {0.8, 0.1, 0.1}, {0.6, 0.2, 0.2}, {0.1, 0.2, 0.7}}, "disagree: 0%"},
		"all scores equal":      {[][]float32{{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}}, "disagree"},
		"an answer is missing":  {reference[:3], "3 of 4 images"},
		"the classes are fewer": {[][]float32{{1}, {1}, {1}, {1}}, "1 scores"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := compareScores(t.Context(), reference, c.other)
			if err == nil {
				err = a.check()
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%+v, %v, want %q", a, err, c.want)
			}
		})
	}
	if a, err := compareScores(t.Context(), reference, reference); err != nil || math.Abs(a.Correlation-1) > 1e-9 || a.Top1() != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}

// The fastest is not chosen where its answers disagree, it cannot be set, or its variant was refused.
func TestBestOfTheModelMayBeChosen(t *testing.T) {
	fast := tune.Tried[suite.ModelSetting]{Candidate: suite.ModelSetting{Runtime: "litert", Delegate: "auto"}, Err: errors.New("its answers disagree")}
	float := tune.Tried[suite.ModelSetting]{Candidate: suite.ModelSetting{Runtime: "tflite", Delegate: "auto", Variant: suite.VariantFloat32}}
	int8 := tune.Tried[suite.ModelSetting]{Candidate: suite.ModelSetting{Runtime: "tflite", Delegate: "auto", Variant: suite.VariantInt8}}
	plain := tune.Tried[suite.ModelSetting]{Candidate: suite.ModelSetting{Runtime: "tflite", Delegate: "none"}}
	all := []tune.Tried[suite.ModelSetting]{fast, float, int8, plain}
	m := &modelTuning{refused: map[string]error{}}
	if got, err := m.best(all); err != nil || got != (tuned.Settings{Runtime: "auto", Delegate: "auto", Requantize: true}) {
		t.Errorf("%+v, %v", got, err)
	}
	// The graphics processor is used, too, where it is faster.
	int8.Values = []float64{-4}
	for ms, want := range map[float64]string{3: "gpu", 5: ""} {
		gpu := tune.Tried[suite.ModelSetting]{Candidate: suite.ModelSetting{Runtime: "litert", Accelerator: "gpu"}, Values: []float64{-ms}}
		if got, err := m.best([]tune.Tried[suite.ModelSetting]{gpu, int8}); err != nil || got.Accelerators != want || !got.Requantize {
			t.Errorf("a GPU of %v ms beside 4: %+v, %v", ms, got, err)
		}
	}
	m.refused[suite.VariantInt8] = errors.New("other results")
	if got, err := m.best(all); err != nil || got != (tuned.Settings{Runtime: "auto", Delegate: "none"}) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := m.best(all[:3]); err == nil || !strings.Contains(err.Error(), "disagree") {
		t.Errorf("none may be chosen: %v", err)
	}
}

// The first measurement of a candidate compares its answers; one that answers otherwise is an error each time, as is one
// whose process ends.
func TestMeasureModelComparesAnswers(t *testing.T) {
	child := func(scores string) []string {
		return []string{"sh", "-c", `cat >/dev/null; echo '{"runtime":"tflite","version":"2","delegate":"xnnpack","inferences":[{"begin":"2026-01-01T00:00:00Z","end":"2026-01-01T00:00:00.004Z"}],"scores":` + scores + `}'`}
	}
	reference := [][]float32{{0.9, 0.1, 0}, {0, 0.9, 0.1}}
	for name, c := range map[string]struct {
		child []string
		want  string // in the error; "" for none
	}{
		"agrees":    {child("[[0.8,0.1,0.1],[0.1,0.8,0.1]]"), ""},
		"lies":      {child("[[0,0.1,0.9],[0.9,0.1,0]]"), "disagree"},
		"no scores": {child("[]"), "0 of 2 images"},
		"crashes":   {[]string{"sh", "-c", "echo its words >&2; kill -SEGV $$"}, "its words"},
	} {
		t.Run(name, func(t *testing.T) {
			m := &modelTuning{child: c.child, inputs: "inputs", reference: reference, agreements: map[suite.ModelSetting]agreement{}, ran: map[suite.ModelSetting]*suite.ModelTimes{}}
			for range 2 {
				score, err := m.measure(t.Context(), suite.ModelSetting{Runtime: "tflite", Delegate: "auto"})
				if c.want == "" && (err != nil || math.Abs(score+4) > 0.01) {
					t.Errorf("%v, %v, want -4 ms", score, err)
				}
				if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("%v, want %q", err, c.want)
				}
				if name == "no scores" {
					break
				}
			}
		})
	}
}

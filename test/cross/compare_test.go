package cross

import (
	"math"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	cat, dog := prediction{ClassID: 1, Label: "cat", Probability: 0.75}, prediction{ClassID: 2, Label: "dog", Probability: 0.25}
	less := prediction{ClassID: 1, Label: "cat", Probability: 0.625}
	rival := prediction{ClassID: 1, Label: "cat", Probability: 0.25}
	refused := answer{File: "a", Error: "check jpeg: it is cut off", Code: "bad_image"}
	tests := map[string]struct {
		native, cross answer
		tolerance     float64
		want          verdict
	}{
		"the same": {
			answer{File: "a", Predictions: []prediction{cat, dog}},
			answer{File: "a", Predictions: []prediction{cat, dog}, TotalMS: 7},
			0, verdict{},
		},
		"a little less sure": {
			answer{File: "a", Predictions: []prediction{cat, dog}},
			answer{File: "a", Predictions: []prediction{less, dog}},
			0, verdict{Difference: 0.125},
		},
		"a class left out": {
			answer{File: "a", Predictions: []prediction{cat, dog}},
			answer{File: "a", Predictions: []prediction{cat}},
			0, verdict{Difference: 0.25},
		},
		"another on top": {
			answer{File: "a", Predictions: []prediction{cat, dog}},
			answer{File: "a", Predictions: []prediction{dog, cat}},
			0, verdict{Problem: "on top differ"},
		},
		"another on top, a close call to one only": {
			answer{File: "a", Predictions: []prediction{cat, dog}},
			answer{File: "a", Predictions: []prediction{dog, rival}},
			0.1, verdict{Problem: "0.500000 apart", Difference: 0.5},
		},
		"a close call": {
			answer{File: "a", Predictions: []prediction{rival, dog}},
			answer{File: "a", Predictions: []prediction{dog, rival}},
			0.1, verdict{CloseCall: true},
		},
		"a close call where none is allowed": {
			answer{File: "a", Predictions: []prediction{rival, dog}},
			answer{File: "a", Predictions: []prediction{dog, rival}},
			0, verdict{Problem: "on top differ"},
		},
		"both refuse":       {refused, refused, 0, verdict{Refused: true}},
		"one refuses":       {refused, answer{File: "a", Predictions: []prediction{cat}}, 0, verdict{Problem: "errors differ"}},
		"for other reasons": {refused, answer{File: "a", Error: "no room", Code: "overloaded"}, 0, verdict{Problem: "errors differ"}},
		"other images": {
			answer{File: "a", Predictions: []prediction{cat}},
			answer{File: "b", Predictions: []prediction{cat}},
			0, verdict{Problem: "different images"},
		},
		"nothing seen": {answer{File: "a"}, answer{File: "a"}, 0, verdict{Problem: "no predictions"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := compare(test.native, test.cross, test.tolerance)
			if got.Refused != test.want.Refused || got.CloseCall != test.want.CloseCall || math.Abs(got.Difference-test.want.Difference) > 1e-9 ||
				(got.Problem == "") != (test.want.Problem == "") || !strings.Contains(got.Problem, test.want.Problem) {
				t.Errorf("compare gives %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestRecognizeRequiresEveryResult(t *testing.T) {
	tests := map[string]struct {
		script string // run by sh, the images are a and b
		fails  bool
	}{
		"all answered":             {`for f; do echo "{\"file\":\"$f\"}"; done`, false},
		"one refused":              {`for f; do echo "{\"file\":\"$f\"}"; done; exit 1`, false},
		"ends early":               {`echo "{\"file\":\"$1\"}"`, true},
		"dies in a line":           {`printf '{"file":"a"}\n{"fi'; kill -9 $$`, true},
		"does not start to answer": {`echo "no such model" >&2; exit 1`, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var files []string
			err := recognize([]string{"sh", "-c", test.script, "sh"}, []string{"a", "b"}, func(a answer) { files = append(files, a.File) })
			if (err != nil) != test.fails {
				t.Errorf("error %v, want one: %v (answers about %v)", err, test.fails, files)
			}
			if !test.fails && strings.Join(files, " ") != "a b" {
				t.Errorf("answers about %v, want a and b", files)
			}
		})
	}
}

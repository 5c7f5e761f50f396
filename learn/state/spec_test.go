package state

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"edgelens"
)

func TestParseSpecs(t *testing.T) {
	got, err := ParseSpecs(` gate device=cam1 model=gate region=0.1,0.2,0.4,0.5 fit=pad ; bin model="my bin" threshold=0.9 count=5 every=10s stale_after=2h on=out class=problem;;`)
	want := []Spec{
		{Name: "gate", Device: "cam1", Model: "gate", View: edgelens.View{Fit: edgelens.FitPad, Region: edgelens.Region{X: 0.1, Y: 0.2, Width: 0.4, Height: 0.5}}, Threshold: 0.8, Count: 3, StaleAfter: time.Hour},
		{Name: "bin", Model: "my bin", Threshold: 0.9, Count: 5, Every: 10 * time.Second, StaleAfter: 2 * time.Hour, On: "out", Class: "problem"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := ParseSpecs(" ; "); err != nil || len(got) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestSpecErrors(t *testing.T) {
	for text, want := range map[string]string{
		"gate":                                "needs a model",
		"model=gate":                          "begins with its name",
		"ga/te model=a":                       "the name must have",
		"gate model=a count=0":                "count must be 1 to 20",
		"gate model=a count=x":                `count="x" cannot be read`,
		"gate model=a threshold=NaN":          "threshold must be",
		"gate model=a threshold=0":            "threshold must be",
		"gate model=a region=0,0,2,1":         "inside of the image",
		"gate model=a fit=crop":               "fit must be",
		"gate model=a every=-1s":              "every must be",
		"gate model=a every=2h":               "stale_after must be longer than every",
		"gate model=a stale_after=1ms":        "stale_after must be",
		"gate model=a class=door":             "class needs on",
		"gate model=a on=open class=Door!":    "device class",
		"gate model=a colour=red":             `there is no key "colour"`,
		"gate model=a model=b":                "given twice",
		"gate model=a open":                   "has no value",
		"gate model=a; gate model=b":          "two states have the name",
		`gate model="a`:                       "is not closed",
		strings.Repeat("x", 65) + " model=a":  "the name must have",
		strings.Repeat("gate model=a;", 9999): "bytes; at most",
	} {
		if got, err := ParseSpecs(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %+v, %v, want %q", text, got, err, want)
		}
	}
}

// Whatever is written, a spec that is accepted can be used, and none is there twice.
func FuzzParseSpecs(f *testing.F) {
	f.Add(`gate device=cam1 model=gate region=0.1,0.2,0.4,0.5; bin model="a b" on=out class=problem`)
	f.Add(`a model="\x00" every=1s`)
	f.Fuzz(func(t *testing.T, text string) {
		specs, err := ParseSpecs(text)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, spec := range specs {
			if err := spec.Validate(); err != nil || seen[spec.Name] {
				t.Errorf("%+v: %v, twice: %v", spec, err, seen[spec.Name])
			}
			seen[spec.Name] = true
		}
	})
}

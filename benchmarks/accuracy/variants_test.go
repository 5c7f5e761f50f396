package accuracy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"edgelens"
	"edgelens/benchmarks/accuracy"
)

// describe returns "NAME beside NAME" of each variant.
func describe(variants []accuracy.Variant) []string {
	var all []string
	for _, v := range variants {
		if v.Beside < 0 {
			all = append(all, v.Name)
		} else {
			all = append(all, fmt.Sprint(v.Name, " beside ", variants[v.Beside].Name))
		}
	}
	return all
}

func TestVariants(t *testing.T) {
	c := accuracy.Choices{Fits: []edgelens.Fit{"center", "stretch"}, Models: []string{"a", "b"}, Requantize: []bool{false, true}, Delegates: []string{"auto", "none"}, ReduceJPEG: []float64{0, 1.5}}
	variants := c.Variants()
	want := []string{"center", "stretch beside center", "requantized beside center", "delegate none beside center", "reduce_jpeg 1.5 beside center",
		"b center beside center", "b stretch beside b center", "b requantized beside b center", "b delegate none beside b center", "b reduce_jpeg 1.5 beside b center"}
	if got := describe(variants); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	// a is no legacy uint8 model; b is one, which no delegate runs.
	for i := range variants {
		v := &variants[i]
		v.Digest, v.Runtime = v.Model, "xnnpack"
		if v.Delegate == "none" || v.Model == "b" && !v.Requantize {
			v.Runtime = "none"
		}
		if v.Model == "b" && v.Requantize {
			v.Digest = "b as int8"
		}
	}
	kept, notes := accuracy.Distinct(variants)
	want = slices.DeleteFunc(want, func(text string) bool {
		return strings.HasPrefix(text, "requantized") || strings.HasPrefix(text, "b delegate none")
	})
	if got := describe(kept); !slices.Equal(got, want) || len(notes) != 2 || !strings.Contains(notes[0], "requantized is not measured") {
		t.Errorf("got  %q\nwant %q\n%q", got, want, notes)
	}
}

func TestTargetHasNoSettings(t *testing.T) {
	own := accuracy.Choices{Requantize: []bool{true}, Delegates: []string{"auto"}, ReduceJPEG: []float64{0}}
	if err := own.CheckTarget(own); err != nil {
		t.Error(err)
	}
	other := own
	other.Delegates, other.ReduceJPEG = []string{"auto", "none"}, []float64{1}
	if err := other.CheckTarget(own); err == nil || !strings.Contains(err.Error(), "--delegate, --reduce-jpeg cannot be varied") {
		t.Errorf("%v", err)
	}
}

package kernelcheck

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"edgelens"
)

// peaks returns scores with a high one for each of the classes given, one an image.
func peaks(classes int, high, low float32, first ...int) scores {
	var list scores
	for _, c := range first {
		row := make([]float32, classes)
		for k := range row {
			row[k] = low
		}
		row[c] = high
		list = append(list, row)
	}
	return list
}

// noisy returns scores that differ by up to the amount.
func noisy(s scores, amount float32) scores {
	random := rand.New(rand.NewPCG(1, 1))
	return each(s, func(row []float32) {
		for k := range row {
			row[k] += amount * (2*random.Float32() - 1)
		}
	})
}

// each returns a copy of scores with a change to each image's.
func each(s scores, change func(row []float32)) scores {
	var list scores
	for _, row := range s {
		row = append([]float32(nil), row...)
		change(row)
		list = append(list, row)
	}
	return list
}

func constant(value float32) func([]float32) {
	return func(row []float32) {
		for k := range row {
			row[k] = value
		}
	}
}

func TestCompare(t *testing.T) {
	nan := float32(math.NaN())
	ten := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	many := peaks(1001, 0.8, 0.0002, ten...)
	logits := peaks(100, 12, -3, ten...)
	two := peaks(2, 0.9, 0.1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1)
	single := scores{{0.1}, {0.9}, {0.2}, {0.8}, {0.4}, {0.6}, {0.3}, {0.7}, {0.5}, {0.9}}
	level := peaks(50, 0.03, 0.02, ten...) // no class is clear, but they vary
	same := peaks(10, 0.9, 0.01, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4)
	flat := peaks(10, 0.1, 0.1, ten...)
	shift := func(row []float32) { row[0], row[1], row[2] = row[2], row[0], row[1] }
	swap := func(row []float32) { row[0], row[1] = row[1], row[0] }
	for name, c := range map[string]struct {
		want, got scores
		step      float64
		result    edgelens.CheckResult
		clear     int
		reason    string
	}{
		"healthy":                          {many, noisy(many, 0.01), 1. / 256, edgelens.CheckPassed, 10, ""},
		"healthy logits":                   {logits, noisy(logits, 1), 0, edgelens.CheckPassed, 10, ""},
		"healthy, two classes":             {two, noisy(two, 0.1), 1. / 256, edgelens.CheckPassed, 10, ""},
		"healthy, one score":               {single, noisy(single, 0.05), 1. / 256, edgelens.CheckPassed, 0, ""},
		"healthy, no class is clear":       {level, noisy(level, 0.001), 0, edgelens.CheckPassed, 0, ""},
		"one of ten classes differs":       {many, append(peaks(1001, 0.8, 0.0002, 900), many[1:]...), 1. / 256, edgelens.CheckPassed, 10, ""},
		"other classes":                    {many, each(many, func(row []float32) { copy(row[1:], append([]float32(nil), row...)) }), 1. / 256, edgelens.CheckFailed, 10, "9 of 10 images"},
		"all zero":                         {many, each(many, constant(0)), 1. / 256, edgelens.CheckFailed, 10, "another class first"},
		"saturated":                        {many, each(many, constant(1)), 1. / 256, edgelens.CheckFailed, 10, "another class first"},
		"no numbers":                       {many, each(many, constant(nan)), 0, edgelens.CheckFailed, 10, "no numbers"},
		"one is no number":                 {many, each(many, func(row []float32) { row[500] = nan }), 0, edgelens.CheckFailed, 10, "no numbers"},
		"infinite":                         {many, each(many, func(row []float32) { row[500] = float32(math.Inf(-1)) }), 0, edgelens.CheckFailed, 10, "no numbers"},
		"logits of other classes":          {logits, each(logits, shift), 0, edgelens.CheckFailed, 10, "3 of 10"},
		"two classes exchanged":            {two, each(two, swap), 1. / 256, edgelens.CheckFailed, 10, "10 of 10"},
		"two classes, always one":          {two, each(two, func(row []float32) { row[0], row[1] = 0.9, 0.1 }), 1. / 256, edgelens.CheckFailed, 10, "5 of 10"},
		"one score, constant":              {single, each(single, constant(0.5)), 1. / 256, edgelens.CheckFailed, 0, "correlation of 0.00"},
		"one score, reversed":              {single, each(single, func(row []float32) { row[0] = 1 - row[0] }), 1. / 256, edgelens.CheckFailed, 0, "correlation of -1.00"},
		"no class is clear, all the same":  {level, each(level, constant(0.02)), 0, edgelens.CheckFailed, 0, "correlation of 0.00"},
		"the right class, the rest wrong":  {many, each(many, func(row []float32) { tail(row) }), 1. / 256, edgelens.CheckFailed, 10, "correlation"},
		"the reference is the same always": {same, same, 1. / 256, edgelens.CheckUnknown, 10, "nearly the same scores"},
		"the same always, and wrong":       {same, each(same, constant(0)), 1. / 256, edgelens.CheckFailed, 10, "10 of 10"},
		"the reference is flat":            {flat, flat, 1. / 256, edgelens.CheckUnknown, 0, "nearly the same scores"},
		"the reference is no number":       {each(many, constant(nan)), many, 0, edgelens.CheckUnknown, 0, "no numbers"},
		"within two steps":                 {peaks(10, 0.104, 0.1, ten...), peaks(10, 0.1, 0.104, ten...), 1. / 256, edgelens.CheckUnknown, 0, "nearly the same scores"},
	} {
		t.Run(name, func(t *testing.T) {
			figures, result, reason := compare(c.want, c.got, c.step)
			if result != c.result || figures.ClearImages != c.clear || figures.Images != 10 || !strings.Contains(reason, c.reason) || (reason == "") != (result == edgelens.CheckPassed) {
				t.Errorf("%s (%q), %+v", result, reason, figures)
			}
		})
	}
}

// tail makes all scores but the highest those of other classes, and high.
func tail(row []float32) {
	first, _ := firstOf(row)
	for k := range row {
		if k != first {
			row[k] = 0.5 * float32((k*7919+first*104729)%1000) / 1000
		}
	}
}

// Feature vectors have no first class: another number on top is no error while they are alike.
func TestCompareFeatures(t *testing.T) {
	want := scores{{6, 5.9, 0, 0}, {0, 6, 5.9, 0}, {0, 0, 6, 5.9}, {5.9, 0, 0, 6}}
	alike := scores{{5.9, 6, 0, 0}, {0, 5.9, 6, 0}, {0, 0, 5.9, 6}, {6, 0, 0, 5.9}}
	others := scores{{0, 0, 6, 6}, {6, 0, 0, 6}, {6, 6, 0, 0}, {0, 6, 6, 0}}
	same := scores{{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}}
	nan := scores{{float32(math.NaN()), 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}}
	for name, c := range map[string]struct {
		want, got scores
		result    edgelens.CheckResult
	}{
		"the same":                  {want, want, edgelens.CheckPassed},
		"alike":                     {want, alike, edgelens.CheckPassed},
		"others":                    {want, others, edgelens.CheckFailed},
		"no numbers":                {want, nan, edgelens.CheckFailed},
		"the same for every image":  {same, same, edgelens.CheckUnknown},
		"a reference of no numbers": {nan, want, edgelens.CheckUnknown},
	} {
		if figures, result, reason := compareFeatures(c.want, c.got, 0.02); result != c.result || figures.ClearImages != 0 || (reason == "") != (result == edgelens.CheckPassed) {
			t.Errorf("%s: %+v, %s, %q", name, figures, result, reason)
		}
	}
}

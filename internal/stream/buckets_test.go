package stream_test

import (
	"slices"
	"testing"
	"time"

	"edgelens/internal/stream"
)

func TestBuckets(t *testing.T) {
	const width = time.Minute
	type value struct {
		at    time.Duration
		value float64
	}
	for name, test := range map[string]struct {
		values []value
		want   []float64
	}{
		"nothing":             {nil, nil},
		"one being filled":    {[]value{{0, 1}, {width - 1, 3}}, nil},
		"means":               {[]value{{0, 1}, {1, 3}, {width, 5}, {2 * width, 9}}, []float64{2, 5}},
		"a bridged one":       {[]value{{0, 2}, {2 * width, 4}, {3 * width, 0}}, []float64{2, 3, 4}},
		"a long gap":          {[]value{{0, 2}, {width, 3}, {6 * width, 4}, {7 * width, 0}}, []float64{4}},
		"the longest bridged": {[]value{{0, 0}, {4 * width, 4}, {5 * width, 0}}, []float64{0, 1, 2, 3, 4}},
		"at most five":        {[]value{{0, 0}, {width, 1}, {2 * width, 2}, {3 * width, 3}, {4 * width, 4}, {5 * width, 5}, {6 * width, 6}}, []float64{1, 2, 3, 4, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			b := stream.NewBuckets(width, 5)
			for _, v := range test.values {
				b.Add(v.at, v.value)
			}
			if got := b.Means(); !slices.Equal(got, test.want) {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

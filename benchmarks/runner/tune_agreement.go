package runner

import (
	"context"
	"fmt"
	"math"

	"edgelens/models/rewrite"
)

// agreement is how similar the answers of a candidate are to those of the reference.
type agreement struct {
	rewrite.Agreement
	// Correlation is Pearson's, of all scores of all images.
	Correlation float64
}

// The limits below which answers disagree grossly: healthy kernels differ, too (docs/adr/0033-tune.md).
const (
	minSameOrClose = 0.75
	minCorrelation = 0.8
)

// check returns an error where the answers disagree grossly.
func (a agreement) check() error {
	if a.SameOrClose() >= minSameOrClose && a.Correlation >= minCorrelation {
		return nil
	}
	return fmt.Errorf("its answers disagree: %.0f%% of the first classes are the same or close, the correlation of the scores is %.2f", 100*a.SameOrClose(), a.Correlation)
}

// compareScores compares the scores of each image.
func compareScores(ctx context.Context, reference, other [][]float32) (agreement, error) {
	if len(reference) != len(other) || len(reference) == 0 {
		return agreement{}, fmt.Errorf("it answered %d of %d images", len(other), len(reference))
	}
	next := func(all [][]float32) rewrite.Scores {
		return func([]byte) ([]float32, error) {
			first := all[0]
			all = all[1:]
			return first, nil
		}
	}
	a, err := rewrite.Compare(ctx, make([][]byte, len(reference)), next(reference), next(other))
	if err != nil {
		return agreement{}, err
	}
	return agreement{a, correlation(reference, other)}, nil
}

// correlation is Pearson's of all scores; of scores without any variance it is 1 where they are equal, else 0.
func correlation(x, y [][]float32) float64 {
	var n, sx, sy float64
	for i := range x {
		for k := range x[i] {
			n, sx, sy = n+1, sx+float64(x[i][k]), sy+float64(y[i][k])
		}
	}
	mx, my := sx/n, sy/n
	var xx, yy, xy, apart float64
	for i := range x {
		for k := range x[i] {
			dx, dy := float64(x[i][k])-mx, float64(y[i][k])-my
			xx, yy, xy = xx+dx*dx, yy+dy*dy, xy+dx*dy
			apart += math.Abs(float64(x[i][k]) - float64(y[i][k]))
		}
	}
	if xx == 0 || yy == 0 {
		if apart == 0 {
			return 1
		}
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

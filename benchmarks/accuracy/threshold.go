package accuracy

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"edgelens"
)

// Threshold is what is left of the answers where those with a lower probability are uncertain.
type Threshold struct {
	At float64 `json:"threshold"`
	// Answered is the share of the images that get an answer, and Precision the share of these answers that is right.
	Answered  Share `json:"answered"`
	Precision Share `json:"precision"`
}

// thresholdsShown are those of the table.
var thresholdsShown = []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95}

// thresholdAt drops the answers with a lower probability, as terminal.min_score does.
func thresholdAt(outcomes []outcome, at float64) Threshold {
	answered, right := 0, 0
	for _, o := range outcomes {
		if o.probability >= at {
			answered++
			if o.right() {
				right++
			}
		}
	}
	return Threshold{at, newShare(answered, len(outcomes)), newShare(right, answered)}
}

func thresholds(outcomes []outcome) []Threshold {
	var all []Threshold
	for _, at := range thresholdsShown {
		all = append(all, thresholdAt(outcomes, at))
	}
	return all
}

// curve has the thresholds at which something changes: one for each probability, at most points of them.
func curve(outcomes []outcome, points int) []Threshold {
	var all []Threshold
	for i := range points {
		if t := thresholdAt(outcomes, float64(i)/float64(points)); t.Precision.N > 0 {
			all = append(all, t)
		}
	}
	return all
}

// tooFew is how far below the wanted precision the interval may reach without a warning.
const tooFew = 0.05

// Precision is a threshold for a wanted precision.
type Precision struct {
	Wanted float64 `json:"wanted"`
	Threshold
	// Frame and Variant are those of the answers.
	Frame   string `json:"frame"`
	Variant string `json:"variant"`
}

// Warning is a sentence where the images are too few to be sure; "" where they suffice.
func (p Precision) Warning() string {
	if p.Precision.Low >= p.Wanted-tooFew {
		return ""
	}
	return fmt.Sprintf("These are too few images to be sure: with other images as little as %s%% of the answers may be right. Measure with more images.", percent(p.Precision.Low))
}

// lowest returns the smallest threshold with a precision of at least wanted on these images. Answers with the same
// probability are kept or dropped together. The error wraps edgelens.ErrInvalid where there is none.
func lowest(outcomes []outcome, wanted float64) (Threshold, error) {
	sorted := slices.Clone(outcomes)
	slices.SortFunc(sorted, func(a, b outcome) int { return cmp.Compare(b.probability, a.probability) })
	found, from, right := -1, 0.0, 0
	best := newShare(0, 0)
	for i, o := range sorted {
		if o.right() {
			right++
		}
		if i+1 < len(sorted) && sorted[i+1].probability == o.probability {
			continue
		}
		share := newShare(right, i+1)
		if share.Value >= best.Value {
			best = share
		}
		if share.Value >= wanted {
			found, from = i, 0
			if i+1 < len(sorted) {
				from = sorted[i+1].probability
			}
		}
	}
	if found < 0 {
		return Threshold{}, fmt.Errorf("%w: no threshold keeps a precision of %s%%: the best is %s%%, of %d answers; want less, or use a better model", edgelens.ErrInvalid, percent(wanted), percent(best.Value), best.N)
	}
	at := 0.0
	if found+1 < len(sorted) {
		at = shortest(from, sorted[found].probability)
	}
	return thresholdAt(outcomes, at), nil
}

// shortest returns the lowest number with the fewest decimals, two or more, over low and at most high.
func shortest(low, high float64) float64 {
	for scale := 100.0; scale < 1e9; scale *= 10 {
		if at := (math.Floor(low*scale) + 1) / scale; at > low && at <= high {
			return at
		}
	}
	return high
}

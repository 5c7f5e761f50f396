package train

import (
	"math"
	"slices"

	"edgelens"
	"edgelens/learn/softmax"
)

// answer is that of a head for an example that it was not trained on.
type answer struct {
	logits []float64
	class  int // the right one
}

// at returns the probabilities at a scale.
func (a answer) at(scale float64) []float64 {
	scores := make([]float64, len(a.logits))
	for i, l := range a.logits {
		scores[i] = scale * l
	}
	softmax.Probabilities(scores)
	return scores
}

// best returns the class with the highest probability, the first of several, and that probability.
func (a answer) best(scale float64) (int, float64) {
	p := a.at(scale)
	best := 0
	for class, probability := range p {
		if probability > p[best] {
			best = class
		}
	}
	return best, p[best]
}

// The range of scales.
const minScale, maxScale = 1e-3, 1e4

// scaleOf returns the inverse temperature at which the answers are likeliest. As n right answers of n do not prove that the
// next is right, a right class counts as 1 - 1/(n+2), by Laplace's rule, as Platt smooths his targets ("Probabilistic Outputs
// for Support Vector Machines", 1999); else the scale of perfect answers would be infinite.
func scaleOf(answers []answer) float64 {
	miss := 1 / float64(len(answers)+2)
	// The loss is convex in the scale, so that its slope changes its sign once.
	slope := func(scale float64) (sum float64) {
		for _, a := range answers {
			others := miss / float64(len(a.logits)-1)
			for class, p := range a.at(scale) {
				target := others
				if class == a.class {
					target = 1 - miss
				}
				sum += (p - target) * a.logits[class]
			}
		}
		return sum
	}
	low, high := math.Log(minScale), math.Log(maxScale)
	for range 60 {
		if middle := (low + high) / 2; slope(math.Exp(middle)) > 0 {
			high = middle
		} else {
			low = middle
		}
	}
	return math.Exp(low)
}

// measure reports on the answers. What is calibrated or counted for a fold uses the scale of the other folds.
func measure(answers []answer, folds [][]int, labels []string, threshold *float64) *edgelens.TrainingReport {
	r := &edgelens.TrainingReport{Folds: len(folds), HeldOut: len(answers), Confusion: make([][]int, len(labels))}
	for i, label := range labels {
		r.Confusion[i] = make([]int, len(labels))
		r.Labels = append(r.Labels, edgelens.LabelCount{Label: label})
	}
	before, after := make([]confidence, len(answers)), make([]confidence, len(answers))
	for i, held := range folds {
		scale := scaleOf(others(answers, folds, i))
		for _, n := range held {
			a := answers[n]
			class, probability := a.best(scale)
			_, raw := a.best(1)
			right := class == a.class
			before[n], after[n] = confidence{raw, right}, confidence{probability, right}
			r.Confusion[a.class][class]++
			r.Labels[a.class].Count++
			if right {
				r.Right++
			}
		}
	}
	r.Accuracy = float64(r.Right) / float64(r.HeldOut)
	r.Low, r.High = Wilson(r.Right, r.HeldOut)
	r.ErrorBefore, r.ErrorAfter = calibrationError(before), calibrationError(after)
	if r.ThresholdGiven = threshold != nil; r.ThresholdGiven {
		r.Threshold = *threshold
	} else {
		r.Threshold = thresholdThatKeeps(Kept, after)
	}
	for _, c := range after {
		switch {
		case c.probability >= r.Threshold:
		case c.right:
			r.RightBelow++
		default:
			r.WrongBelow++
		}
	}
	return r
}

// others returns the answers of all folds but one.
func others(answers []answer, folds [][]int, but int) (rest []answer) {
	for i, fold := range folds {
		if i == but {
			continue
		}
		for _, n := range fold {
			rest = append(rest, answers[n])
		}
	}
	return rest
}

// confidence is the probability of an answer, and whether it was right.
type confidence struct {
	probability float64
	right       bool
}

// thresholdThatKeeps returns the highest threshold at which that share of the right answers is kept, rounded down to four
// decimals; 0 where none is right.
func thresholdThatKeeps(share float64, answers []confidence) float64 {
	var right []float64
	for _, a := range answers {
		if a.right {
			right = append(right, a.probability)
		}
	}
	if len(right) == 0 {
		return 0
	}
	slices.Sort(right)
	lost := int((1 - share) * float64(len(right)))
	return math.Floor(right[lost]*1e4) / 1e4
}

// calibrationError returns the expected calibration error: the answers, sorted by probability, are put into ten bins of equal
// counts; it is the mean, over the answers, of the difference of a bin's mean probability and its share of right answers
// (Naeini et al., 2015; bins of equal counts by Nguyen and O'Connor, 2015). Bins have five answers at least.
func calibrationError(answers []confidence) float64 {
	sorted := slices.Clone(answers)
	slices.SortFunc(sorted, func(a, b confidence) int {
		switch {
		case a.probability < b.probability:
			return -1
		case a.probability > b.probability:
			return 1
		}
		return 0
	})
	bins := max(1, min(10, len(sorted)/5))
	sum := 0.0
	for b := range bins {
		difference := 0.0
		for _, a := range sorted[b*len(sorted)/bins : (b+1)*len(sorted)/bins] {
			difference += a.probability
			if a.right {
				difference--
			}
		}
		sum += math.Abs(difference)
	}
	return sum / float64(len(sorted))
}

// Wilson returns the 95% interval of a share of which right of n were seen (Wilson's score interval, 1927). n must be
// positive.
func Wilson(right, n int) (low, high float64) {
	const z = 1.959964
	count := float64(n)
	p := float64(right) / count
	center := p + z*z/(2*count)
	half := z * math.Sqrt(p*(1-p)/count+z*z/(4*count*count))
	whole := 1 + z*z/count
	return max(0, (center-half)/whole), min(1, (center+half)/whole)
}

package train

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"edgelens"
	"edgelens/learn/head"
	"edgelens/learn/softmax"
)

// dataOf returns the labels of the examples, sorted, and the examples as data of these classes, in the order of their images'
// digests, so that the order in which they come does not matter. An image that is there twice counts once. The error wraps
// edgelens.ErrInvalid.
func dataOf(examples []edgelens.Example, extractor edgelens.ModelRef) ([]string, softmax.Data, error) {
	if len(examples) > MaxExamples {
		return nil, softmax.Data{}, fmt.Errorf("%w: %d examples are too many to train on; %d are the most", edgelens.ErrInvalid, len(examples), MaxExamples)
	}
	examples = slices.Clone(examples)
	sort.SliceStable(examples, func(i, j int) bool { return examples[i].SHA256 < examples[j].SHA256 })
	counts := map[string]int{}
	for i, e := range examples {
		if err := checkExample(e, extractor, examples[0]); err != nil {
			return nil, softmax.Data{}, err
		}
		if i > 0 && e.SHA256 != "" && e.SHA256 == examples[i-1].SHA256 {
			if e.Label != examples[i-1].Label {
				return nil, softmax.Data{}, fmt.Errorf("%w: the image %.12s... has both the label %.100q and the label %.100q; remove the wrong example", edgelens.ErrInvalid, e.SHA256, examples[i-1].Label, e.Label)
			}
			continue
		}
		counts[e.Label]++
	}
	labels, err := labelsOf(counts)
	if err != nil {
		return nil, softmax.Data{}, err
	}
	if n := len(labels) * (len(examples[0].Embedding) + 1); n > head.MaxValues {
		return nil, softmax.Data{}, fmt.Errorf("%w: %d labels of embeddings of %d numbers are too many weights, %d; a head can have %d", edgelens.ErrInvalid, len(labels), len(examples[0].Embedding), n, head.MaxValues)
	}
	var data softmax.Data
	for i, e := range examples {
		if i > 0 && e.SHA256 != "" && e.SHA256 == examples[i-1].SHA256 {
			continue
		}
		class, _ := slices.BinarySearch(labels, e.Label)
		data.Features, data.Classes = append(data.Features, normalized(e.Embedding)), append(data.Classes, class)
	}
	return labels, data, nil
}

// labelsOf returns the labels, sorted, if a head can have them and each has enough examples.
func labelsOf(counts map[string]int) ([]string, error) {
	labels := slices.Sorted(maps.Keys(counts))
	for _, label := range labels {
		if n := counts[label]; n < MinExamples {
			return nil, fmt.Errorf("%w: the label %.100q has too few examples, %d; give each label at least %d, better 6 or more", edgelens.ErrInvalid, label, n, MinExamples)
		}
	}
	if len(labels) < 2 {
		return nil, fmt.Errorf("%w: the examples have %d label(s); a head needs 2 at least to distinguish, such as \"open\" and \"closed\"", edgelens.ErrInvalid, len(labels))
	}
	if len(labels) > head.MaxClasses {
		return nil, fmt.Errorf("%w: the examples have %d labels; %d are the most", edgelens.ErrInvalid, len(labels), head.MaxClasses)
	}
	return labels, nil
}

// checkExample refuses an example that cannot be trained on beside the first one.
func checkExample(e edgelens.Example, extractor edgelens.ModelRef, first edgelens.Example) error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: the example %.40q %s", edgelens.ErrInvalid, e.ID, fmt.Sprintf(format, args...))
	}
	switch {
	case e.Extractor != extractor:
		return invalid("has an embedding by %s (%.19s), and the dataset is of %s (%.19s); make the embeddings again with one extractor", e.Extractor.Name, e.Extractor.Digest, extractor.Name, extractor.Digest)
	case e.Label == head.Unknown:
		return invalid("has the label %q, which is the answer below the threshold; choose another word, such as \"other\"", e.Label)
	case e.Label == "" || len(e.Label) > 200:
		return invalid("has a label of %d bytes; 1 to 200 can be used", len(e.Label))
	case len(e.Embedding) == 0 || len(e.Embedding) > head.MaxFeatures:
		return invalid("has an embedding of %d numbers; 1 to %d can be used", len(e.Embedding), head.MaxFeatures)
	case len(e.Embedding) != len(first.Embedding):
		return invalid("has an embedding of %d numbers, and others have %d", len(e.Embedding), len(first.Embedding))
	}
	if l := lengthOf(e.Embedding); !(l > 1e-12) || math.IsInf(l, 0) { // NaN too
		return invalid("has an embedding of length %v: its numbers must be finite, and not all 0", l)
	}
	return nil
}

// lengthOf returns the Euclidean length of a vector.
func lengthOf(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// normalized returns the vector brought to length 1.
func normalized(v []float32) []float32 {
	length := lengthOf(v)
	n := make([]float32, len(v))
	for i, x := range v {
		n[i] = float32(float64(x) / length)
	}
	return n
}

// split returns the numbers of the examples in each fold. Each label is spread evenly over them, and the smallest one has an
// example in each.
func split(classes []int, labels int, seed uint64) [][]int {
	byClass := make([][]int, labels)
	for n, class := range classes {
		byClass[class] = append(byClass[class], n)
	}
	count := maxFolds
	for _, members := range byClass {
		count = min(count, len(members))
	}
	folds := make([][]int, count)
	random := rand.New(rand.NewPCG(seed, 0))
	next := 0 // so that the folds have equal sizes, too
	for _, members := range byClass {
		random.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		for _, n := range members {
			folds[next%count] = append(folds[next%count], n)
			next++
		}
	}
	return folds
}

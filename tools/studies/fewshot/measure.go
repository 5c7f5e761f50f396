package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"edgelens"
	"edgelens/learn/head"
	"edgelens/learn/softmax"
	"edgelens/learn/train"
)

// The ways to answer that are compared.
var ways = []string{"nearest neighbor", head.Imprinting, head.Softmax}

// shares has the accuracy of each way for each split. An accuracy is the mean of the shares of right answers of the classes, so that
// large groups do not count more.
type shares [3][]float64

// measure splits each class at random, by seed, into shots images to learn from and the rest to be asked for.
func measure(ctx context.Context, classes []class, shots, seeds int) (shares, error) {
	var s shares
	for seed := range seeds {
		random := rand.New(rand.NewPCG(uint64(seed), uint64(shots)))
		var known, asked []edgelens.Example
		for _, c := range classes {
			order := random.Perm(len(c.examples))
			for i, n := range order {
				if i < shots {
					known = append(known, c.examples[n])
				} else {
					asked = append(asked, c.examples[n])
				}
			}
		}
		s[0] = append(s[0], accuracy(asked, func(x []float32) string { return nearest(known, x) }))
		for i, method := range ways[1:] {
			h, _, err := train.Run(ctx, known, train.Options{Name: "groups", Extractor: known[0].Extractor, Method: method, Seed: uint64(seed)}, nil)
			if err != nil {
				return s, err
			}
			s[i+1] = append(s[i+1], accuracy(asked, func(x []float32) string { return h.Labels[best(h.Probabilities(x))] }))
		}
	}
	return s, nil
}

// accuracy returns the mean over the labels of the share of right answers.
func accuracy(asked []edgelens.Example, answer func([]float32) string) float64 {
	right, of := map[string]int{}, map[string]int{}
	for _, e := range asked {
		of[e.Label]++
		if answer(e.Embedding) == e.Label {
			right[e.Label]++
		}
	}
	sum := 0.0
	for label, n := range of {
		sum += float64(right[label]) / float64(n)
	}
	return sum / float64(len(of))
}

// nearest returns the label of the example whose embedding has the largest cosine.
func nearest(known []edgelens.Example, x []float32) (label string) {
	largest := math.Inf(-1)
	for _, e := range known {
		cosine := 0.0
		for i, f := range e.Embedding {
			cosine += float64(f) * float64(x[i])
		}
		if cosine > largest {
			largest, label = cosine, e.Label
		}
	}
	return label
}

func best(probabilities []float64) int {
	best := 0
	for i, p := range probabilities {
		if p > probabilities[best] {
			best = i
		}
	}
	return best
}

// spread returns the mean of values with its 95% interval, and the interval that 95% of the values are in.
func spread(values []float64) (mean, half, low, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	variance := 0.0
	for _, v := range values {
		variance += (v - mean) * (v - mean) / max(1, n-1)
	}
	at := func(share float64) float64 { return sorted[int(math.Round(share*(n-1)))] }
	return mean, 1.959964 * math.Sqrt(variance/n), at(0.025), at(0.975)
}

// write writes a table of one number of shots.
func (s shares) write(out io.Writer, shots int) {
	fmt.Fprintf(out, "\n## %d images a class\n\n", shots)
	fmt.Fprintln(out, "| answers by | right, mean with its 95% interval | 95% of the splits | more right than the nearest neighbor |")
	fmt.Fprintln(out, "|---|---|---|---|")
	for i, way := range ways {
		mean, half, low, high := spread(s[i])
		differences := make([]float64, len(s[i]))
		for n, v := range s[i] {
			differences[n] = v - s[0][n]
		}
		more, moreHalf, _, _ := spread(differences)
		versus := ""
		if i > 0 {
			versus = fmt.Sprintf("%+.1f ± %.1f points", 100*more, 100*moreHalf)
		}
		fmt.Fprintf(out, "| %s | %.1f%% ± %.1f | %.1f to %.1f%% | %s |\n", way, 100*mean, 100*half, 100*low, 100*high, versus)
	}
}

// writeHead writes what was measured.
func writeHead(out io.Writer, classes []class, extractor edgelens.ModelRef, seeds int) {
	fmt.Fprintf(out, "# Heads that learned from a few images\n\nMade by `make bench-few-shot`.\n\n")
	fmt.Fprintf(out, "The classes are %d groups of images that show one each of 400 ImageNet classes, by their kinds in WordNet (`tools/studies/groups/groups.tsv`). "+
		"For each of %d seeds, every group is split at random into the images to learn from and all others, which are asked for. An accuracy is the mean over the groups. The intervals are over the splits, which share their images. "+
		"The extractor is %s (%.19s...), at the service's defaults; it was trained on ImageNet, so that images of other kinds give fewer right answers.\n\n", len(classes), seeds, extractor.Name, extractor.Digest)
	fmt.Fprintln(out, "| group | WordNet | images |")
	fmt.Fprintln(out, "|---|---|---|")
	for _, c := range classes {
		fmt.Fprintf(out, "| %s | %s | %d |\n", c.kind, c.synset, len(c.examples))
	}
}

// smokeTest imprints the classes of the images *_train_*, one or two each, and asks for *_test_*.
func smokeTest(ctx context.Context, e *embedder, folder string, out io.Writer) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.bmp"))
	if err != nil {
		return err
	}
	var labels []string
	var known softmax.Data
	var asked []edgelens.Example
	for _, file := range files { // sorted
		label, rest, _ := strings.Cut(filepath.Base(file), "_")
		example, err := e.embed(ctx, file, label)
		if err != nil {
			return err
		}
		if strings.HasPrefix(rest, "test") {
			asked = append(asked, example)
			continue
		}
		if !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
		known.Features, known.Classes = append(known.Features, example.Embedding), append(known.Classes, slices.Index(labels, label))
	}
	if len(labels) == 0 || len(asked) == 0 {
		return fmt.Errorf("%w: %s has no images NAME_train_N.bmp and NAME_test_N.bmp", edgelens.ErrInvalid, folder)
	}
	p := train.Imprint(known, len(labels))
	fmt.Fprintf(out, "\n## Imprinting by one or two images\n\nA smoke test: %d images to learn from, of %s.\n\n| image | answer | cosine |\n|---|---|---|\n", known.Len(), strings.Join(labels, ", "))
	scores := make([]float64, len(labels))
	for _, a := range asked {
		p.Logits(a.Embedding, scores)
		class := best(scores)
		fmt.Fprintf(out, "| %s | %s | %.2f |\n", a.ID, labels[class], scores[class])
	}
	return nil
}

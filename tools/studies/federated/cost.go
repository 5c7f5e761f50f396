package main

import (
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"edgelens"
	"edgelens/learn/fedavg"
	"edgelens/learn/head"
	"edgelens/learn/masking"
	"edgelens/learn/softmax"
)

// introduction begins the report.
const introduction = `# Federated rounds in figures

Made by ` + "`make bench-federated`" + ` on %s: ten simulated nodes, all in each round, in one process, by the code that coordinators and nodes run. Mean of %d
runs with other data and seeds, with the 95%% confidence interval over these.

- **groups**: ten groups of ImageNet classes by WordNet kind, 214 of the labeled images ([list](../tools/studies/groups/groups.tsv)). Three fifths of each group are trained on, given
  to the nodes by a Dirichlet distribution (alpha 0.3): a node has some 13 images, most of 2 or 3 groups. The others are held out. They come from the set that the
  extractor was trained on: with new images fewer answers are right.
- **groups, even**: the same, with alpha 100: every node has about as many of each group.
- **gate**: a node at each of ten generated sites with 40 images of its own gate, half of them open, by day, in rain and at dusk; 36 new images of each site are held out.
- **gate, skewed**: the same, with the share of open and closed drawn by the same distribution: most nodes have nearly always seen the gate open, or closed.

Unless a table has other numbers: %d rounds of %d epochs, all examples in one step, learning rate %v, server momentum %v, L2 %v, no clip, mean weighted by examples.

`

// cost measures what a round costs.
func (r *reporter) cost() error {
	rows := [][]string{{"classes x features", "to a node", "from a node", "masked", "local training", "mean of 10", "trimmed mean of 10", "robust mean of 10", "mask, 10 nodes", "sum of 10 shares"}}
	for _, size := range sizes {
		row, err := r.costOf(size.Classes, size.Features)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	r.section("What a round costs", "Bytes in kB: the head as it is stored, the difference as float32 numbers, the share as uint64 numbers; signatures and envelopes are extra. Times in ms, the best of 20: 40 examples in 5 epochs of batches of 16 on the node, and the work of the coordinator. With masks each node sends a key and gets those of the others first, 65 bytes each.", rows)
	return nil
}

func (r *reporter) costOf(classes, features int) ([]string, error) {
	random := mathrand.New(mathrand.NewPCG(1, 1))
	base := softmax.New(classes, features)
	for i := range base.Values {
		base.Values[i] = random.NormFloat64()
	}
	stored := head.Head{
		Name: "head", Version: 1, Extractor: edgelens.ModelRef{Name: extractor, Digest: "sha256:0"}, Params: base, Scale: 1, Method: head.Federated,
	}
	for c := range classes {
		stored.Labels = append(stored.Labels, fmt.Sprintf("class %d", c))
	}
	down, err := stored.Marshal()
	if err != nil {
		return nil, err
	}
	var data softmax.Data
	for i := range 40 {
		x := make([]float32, features)
		for j := range x {
			x[j] = random.Float32() / 16
		}
		data.Features, data.Classes = append(data.Features, x), append(data.Classes, i%classes)
	}
	row := []string{fmt.Sprintf("%d x %d", classes, features), kilobytes(len(down)), kilobytes(4 * len(base.Values)), kilobytes(8 * (len(base.Values) + 2))}
	updates, shares := make([]fedavg.Update, 10), make([][]uint64, 10)
	keys, public := make([]*ecdh.PrivateKey, 10), make([][]byte, 10)
	for n := range updates {
		updates[n] = fedavg.Update{Difference: base.Clone(), Examples: 40}
		if keys[n], err = ecdh.P256().GenerateKey(rand.Reader); err != nil {
			return nil, err
		}
		public[n] = keys[n].PublicKey().Bytes()
	}
	for n := range shares {
		if shares[n], err = masking.Encode(base.Values, 40); err != nil {
			return nil, err
		}
		if err := masking.Mask(shares[n], keys[n], public, "round"); err != nil {
			return nil, err
		}
	}
	scratch := make([]uint64, len(shares[0]))
	for _, work := range []func() error{
		func() error {
			_, _, err := fedavg.LocalTrain(r.ctx, base, data, fedavg.Options{Epochs: 5, Batch: 16, Rate: 0.5, L2: l2})
			return err
		},
		func() error {
			_, _, err := fedavg.Aggregate(base, updates, fedavg.Rule{Method: fedavg.Mean})
			return err
		},
		func() error {
			_, _, err := fedavg.Aggregate(base, updates, fedavg.Rule{Method: fedavg.TrimmedMean, Trim: 0.2})
			return err
		},
		func() error {
			_, _, err := fedavg.Aggregate(base, updates, robust(0.1))
			return err
		},
		func() error { return masking.Mask(scratch, keys[0], public, "round") },
		func() error {
			_, _, err := masking.Sum(shares, len(shares))
			return err
		},
	} {
		best := time.Hour
		for range 20 {
			start := time.Now()
			if err := work(); err != nil {
				return nil, err
			}
			best = min(best, time.Since(start))
		}
		row = append(row, digits(best.Seconds()*1000))
	}
	return row, nil
}

func kilobytes(n int) string { return digits(float64(n) / 1000) }

// digits returns a number with two digits at least.
func digits(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.2g", v)
	}
	return fmt.Sprintf("%.0f", v)
}

package main

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strconv"

	"edgelens/learn/fedavg"
	"edgelens/learn/masking"
	"edgelens/learn/privacy"
	"edgelens/learn/softmax"
)

// federation is a simulated one: all nodes take part in each round, in one process.
type federation struct {
	classes, features int
	rounds            int
	local             fedavg.Options
	// momentum is that of the server.
	momentum float64
	rule     fedavg.Rule
	// clip is the norm that updates are clipped to, 0 for no clipping; noise is the multiplier of the noise that the sum of the
	// updates gets, of which each node adds its part.
	clip, noise float64
	// masked sums the updates by secure aggregation.
	masked bool
	// attack is what the node number attacker does; nil for nothing.
	attack   *attack
	attacker int
	// absent leaves the attacker out.
	absent bool
	seed   uint64
}

// attack is what a poisoned node does.
type attack struct {
	name string
	// swap trains on labels that are one too high, and factor is what the update is multiplied by.
	swap   bool
	factor float64
	// obedient clips the update afterwards, so that it is not refused.
	obedient bool
}

// attacks are those of the report.
var attacks = []attack{
	{name: "swapped labels", swap: true, factor: 1, obedient: true},
	{name: "1000x update", factor: 1000},
	{name: "1000x update, labels swapped, then clipped", swap: true, factor: 1000, obedient: true},
	{name: "-1000x update, then clipped", factor: -1000, obedient: true},
}

// outcome is what a run of a federation came to.
type outcome struct {
	head softmax.Params
	// refused is how many updates were.
	refused int
	// clipped is the share of the updates that were longer than the clip.
	clipped float64
}

// run trains a head on the nodes' examples, from zero.
func (f federation) run(ctx context.Context, nodes []softmax.Data) (outcome, error) {
	out := outcome{head: softmax.New(f.classes, f.features)}
	previous := out.head
	if f.absent {
		nodes = slices.Delete(slices.Clone(nodes), f.attacker, f.attacker+1)
	}
	// The noise of a study must be the same in each run. Products use crypto/rand.
	noise := mathrand.NewChaCha8([32]byte{byte(f.seed), byte(f.seed >> 8), 1})
	for round := range f.rounds {
		updates := make([]fedavg.Update, len(nodes))
		for n, data := range nodes {
			update, clipped, err := f.update(ctx, out.head, data, round, n)
			if err != nil {
				return out, err
			}
			if clipped {
				out.clipped += 1 / float64(f.rounds*len(nodes))
			}
			if f.noise > 0 {
				if err := privacy.AddNoise(update.Difference.Values, f.noise*f.clip/float64(len(nodes)), noise); err != nil {
					return out, err
				}
			}
			updates[n] = update
		}
		next, refused, err := f.aggregate(out.head, updates, round)
		if err != nil {
			return out, fmt.Errorf("round %d: %w", round, err)
		}
		out.refused += refused
		if next, err = fedavg.Accelerate(next, out.head, previous, f.momentum); err != nil {
			return out, fmt.Errorf("round %d: %w", round, err)
		}
		previous, out.head = out.head, next
	}
	return out, nil
}

// aggregate returns the base with the updates, and how many were refused.
func (f federation) aggregate(base softmax.Params, updates []fedavg.Update, round int) (softmax.Params, int, error) {
	if f.masked {
		next, err := f.sumMasked(base, updates, round)
		return next, 0, err
	}
	next, refusals, err := fedavg.Aggregate(base, updates, f.rule)
	refused := 0
	for _, r := range refusals {
		if r != nil {
			refused++
		}
	}
	return next, refused, err
}

// update is the work of one node, and reports whether its update had to be clipped.
func (f federation) update(ctx context.Context, head softmax.Params, data softmax.Data, round, node int) (fedavg.Update, bool, error) {
	poisoned := f.attack != nil && node == f.attacker
	if poisoned && f.attack.swap {
		data = softmax.Data{Features: data.Features, Classes: append([]int(nil), data.Classes...)}
		for i := range data.Classes {
			data.Classes[i] = (data.Classes[i] + 1) % f.classes
		}
	}
	options := f.local
	options.Seed = f.seed<<32 + uint64(round)<<16 + uint64(node)
	trained, _, err := fedavg.LocalTrain(ctx, head, data, options)
	if err != nil {
		return fedavg.Update{}, false, fmt.Errorf("node %d: %w", node, err)
	}
	difference, err := fedavg.Difference(trained, head)
	if err != nil {
		return fedavg.Update{}, false, err
	}
	if poisoned {
		for i := range difference.Values {
			difference.Values[i] *= f.attack.factor
		}
	}
	clipped := false
	if f.clip > 0 && (!poisoned || f.attack.obedient) {
		clipped = fedavg.Clip(difference, f.clip) < 1
	}
	return fedavg.Update{Difference: difference, Examples: data.Len()}, clipped, nil
}

// sumMasked aggregates by secure aggregation.
func (f federation) sumMasked(head softmax.Params, updates []fedavg.Update, round int) (softmax.Params, error) {
	keys, public := make([]*ecdh.PrivateKey, len(updates)), make([][]byte, len(updates))
	for n := range keys {
		var err error
		if keys[n], err = ecdh.P256().GenerateKey(rand.Reader); err != nil {
			return softmax.Params{}, err
		}
		public[n] = keys[n].PublicKey().Bytes()
	}
	shares := make([][]uint64, len(updates))
	for n, u := range updates {
		var err error
		if shares[n], err = masking.Encode(u.Difference.Values, f.rule.Weight(u.Examples)); err != nil {
			return softmax.Params{}, err
		}
		if err := masking.Mask(shares[n], keys[n], public, strconv.Itoa(round)); err != nil {
			return softmax.Params{}, err
		}
	}
	mean, _, err := masking.Sum(shares, len(updates))
	if err != nil {
		return softmax.Params{}, err
	}
	sum := head.Clone()
	for i, v := range mean {
		sum.Values[i] += v
	}
	return sum, nil
}

// accuracy returns the share of the examples whose class has the highest score.
func accuracy(head softmax.Params, data softmax.Data) float64 {
	right, scores := 0, make([]float64, head.Classes)
	for i, x := range data.Features {
		head.Logits(x, scores)
		best := 0
		for c, s := range scores {
			if s > scores[best] {
				best = c
			}
		}
		if best == data.Classes[i] {
			right++
		}
	}
	return float64(right) / float64(data.Len())
}

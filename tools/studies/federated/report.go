package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"edgelens/benchmarks/table"
	"edgelens/internal/board"
	"edgelens/learn/fedavg"
	"edgelens/learn/privacy"
	"edgelens/learn/softmax"
	"edgelens/learn/train"
)

// The federation of the report, unless a table has other numbers.
const (
	rounds   = 30
	epochs   = 5
	rate     = 2
	l2       = 1e-4
	momentum = 0.9
	clip     = 3
	delta    = 1e-5
)

// reporter makes the tables.
type reporter struct {
	ctx   context.Context
	tasks []task
	seeds int
	text  strings.Builder
	log   io.Writer
}

func report(ctx context.Context, all *embeddings, seeds int, log io.Writer) (string, error) {
	r := &reporter{ctx: ctx, tasks: all.tasks(), seeds: seeds, log: log}
	fmt.Fprintf(&r.text, introduction, board.Prober{Root: "/"}.Facts().CPU, seeds, rounds, epochs, float64(rate), momentum, l2)
	for _, section := range []func() error{r.cost, r.central, r.poisoned, r.proximal, r.noise, r.masks} {
		if err := section(); err != nil {
			return "", err
		}
	}
	return r.text.String(), nil
}

// federation returns the one that the constants describe.
func (r *reporter) federation(t task, seed uint64) federation {
	return federation{
		classes: t.classes, rounds: rounds, local: fedavg.Options{Epochs: epochs, Rate: rate, L2: l2}, momentum: momentum,
		rule: fedavg.Rule{Method: fedavg.Mean}, attacker: int(seed % 10), seed: seed,
	}
}

// robust is the aggregation of federation.Robust that withstands that share of the nodes.
func robust(trim float64) fedavg.Rule {
	return fedavg.Rule{Method: fedavg.MixedTrimmedMean, Trim: trim}
}

// variant is one column of a table: a change of the federation.
type variant func(f *federation)

// accuracies runs variants with each seed, and returns their held-out accuracies in percent. A federation that diverges has an
// accuracy of 0.
func (r *reporter) accuracies(t task, variants ...variant) ([]series, error) {
	columns := make([]series, len(variants))
	for i := range columns {
		columns[i] = make(series, r.seeds)
	}
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for seed := range r.seeds {
		g.Go(func() error {
			nodes, held, err := t.draw(uint64(seed))
			if err != nil {
				return err
			}
			for i, change := range variants {
				f := r.federation(t, uint64(seed))
				f.features = len(held.Features[0])
				change(&f)
				out, err := f.run(r.ctx, nodes)
				if r.ctx.Err() != nil {
					return r.ctx.Err()
				}
				if err == nil {
					columns[i][seed] = 100 * accuracy(out.head, held)
				}
			}
			return nil
		})
	}
	err := g.Wait()
	return columns, err
}

func (r *reporter) section(title, text string, rows [][]string) {
	var section strings.Builder
	fmt.Fprintf(&section, "## %s\n\n%s\n\n", title, text)
	table.Markdown(&section, rows)
	section.WriteString("\n")
	r.text.WriteString(section.String())
	fmt.Fprint(r.log, section.String()) // progress only
}

func (r *reporter) central() error {
	rows := [][]string{{"task", "central", "federated, 200 rounds", "difference", "robust: difference", "30 rounds: difference", "30 rounds, robust: difference"}}
	for _, t := range r.tasks {
		c, err := r.accuracies(t, func(f *federation) { f.rounds = 200 }, func(f *federation) { f.rounds, f.rule = 200, robust(0.1) }, func(*federation) {}, func(f *federation) { f.rule = robust(0.1) })
		if err != nil {
			return err
		}
		var best series
		for seed := range r.seeds {
			nodes, held, err := t.draw(uint64(seed))
			if err != nil {
				return err
			}
			head, err := train.Fit(r.ctx, join(nodes), t.classes, l2)
			if err != nil {
				return err
			}
			best = append(best, 100*accuracy(head, held))
		}
		rows = append(rows, []string{t.name, best.String(), c[0].String(), c[0].minus(best).String(), c[1].minus(best).String(), c[2].minus(best).String(), c[3].minus(best).String()})
	}
	r.section("Beside central training", "Held-out accuracy in percent: central is one training on the examples of all nodes (L-BFGS, the same L2). Robust is the mixed trimmed mean that withstands one of the ten nodes; all of them are honest.", rows)
	return nil
}

func (r *reporter) poisoned() error {
	rules := []struct {
		name   string
		change variant
	}{
		{"mean, no clip", func(*federation) {}},
		{"mean, clip", func(f *federation) { f.clip, f.rule.MaxNorm = clip, clip }},
		{"trimmed mean 0.1, clip", func(f *federation) {
			f.clip, f.rule = clip, fedavg.Rule{Method: fedavg.TrimmedMean, Trim: 0.1, MaxNorm: clip}
		}},
		{"robust 0.1, clip", func(f *federation) { f.clip, f.rule = clip, robust(0.1); f.rule.MaxNorm = clip }},
		{"robust 0.2, clip", func(f *federation) { f.clip, f.rule = clip, robust(0.2); f.rule.MaxNorm = clip }},
	}
	names := []string{"nine honest nodes: accuracy", "ten honest nodes"}
	for _, a := range attacks {
		names = append(names, a.name)
	}
	for _, t := range r.tasks[:3] {
		rows := [][]string{{"the tenth node"}}
		for _, name := range names {
			rows = append(rows, []string{name})
		}
		for _, rule := range rules {
			rows[0] = append(rows[0], rule.name)
			variants := []variant{
				func(f *federation) { rule.change(f); f.absent = true },
				rule.change,
			}
			for i := range attacks {
				variants = append(variants, func(f *federation) { rule.change(f); f.attack = &attacks[i] })
			}
			c, err := r.accuracies(t, variants...)
			if err != nil {
				return err
			}
			rows[1] = append(rows[1], c[0].String())
			for i := 1; i < len(c); i++ {
				rows[i+1] = append(rows[i+1], c[i].minus(c[0]).String())
			}
		}
		r.section("A poisoned node: "+t.name, fmt.Sprintf("Held-out accuracy in percent of a federation of the nine honest nodes, and by how many points it moves with a tenth node. The clip is %d; an update above it is refused. Robust is the mixed trimmed mean; 0.1 and 0.2 are the shares of the updates that are trimmed at each end, and not mixed.", clip), rows)
	}
	return nil
}

func (r *reporter) proximal() error {
	const longer, fewer = 40, 5
	rows := [][]string{{"mu"}}
	terms := []float64{0, 0.01, 0.1, 1}
	for _, mu := range terms {
		rows = append(rows, []string{fmt.Sprint(mu)})
	}
	rows[1][0] = "0 (FedAvg)"
	for _, t := range r.tasks {
		rows[0] = append(rows[0], t.name)
		var variants []variant
		for _, mu := range terms {
			variants = append(variants, func(f *federation) {
				f.rounds, f.local.Epochs, f.local.Rate, f.momentum, f.local.Proximal = fewer, longer, 0.5, 0, mu
			})
		}
		c, err := r.accuracies(t, variants...)
		if err != nil {
			return err
		}
		for i := range terms {
			rows[i+1] = append(rows[i+1], c[i].String())
		}
	}
	r.section("FedProx", fmt.Sprintf("Held-out accuracy in percent after %d rounds of %d epochs with a rate of 0.5 and without server momentum, where nodes drift apart most.", fewer, longer), rows)
	return nil
}

func (r *reporter) noise() error {
	const fewer = 20
	multipliers := []float64{0, 0.3, 1, 3}
	rows := [][]string{{"noise multiplier of the sum", "epsilon of the sum", "epsilon of a node's update"}}
	for _, z := range multipliers {
		row := []string{fmt.Sprint(z), "none", "none"}
		if z > 0 {
			for i, of := range []float64{z, z / math.Sqrt(10)} { // a node adds its part
				var a privacy.Accountant
				if err := a.Add(of, 1, fewer); err != nil {
					return err
				}
				epsilon, err := a.Epsilon(delta)
				if err != nil {
					return err
				}
				row[i+1] = fmt.Sprintf("%.3g", epsilon)
			}
		}
		rows = append(rows, row)
	}
	for _, t := range r.tasks {
		rows[0] = append(rows[0], t.name)
		var variants []variant
		for _, z := range multipliers {
			variants = append(variants, func(f *federation) { f.rounds, f.clip, f.noise, f.rule.MaxExamples = fewer, 1, z, 1 })
		}
		c, err := r.accuracies(t, variants...)
		if err != nil {
			return err
		}
		for i := range multipliers {
			rows[i+1] = append(rows[i+1], c[i].String())
		}
	}
	r.section("Noise", fmt.Sprintf("Held-out accuracy in percent after %d rounds with a clip of 1, every node with the same weight. Each node adds 1/sqrt(10) of the noise; epsilon is that of all rounds, with delta %g.", fewer, delta), rows)
	return nil
}

func (r *reporter) masks() error {
	rows := [][]string{{"task", "without masks", "with masks", "difference"}}
	for _, t := range r.tasks[:3] {
		c, err := r.accuracies(t, func(f *federation) { f.rounds = 10 }, func(f *federation) { f.rounds, f.masked = 10, true })
		if err != nil {
			return err
		}
		rows = append(rows, []string{t.name, c[0].String(), c[1].String(), c[1].minus(c[0]).String()})
	}
	r.section("Secure aggregation", "Held-out accuracy in percent after 10 rounds: the masks cancel, and the fixed point rounds by 2^-25 at most.", rows)
	return nil
}

// sizes are the heads whose costs are measured.
var sizes = []softmax.Params{{Classes: 2, Features: 1024}, {Classes: 8, Features: 1024}, {Classes: 8, Features: 1280}, {Classes: 100, Features: 1280}}

package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"edgelens/internal/board"
	"edgelens/models/rewrite"
	"edgelens/tools/studies/study"
)

// wantedAgreement is the share of unchanged results that a margin must have to be the
// default.
const wantedAgreement = 0.99

// text is the report.
func (d *decodeBench) text(ctx context.Context) ([]byte, error) {
	var b bytes.Buffer
	generated := 0
	for _, run := range d.decoded {
		if run.size != asItIs {
			generated++
		}
	}
	fmt.Fprintf(&b, `# JPEG decoded at a reduced size

Made by `+"`make bench-decode`"+` on %s. %d images: %d JPEG files as they are and %d made of %s:
%d mild and %d strong ones of each in each size, with a random quality of %d to %d and 4:2:0; the same in every run.

`, board.Prober{Root: "/"}.Facts().CPU, len(d.decoded), len(d.decoded)-generated, generated, study.BaseNames(d.images), d.variants, d.variants, minQuality, maxQuality)
	for _, strength := range study.Strengths {
		fmt.Fprintf(&b, "- %s: %v\n", strength.Name, strength.Strength)
	}
	fmt.Fprintf(&b, `
A margin of K decodes a JPEG at 1/2, 1/4 or 1/8, the smallest that leaves each side at least K times the model's. Only images
whose tensor changes are counted. The control is the same images in full, saved with a quality %d steps lower:
the effect of a negligible change.
`, controlSteps)
	d.printTimes(&b)
	for _, m := range d.models {
		if err := d.printAgreement(ctx, &b, m); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func (d *decodeBench) printTimes(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## Time from file to tensor\n\nMeans over images of the median of %d, all ways in turn: in full, and how many times faster by margin.\n\n| JPEG | in full |", d.rounds)
	for _, margin := range d.margins {
		fmt.Fprintf(b, " %v |", margin)
	}
	b.WriteString("\n|---|---:|")
	for range d.margins {
		b.WriteString("---:|")
	}
	b.WriteString("\n")
	for _, size := range d.sizes {
		times := d.timesOf(size)
		fmt.Fprintf(b, "| %s | %.1f ms |", size, study.Milliseconds(times[inFull]))
		for _, took := range times[1:] {
			fmt.Fprintf(b, " %.2f |", float64(times[inFull])/float64(took))
		}
		b.WriteString("\n")
	}
}

// printAgreement prints for one model how similar its results are: by margin, then
// by kind of image.
func (d *decodeBench) printAgreement(ctx context.Context, b *bytes.Buffer, m *decodeModel) error {
	fmt.Fprintf(b, "\n## %s\n\n| margin | changed tensors | same first class | same, or scored as high | mean difference of a score | of the first class's | %.0f%% the same |\n|---|---:|---:|---:|---:|---:|---|\n",
		m.name, 100*wantedAgreement)
	line := func(name string, a rewrite.Agreement) {
		if a.Inputs == 0 {
			fmt.Fprintf(b, "| %s | 0 | | | | | |\n", name)
			return
		}
		verdict := "no"
		if a.Top1() >= wantedAgreement {
			verdict = "yes"
		}
		fmt.Fprintf(b, "| %s | %d | %.1f%% | %.1f%% | %.6f | %.4f | %s |\n", name, a.Inputs, 100*a.Top1(), 100*a.SameOrClose(), a.MeanDifference, a.FirstDifference, verdict)
	}
	for i, margin := range d.margins {
		a, err := d.agreement(ctx, m, i+1, func(n int) bool { return d.decoded[n].changed[i+1] })
		if err != nil {
			return err
		}
		line(fmt.Sprint(margin), a)
	}
	control, err := d.agreement(ctx, m, len(d.ways), func(n int) bool { return d.decoded[n].size != asItIs })
	if err != nil {
		return err
	}
	line("control, in full", control)
	fmt.Fprintf(b, "\n\"Scored as high\" is within %v by the scores in full. The same first class, of how many changed tensors, by kind:\n\n| images |", rewrite.CloseScore)
	for _, margin := range d.margins {
		fmt.Fprintf(b, " %v |", margin)
	}
	b.WriteString(" control |\n|---|")
	for range len(d.margins) + 1 {
		b.WriteString("---:|")
	}
	b.WriteString("\n")
	for _, kind := range d.kinds(m) {
		fmt.Fprintf(b, "| %s |", kind.name)
		for way := 1; way <= len(d.ways); way++ {
			a, err := d.agreement(ctx, m, way, func(n int) bool {
				run := d.decoded[n]
				counts := run.size != asItIs // the control's
				if way < len(d.ways) {
					counts = run.changed[way]
				}
				return counts && kind.holds(n)
			})
			switch {
			case err != nil:
				return err
			case a.Inputs == 0:
				b.WriteString(" |")
			default:
				fmt.Fprintf(b, " %.1f%% of %d |", 100*a.Top1(), a.Inputs)
			}
		}
		b.WriteString("\n")
	}
	return nil
}

// sureScore is the score of the first class in full above which the model is certain.
const sureScore = 0.5

// decodeKind is a part of the images, by their number.
type decodeKind struct {
	name  string
	holds func(n int) bool
}

func (d *decodeBench) kinds(m *decodeModel) []decodeKind {
	var list []decodeKind
	of := func(name string, holds func(decodeRun) bool) {
		list = append(list, decodeKind{name, func(n int) bool { return holds(d.decoded[n]) }})
	}
	for _, strength := range study.Strengths {
		of(strength.Name, func(run decodeRun) bool { return run.strength == strength.Name })
	}
	of("as large as their originals, or smaller", func(run decodeRun) bool { return run.detailed && run.size != asItIs })
	of("larger than their originals, so soft", func(run decodeRun) bool { return !run.detailed })
	for _, size := range append(slices.Clone(d.sizes), asItIs) {
		of(size, func(run decodeRun) bool { return run.size == size })
	}
	return append(list, decodeKind{fmt.Sprintf("first class scored %v or more in full", sureScore), func(n int) bool { return slices.Max(m.scores[n][inFull]) >= sureScore }})
}

// Command runtime measures two builds of edgelens beside each other, in turn: one with an older runtime, and this one,
// and this one on LiteRT:
//
//	go run ./tools/studies/runtime --old PROGRAM --new PROGRAM [flags]
//
// `make bench-runtime` builds both and runs it.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"edgelens/benchmarks/table"
	"edgelens/internal/board"
	"edgelens/tools/studies/study"
)

func main() { study.Main("runtime", run) }

// comparison is what is measured.
type comparison struct {
	int8, uint8    string // names of models
	images         []string
	photos         []string // further images, whose first classes are compared
	labeled        string   // folder of labeled images; "" for none
	turns          int
	window, warmUp time.Duration
	records        string // folder of the records
	progress       io.Writer
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c := comparison{progress: stderr}
	f := pflag.NewFlagSet("runtime", pflag.ContinueOnError)
	f.SetOutput(stderr)
	before := f.String("old", "", "program with the older runtime")
	now := f.String("new", "", "program of this tree")
	litert := f.Bool("litert", false, "measure the new program on LiteRT, too")
	f.StringVar(&c.int8, "int8", "mobilenet_v2_1.0_224_int8", "int8 model")
	f.StringVar(&c.uint8, "uint8", "mobilenet_v2_1.0_224_uint8", "legacy uint8 model")
	f.StringArrayVar(&c.images, "images", nil, "an image of 720p or 1080p to send; may be given again (default: generated)")
	f.StringArrayVar(&c.photos, "photos", nil, "an image to recognize by both; may be given again")
	f.StringVar(&c.labeled, "labeled", "", "folder of labeled images to recognize by both")
	f.IntVar(&c.turns, "turns", 5, "how often each program is measured")
	f.DurationVar(&c.window, "duration", 5*time.Second, "duration of each measurement")
	f.DurationVar(&c.warmUp, "warm-up", time.Second, "duration of each warm-up")
	f.StringVar(&c.records, "records", "dist", "folder for the records")
	out := f.String("out", "", "file to write the tables to, as Markdown")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *before == "" || *now == "" || c.turns < 1 {
		return errors.New("--old and --new must name programs, and --turns must be at least 1")
	}
	if err := os.MkdirAll(c.records, 0o755); err != nil {
		return err
	}
	var err error
	if c.records, err = os.MkdirTemp(c.records, "runtime-*"); err != nil {
		return err
	}
	builds := []*build{{name: "old", program: *before}, {name: "new", program: *now}}
	if *litert {
		builds = append(builds, &build{name: "LiteRT", program: *now, runtime: "litert"})
	}
	report, err := c.measure(ctx, builds)
	if err != nil {
		return err
	}
	return study.WriteReport(*out, stdout, report)
}

// measure measures each build in turn and returns the report.
func (c comparison) measure(ctx context.Context, builds []*build) ([]byte, error) {
	facts, machine := board.Prober{Root: "/"}.Facts(), board.Prober{Root: "/"}
	warnings := board.Warnings(facts, machine.State(ctx))
	for _, b := range builds {
		if err := b.readVersion(ctx); err != nil {
			return nil, err
		}
	}
	for turn := range c.turns {
		for n, step := range c.steps() { // the builds alternate within a step, so that a busy minute hits all of them
			for _, b := range builds {
				fmt.Fprintf(c.progress, "turn %d of %d, step %d: %s\n", turn+1, c.turns, n+1, b.name) // progress only
				if err := step(ctx, b, filepath.Join(c.records, fmt.Sprintf("%d-%s", turn+1, b.name))); err != nil {
					return nil, fmt.Errorf("measure %s: %w", b.name, err)
				}
			}
		}
	}
	for _, b := range builds {
		fmt.Fprintf(c.progress, "answers: %s\n", b.name) // progress only
		if err := c.answers(ctx, b); err != nil {
			return nil, fmt.Errorf("recognize by %s: %w", b.name, err)
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "# The runtime beside the older one\n\nMade by `make bench-runtime` on %s: %d turns, %v each measurement, the builds alternately.\n\n", time.Now().Format(time.DateOnly), c.turns, c.window)
	fmt.Fprintf(&text, "- Processor: %s, %d cores, %s; features: %s\n", facts.CPU, facts.Cores, facts.Architecture, strings.Join(facts.Features, " "))
	for _, b := range builds {
		fmt.Fprintf(&text, "- %s: edgelens %s\n", b.name, strings.TrimPrefix(b.version, "edgelens "))
	}
	for _, w := range warnings {
		fmt.Fprintf(&text, "- Warning: %s.\n", w)
	}
	text.WriteString("\n")
	table.Markdown(&text, figureRows(builds, hasVNNI(facts.Features)))
	text.WriteString("\n## Answers\n\n")
	rows, others := answerRows(builds)
	table.Markdown(&text, rows)
	if len(others) > 1 {
		text.WriteString("\nThe images with another first class:\n\n")
		table.Markdown(&text, others)
	}
	return append(bytes.TrimSpace([]byte(text.String())), '\n'), nil
}

// hasVNNI reports whether a processor has one of the dot-product instructions of x86-64.
func hasVNNI(features []string) bool {
	for _, f := range features {
		if f == "avx512_vnni" || f == "avx_vnni" {
			return true
		}
	}
	return false
}

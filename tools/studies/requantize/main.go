// Command requantize measures how similar the results of requantized models are, and how
// much faster they run:
//
//	go run ./tools/studies/requantize [flags] FILE...
//
// `make bench-requantize` writes docs/experiments/requantize.md with it.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"edgelens/inference"
	"edgelens/inference/requantize"
	"edgelens/inference/tflite"
	"edgelens/internal/board"
	"edgelens/models"
	"edgelens/models/rewrite"
	"edgelens/preprocess"
	"edgelens/tools/studies/study"
)

// requantizeReport is the measurement.
type requantizeReport struct {
	images   []string
	variants int // of each image
	signed   string
	invokes  int
	floors   []string // "FILE IMAGE CLASS SCORE"
}

func main() { study.Main("requantize", run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var r requantizeReport
	f := pflag.NewFlagSet("requantize", pflag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringArrayVar(&r.images, "images", nil, "an image to make variants of; may be given again")
	f.IntVar(&r.variants, "variants", 85, "of each image")
	f.StringVar(&r.signed, "int8", "", "a model that was int8 from the start, to compare times with")
	f.IntVar(&r.invokes, "invokes", 200, "of each model, in turn, for the times")
	f.StringArrayVar(&r.floors, "floor", nil, `"FILE IMAGE CLASS SCORE": the class must be among the first 3, with a higher score; may be given again`)
	out := f.String("out", "", "file to write the report to")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return study.ErrNoModel
	}
	var text bytes.Buffer
	if err := r.write(ctx, &text, f.Args()); err != nil {
		return err
	}
	return study.WriteReport(*out, stdout, text.Bytes())
}

// compared is a model and its requantized variant.
type compared struct {
	name            string
	path            string // of the requantized variant
	before, after   *requantize.Scorer
	invoked, faster time.Duration
	agreements      [len(study.Strengths)]rewrite.Agreement
	kernels         [len(study.Strengths)]rewrite.Agreement // of the variant on XNNPACK and on TFLite's own kernels
}

func (r *requantizeReport) write(ctx context.Context, w io.Writer, files []string) (err error) {
	dir, err := os.MkdirTemp("", "edgelens-requantize-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var all []*compared
	for _, file := range files {
		c := &compared{name: study.ModelName(file), path: filepath.Join(dir, filepath.Base(file))}
		if err := rewrite.File(file, c.path, false, rewrite.Requantize, nil); err != nil {
			return err
		}
		if c.before, err = study.OpenScorer(ctx, file); err != nil {
			return err
		}
		defer c.before.Close() // the process ends next
		if c.after, err = study.OpenScorer(ctx, c.path); err != nil {
			return err
		}
		defer c.after.Close() // the process ends next
		all = append(all, c)
	}
	var signed *requantize.Scorer
	if r.signed != "" {
		if signed, err = study.OpenScorer(ctx, r.signed); err != nil {
			return err
		}
		defer signed.Close() // the process ends next
	}
	signedTime, err := r.time(ctx, all, signed)
	if err != nil {
		return err
	}
	for _, c := range all {
		if err := r.agree(ctx, c); err != nil {
			return err
		}
	}
	return r.print(w, all, signedTime)
}

// time runs all models in turn, so that a disturbance affects all, and
// takes the median of each.
func (r *requantizeReport) time(ctx context.Context, all []*compared, signed *requantize.Scorer) (time.Duration, error) {
	var runs []inference.Interpreter
	for _, c := range all {
		runs = append(runs, c.before.Interpreter, c.after.Interpreter)
	}
	if signed != nil {
		runs = append(runs, signed.Interpreter)
	}
	took := make([][]time.Duration, len(runs))
	for range r.invokes {
		for i, run := range runs {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			start := time.Now()
			if err := run.Invoke(); err != nil {
				return 0, err
			}
			took[i] = append(took[i], time.Since(start))
		}
	}
	for i := range took {
		slices.Sort(took[i])
	}
	median := func(i int) time.Duration { return took[i][len(took[i])/2] }
	for i, c := range all {
		c.invoked, c.faster = median(2*i), median(2*i+1)
	}
	if signed == nil {
		return 0, nil
	}
	return median(len(runs) - 1), nil
}

// agree compares on variants of the images.
func (r *requantizeReport) agree(ctx context.Context, c *compared) error {
	input, err := models.NewInputSpec(c.before.Interpreter.Input(), nil)
	if err != nil {
		return err
	}
	var inputs [len(study.Strengths)][][]byte
	for i, path := range r.images {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		image, _, err := image.Decode(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("decode %s: %w", path, err)
		}
		for k, strength := range study.Strengths {
			inputs[k] = append(inputs[k], rewrite.Variants(image, input.Width, input.Height, r.variants, strength.Strength, uint64(i))...)
		}
	}
	plain, err := requantize.NewScorer(tflite.New(), c.path, inference.Options{Threads: 1, Delegate: inference.DelegateNone})
	if err != nil {
		return err
	}
	defer plain.Close() // the process ends soon
	for k := range study.Strengths {
		if c.agreements[k], err = rewrite.Compare(ctx, inputs[k], c.before.Scores, c.after.Scores); err != nil {
			return err
		}
		if c.kernels[k], err = rewrite.Compare(ctx, inputs[k], plain.Scores, c.after.Scores); err != nil {
			return err
		}
	}
	return nil
}

func (r *requantizeReport) print(w io.Writer, all []*compared, signed time.Duration) error {
	var b strings.Builder
	facts := board.Prober{Root: "/"}.Facts()
	fmt.Fprintf(&b, "# Legacy uint8 models as int8\n\nMade by `make bench-requantize` on %s, one thread. Images: %s, %d variants each, the same in every run.\n\n",
		facts.CPU, study.BaseNames(r.images), r.variants)
	for _, strength := range study.Strengths {
		fmt.Fprintf(&b, "- %s: %v\n", strength.Name, strength.Strength)
	}
	b.WriteString("\n| model | variants | | same first class | same, or scored as high | mean difference of a score | of the first class's |\n|---|---|---:|---:|---:|---:|---:|\n")
	for _, c := range all {
		for k, a := range c.agreements {
			fmt.Fprintf(&b, "| %s | %s | %d | %.1f%% | %.1f%% | %.6f | %.4f |\n", c.name, study.Strengths[k].Name, a.Inputs, 100*a.Top1(), 100*a.SameOrClose(),
				a.MeanDifference, a.FirstDifference)
		}
	}
	fmt.Fprintf(&b, "\n\"Scored as high\" is within %v by the original's own scores.\n\n## Invoke\n\nMedians of %d runs of all models in turn; before on %s, after on %s.\n\n",
		rewrite.CloseScore, r.invokes, all[0].before.Interpreter.Delegation().Delegate, all[0].after.Interpreter.Delegation().Delegate)
	b.WriteString("| model | before | after | ratio |\n|---|---:|---:|---:|\n")
	for _, c := range all {
		fmt.Fprintf(&b, "| %s | %.2f ms | %.2f ms | %.1f |\n", c.name, study.Milliseconds(c.invoked), study.Milliseconds(c.faster), float64(c.invoked)/float64(c.faster))
	}
	if signed > 0 {
		fmt.Fprintf(&b, "\n%s, int8 from the start, took %.2f ms in the same run: the requantized %s takes %.2f times that.\n",
			study.ModelName(r.signed), study.Milliseconds(signed), all[0].name, float64(all[0].faster)/float64(signed))
	}
	b.WriteString("\n## How much of the difference is rounding\n\nThe same int8 file on XNNPACK and on TensorFlow Lite's own kernels, which round differently:\n\n| model | variants | same first class | mean difference of a score | of the first class's |\n|---|---|---:|---:|---:|\n")
	for _, c := range all {
		for k, a := range c.kernels {
			fmt.Fprintf(&b, "| %s | %s | %.1f%% | %.6f | %.4f |\n", c.name, study.Strengths[k].Name, 100*a.Top1(), a.MeanDifference, a.FirstDifference)
		}
	}
	if err := r.printFloors(&b, all); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printFloors runs the requantized models on images in the same way as the
// service.
func (r *requantizeReport) printFloors(b *strings.Builder, all []*compared) error {
	if len(r.floors) == 0 {
		return nil
	}
	b.WriteString("\n## Floors\n\n| requantized model | image | class | must score over | scores | rank |\n|---|---|---:|---:|---:|---:|\n")
	for _, floor := range r.floors {
		var name, path string
		var class int
		var least float64
		if _, err := fmt.Sscan(floor, &name, &path, &class, &least); err != nil {
			return fmt.Errorf("read the floor %q: %w", floor, err)
		}
		i := slices.IndexFunc(all, func(c *compared) bool { return c.name == name })
		if i < 0 {
			return fmt.Errorf("the floor %q is for a model that is not measured", floor)
		}
		score, rank, err := scoreOf(all[i].after, path, class)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "| %s | %s | %d | %v | %.3f | %d |\n", name, filepath.Base(path), class, least, score, rank)
		if rank > 3 || score <= least {
			return fmt.Errorf("%s gives class %d in %s %.3f, rank %d; it must be over %v and in the first 3", name, class, path, score, rank, least)
		}
	}
	return nil
}

// scoreOf returns the score that the model gives a class in an image, and its rank.
func scoreOf(s *requantize.Scorer, image string, class int) (score float64, rank int, err error) {
	encoded, err := os.ReadFile(image)
	if err != nil {
		return 0, 0, err
	}
	input, err := models.NewInputSpec(s.Interpreter.Input(), nil)
	if err != nil {
		return 0, 0, err
	}
	p, err := preprocess.New(preprocess.DefaultConfig())
	if err != nil {
		return 0, 0, err
	}
	defer p.Close() // the process ends soon
	tensor := make([]byte, input.Bytes())
	if _, _, err := p.Tensor(tensor, encoded, input); err != nil {
		return 0, 0, err
	}
	scores, err := s.Scores(tensor)
	if err != nil {
		return 0, 0, err
	}
	if class < 0 || class >= len(scores) {
		return 0, 0, fmt.Errorf("there is no class %d", class)
	}
	rank = 1
	for _, other := range scores {
		if other > scores[class] {
			rank++
		}
	}
	return float64(scores[class]), rank, nil
}

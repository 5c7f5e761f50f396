// Command decode measures how much time decoding JPEGs at a reduced size saves, and how
// often it changes the result:
//
//	go run ./tools/studies/decode [flags] FILE...
//
// `make bench-decode` writes docs/experiments/reduced-decode.md with it.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"edgelens/inference/requantize"
	"edgelens/internal/console"
	"edgelens/models"
	"edgelens/models/rewrite"
	"edgelens/preprocess"
	"edgelens/tools/studies/study"
)

// decodeBench is the measurement.
type decodeBench struct {
	images   []string
	sizes    []string
	variants int // of each image, size and strength
	margins  []float64
	rounds   int
	progress func(done, all int, what string)

	models  []*decodeModel
	ways    []*preprocess.Preprocessor // in full, then by margin
	decoded []decodeRun
}

const inFull = 0 // among the ways

// decodeModel is a model with its scores: by image, by way, and
// last those of the control.
type decodeModel struct {
	name   string
	runs   *requantize.Scorer
	input  models.InputSpec
	scores [][][]float32
}

// decodeRun is an image that was decoded in each way.
type decodeRun struct {
	decodeImage                 // without its files
	took        []time.Duration // from file to tensor, by way
	changed     []bool          // its tensor differs from the one in full, by way
}

func main() { study.Main("decode", run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	var d decodeBench
	f := pflag.NewFlagSet("decode", pflag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringArrayVar(&d.images, "images", nil, "an image to make JPEGs of; may be given again")
	f.StringSliceVar(&d.sizes, "sizes", []string{"640x480", "1280x720", "1920x1080", "4000x3000"}, "of the JPEGs, in pixels")
	f.IntVar(&d.variants, "variants", 3, "of each image, in each size, mild and strong")
	f.Float64SliceVar(&d.margins, "margins", []float64{1, 1.5, 2, 3, 4, 6}, "how many times the model's input the sides of a reduced JPEG are at least (preprocess.reduce_jpeg)")
	f.IntVar(&d.rounds, "rounds", 3, "how often each JPEG is decoded in each way")
	out := f.String("out", "", "file to write the report to")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return study.ErrNoModel
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.open(ctx, f.Args()); err != nil {
		return err
	}
	d.progress = console.NewProgress(stderr, len(d.images))
	if err := d.measure(ctx); err != nil {
		return err
	}
	text, err := d.text(ctx)
	if err != nil {
		return err
	}
	return study.WriteReport(*out, stdout, text)
}

func (d *decodeBench) open(ctx context.Context, files []string) error {
	if d.variants < 1 || d.rounds < 1 || len(d.images) == 0 || len(d.margins) == 0 {
		return errors.New("--variants and --rounds must be 1 at least, and --images and --margins must be given")
	}
	for _, margin := range append([]float64{0}, d.margins...) {
		settings := preprocess.DefaultConfig()
		settings.ReduceJPEG = margin
		way, err := preprocess.New(settings)
		if err != nil {
			return fmt.Errorf("--margins: %w", err)
		}
		d.ways = append(d.ways, way)
	}
	for _, file := range files {
		runs, err := study.OpenScorer(ctx, file)
		if err != nil {
			return err
		}
		m := &decodeModel{name: study.ModelName(file), runs: runs}
		d.models = append(d.models, m)
		if m.input, err = models.NewInputSpec(runs.Interpreter.Input(), nil); err != nil {
			return err
		}
	}
	return nil
}

func (d *decodeBench) close() error {
	var errs []error
	for _, way := range d.ways {
		errs = append(errs, way.Close())
	}
	for _, m := range d.models {
		errs = append(errs, m.runs.Close())
	}
	return errors.Join(errs...)
}

func (d *decodeBench) measure(ctx context.Context) error {
	sizes := make([]image.Point, len(d.sizes))
	for i, text := range d.sizes {
		if n, err := fmt.Sscanf(text, "%dx%d", &sizes[i].X, &sizes[i].Y); n != 2 || err != nil || min(sizes[i].X, sizes[i].Y) < 1 || max(sizes[i].X, sizes[i].Y) > 10_000 {
			return fmt.Errorf("--sizes must be like 640x480, not %q", text)
		}
	}
	each := len(sizes) * len(study.Strengths) * d.variants
	for i, path := range d.images {
		done := i * each
		err := decodeImages(ctx, path, sizes, d.variants, uint64(i), func(p decodeImage) error {
			d.progress(done, len(d.images)*each, p.name+", "+p.size)
			if p.size != asItIs {
				done++
			}
			return d.decode(p)
		})
		if err != nil {
			return err
		}
	}
	d.progress(len(d.images)*each, len(d.images)*each, "done")
	return nil
}

// decode runs every model on an image decoded in every way. The ways take turns, so
// that a disturbance affects all; times are for the first model.
func (d *decodeBench) decode(p decodeImage) error {
	run := decodeRun{decodeImage: p}
	run.file, run.control = nil, nil
	for _, m := range d.models {
		tensors := make([][]byte, len(d.ways))
		took := make([][]time.Duration, len(d.ways))
		for range d.rounds {
			for w, way := range d.ways {
				tensors[w] = make([]byte, m.input.Bytes())
				_, times, err := way.Tensor(tensors[w], p.file, m.input)
				if err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				took[w] = append(took[w], times.Decode+times.Preprocess)
			}
			if m != d.models[0] {
				break
			}
		}
		if m == d.models[0] {
			for w := range d.ways {
				slices.Sort(took[w])
				run.took = append(run.took, took[w][len(took[w])/2])
				run.changed = append(run.changed, !bytes.Equal(tensors[w], tensors[inFull]))
			}
		}
		if p.control != nil {
			control := make([]byte, m.input.Bytes())
			if _, _, err := d.ways[inFull].Tensor(control, p.control, m.input); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			tensors = append(tensors, control)
		}
		if err := m.run(tensors); err != nil {
			return err
		}
	}
	d.decoded = append(d.decoded, run)
	return nil
}

// run keeps the scores of one image's tensors; equal ones are run once.
func (m *decodeModel) run(tensors [][]byte) error {
	scores := make([][]float32, len(tensors))
	for i, tensor := range tensors {
		if same := slices.IndexFunc(tensors[:i], func(t []byte) bool { return bytes.Equal(t, tensor) }); same >= 0 {
			scores[i] = scores[same]
			continue
		}
		s, err := m.runs.Scores(tensor)
		if err != nil {
			return err
		}
		scores[i] = slices.Clone(s)
	}
	m.scores = append(m.scores, scores)
	return nil
}

// agreement compares a model's results in one way with those in full, over the
// images that keep selects. Their numbers stand for the inputs.
func (d *decodeBench) agreement(ctx context.Context, m *decodeModel, way int, keep func(i int) bool) (rewrite.Agreement, error) {
	var numbers [][]byte
	for i := range d.decoded {
		if keep(i) {
			numbers = append(numbers, binary.LittleEndian.AppendUint32(nil, uint32(i)))
		}
	}
	of := func(way int) rewrite.Scores {
		return func(number []byte) ([]float32, error) {
			return m.scores[binary.LittleEndian.Uint32(number)][way], nil
		}
	}
	return rewrite.Compare(ctx, numbers, of(inFull), of(way))
}

// timesOf returns the mean times of the images of a size, by way.
func (d *decodeBench) timesOf(size string) []time.Duration {
	mean := make([]time.Duration, len(d.ways))
	n := 0
	for _, run := range d.decoded {
		if run.size == size {
			n++
			for w, took := range run.took {
				mean[w] += took
			}
		}
	}
	for w := range mean {
		mean[w] /= time.Duration(cmp.Or(n, 1))
	}
	return mean
}

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"

	"edgelens/benchmarks/accuracy"
	"edgelens/benchmarks/record"
	"edgelens/benchmarks/report"
)

// build is a program, on one of its runtimes, with what was measured.
type build struct {
	name, program string
	runtime       string // "" for the program's own choice
	version       string
	// values has each figure's values, one for each turn.
	values map[string][]float64
	// first has the first class of each image by model, and right how many of how many labeled images were right.
	first        map[string]map[string]class
	right, count map[string]int
}

// class is an answer's first class.
type class struct {
	number int
	score  float64
}

// The figures, as they are named in the table.
const (
	invokeInt8Best    = "Invoke int8, best"
	invokeInt8        = "Invoke int8, median"
	invokeFloat32Best = "Invoke float32 of the same weights, best"
	invokeFloat32     = "Invoke float32 of the same weights, median"
	invokeUint8Best   = "Invoke uint8 as it is, best"
	invokeUint8       = "Invoke uint8 as it is, median"
	loadInt8          = "load of the int8 model"
	ceiling           = "ceiling of the pipeline at "
	service           = "service, 8 connections, at "
	memory            = "memory of the service"
)

// sizes are the images' sizes, as they are in their names.
var sizes = []string{"720p", "1080p"}

// command runs the program and returns its output.
func (b *build) command(ctx context.Context, args ...string) ([]byte, error) {
	if b.runtime != "" && args[0] != "version" {
		args = append(args, "--inference-runtime="+b.runtime)
	}
	cmd := exec.CommandContext(ctx, b.program, args...)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		tail := log.Bytes()
		return out, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, tail[max(0, len(tail)-2000):])
	}
	return out, nil
}

// bench runs a benchmark once, and returns its summary and records.
func (b *build) bench(ctx context.Context, dir string, args ...string) (*report.Summary, *record.Records, error) {
	if _, err := b.command(ctx, append(args, "--out="+dir)...); err != nil {
		return nil, nil, err
	}
	folders, err := filepath.Glob(filepath.Join(dir, "bench-*"))
	if err != nil || len(folders) != 1 {
		return nil, nil, fmt.Errorf("%d folders of records in %s instead of one", len(folders), dir)
	}
	records, err := record.Read(folders[0])
	if err != nil {
		return nil, nil, err
	}
	return report.Summarize(records), records, nil
}

func (b *build) add(name string, value float64) {
	if b.values == nil {
		b.values = map[string][]float64{}
	}
	b.values[name] = append(b.values[name], value)
}

// readVersion sets the version of the program and of its runtime.
func (b *build) readVersion(ctx context.Context) error {
	out, err := b.command(ctx, "version")
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	b.version = lines[0]
	for _, line := range lines[1:] {
		if words := strings.Fields(line); len(words) >= 3 && words[0] == "runtime:" && words[1] == cmp.Or(b.runtime, "tflite") {
			b.version += ", " + words[1] + " " + words[2]
		}
	}
	return nil
}

// step measures some figures of a build once, with records below dir.
type step func(ctx context.Context, b *build, dir string) error

// steps are those of a turn.
func (c comparison) steps() []step {
	return []step{c.modelStep(c.int8), c.modelStep(c.uint8), c.pipeline, c.service}
}

// flags are those of each measurement.
func (c comparison) flags() []string {
	flags := []string{"--runs=1", fmt.Sprintf("--duration=%v", c.window), fmt.Sprintf("--warm-up=%v", c.warmUp)}
	for _, image := range c.images {
		flags = append(flags, "--images="+image)
	}
	return flags
}

// modelStep measures a model alone.
func (c comparison) modelStep(model string) step {
	return func(ctx context.Context, b *build, dir string) error {
		args := append([]string{"bench", "model", "--model=" + model, "--model-delegates=auto", "--model-threads=1", "--model-interpreters=1"}, c.flags()...)
		if b.runtime != "" {
			args = append(args, "--model-runtimes="+b.runtime)
		}
		_, records, err := b.bench(ctx, filepath.Join(dir, model), args...)
		if err == nil {
			b.addModel(records, model == c.int8)
		}
		return err
	}
}

func (c comparison) pipeline(ctx context.Context, b *build, dir string) error {
	summary, _, err := b.bench(ctx, filepath.Join(dir, "pipeline"), append([]string{"bench", "pipeline", "--model=" + c.int8}, c.flags()...)...)
	if err == nil {
		b.addThroughput(summary, ceiling, func(k record.Case) bool { return k.Mode == record.ModeCeiling })
	}
	return err
}

func (c comparison) service(ctx context.Context, b *build, dir string) error {
	summary, _, err := b.bench(ctx, filepath.Join(dir, "http"), append([]string{"bench", "http", "--model=" + c.int8, "--kinds=sync", "--connections=8"}, c.flags()...)...)
	if err != nil {
		return err
	}
	isLoad := func(k record.Case) bool { return k.Mode == record.ModeClosed && k.Kind == record.KindSync }
	b.addThroughput(summary, service, isLoad)
	if first := summary.Find(isLoad); first != nil {
		if m, ok := first.Metric(report.Memory); ok {
			b.add(memory, m.Median())
		}
	}
	return nil
}

// addModel adds the figures of a model alone.
func (b *build) addModel(records *record.Records, isInt8 bool) {
	for _, k := range records.Run.Cases {
		var best, median string
		switch {
		case isInt8 && k.Variant == "":
			best, median = invokeInt8Best, invokeInt8
		case isInt8 && k.Variant == "float32":
			best, median = invokeFloat32Best, invokeFloat32
		case !isInt8 && k.Variant == "":
			best, median = invokeUint8Best, invokeUint8
		default:
			continue
		}
		var invokes []float64
		for _, s := range records.Samples {
			if s.Case == k.Name && s.Run > 0 && s.Status == record.Good {
				invokes = append(invokes, 1000*s.Latency().Seconds())
			}
		}
		if len(invokes) > 0 {
			b.add(best, lowest(invokes))
			b.add(median, middle(invokes))
		}
		for _, f := range records.Figures {
			if best == invokeInt8Best && f.Case == k.Name && f.Run > 0 && f.Name == record.FigureInit {
				b.add(loadInt8, 1000*f.Value)
			}
		}
	}
}

// addThroughput adds the throughput at each size.
func (b *build) addThroughput(s *report.Summary, name string, want func(record.Case) bool) {
	for _, size := range sizes {
		found := s.Find(func(k record.Case) bool { return want(k) && strings.Contains(k.Image, size) })
		if found == nil {
			continue
		}
		if m, ok := found.Metric(report.Throughput); ok {
			b.add(name+size, m.Median())
		}
	}
}

// answers recognizes the labeled images and the photos.
func (c comparison) answers(ctx context.Context, b *build) error {
	b.first, b.right, b.count = map[string]map[string]class{}, map[string]int{}, map[string]int{}
	for _, model := range []string{c.int8, c.uint8} {
		b.first[model] = map[string]class{}
		if c.labeled != "" {
			if err := c.label(ctx, b, model); err != nil {
				return err
			}
		}
		if len(c.photos) == 0 {
			continue
		}
		out, err := b.command(ctx, append([]string{"recognize", "--json", "--model=" + model}, c.photos...)...)
		if err != nil {
			return err
		}
		if err := b.addPhotos(model, out); err != nil {
			return err
		}
	}
	return nil
}

func (b *build) addPhotos(model string, lines []byte) error {
	for decoder := json.NewDecoder(bytes.NewReader(lines)); ; {
		var line struct {
			File        string `json:"file"`
			Predictions []struct {
				ClassID     int     `json:"class_id"`
				Probability float64 `json:"probability"`
			} `json:"predictions"`
		}
		if err := decoder.Decode(&line); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the answers: %w", err)
		}
		if len(line.Predictions) > 0 {
			b.first[model][filepath.Base(line.File)] = class{line.Predictions[0].ClassID, line.Predictions[0].Probability}
		}
	}
}

// label recognizes the labeled images.
func (c comparison) label(ctx context.Context, b *build, model string) error {
	dir := filepath.Join(c.records, "labeled", b.name, model)
	if _, err := b.command(ctx, "bench", "accuracy", c.labeled, "--out="+dir, "--model="+model, "--fit=center", "--frame=as-is", "--requantize=false", "--delegate=auto"); err != nil {
		return err
	}
	folders, err := filepath.Glob(filepath.Join(dir, "accuracy-*"))
	if err != nil || len(folders) != 1 {
		return fmt.Errorf("%d folders of records in %s instead of one", len(folders), dir)
	}
	answers, err := accuracy.ReadAnswers(folders[0])
	if err != nil {
		return err
	}
	for _, a := range answers {
		if a.Failure != "" {
			continue
		}
		b.first[model][a.Image] = class{a.Classes[0], a.Probabilities[0]}
		b.count[model]++
		if a.Classes[0] == a.Class {
			b.right[model]++
		}
	}
	return nil
}

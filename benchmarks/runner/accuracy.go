package runner

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"edgelens"
	"edgelens/benchmarks/accuracy"
	"edgelens/benchmarks/suite"
	"edgelens/internal/board"
	"edgelens/internal/console"
	"edgelens/models"
	"edgelens/preprocess"
)

// Accuracy measures how right the answers to labeled images are, and prints the report to out. Progress goes to
// progress. An interrupted run leaves its folder, to be continued, and prints the report so far.
func Accuracy(ctx context.Context, c AccuracyConfig, out, progress io.Writer) error {
	m, err := c.parse()
	if err != nil {
		return err
	}
	dir, err := c.measure(ctx, m, progress)
	if dir == "" {
		return err
	}
	if err != nil {
		err = fmt.Errorf("%w; continue with the same command and --resume %s", err, dir)
	}
	return errors.Join(err, c.report(dir, m.required, err == nil, out, progress))
}

// measure measures, and returns the folder of the records; "" where nothing was measured.
func (c *AccuracyConfig) measure(ctx context.Context, m measured, progress io.Writer) (dir string, err error) {
	now, machine := time.Now(), board.Prober{Root: "/"}
	run := &accuracy.Run{ID: accuracy.FolderName(now), Started: now, Command: c.Command, Version: c.Version, Commit: commitOf(c.Version),
		Board: machine.Facts(), Before: machine.State(ctx), Notes: slices.Clone(c.Notes)}
	run.Frames, run.Seed, run.Target, run.Variants = m.frames, c.Seed, c.Target, m.choices.Variants()
	var settings bytes.Buffer
	if err := c.Settings.Print(&settings); err != nil {
		return "", err
	}
	run.Settings = settings.String()
	run.Notes = append(run.Notes, m.notes()...)
	answerer, end, err := c.answerer(ctx, run)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, end()) }()
	set, err := accuracy.ReadSet(c.Folder, accuracy.NewClasses(run.Classes, run.Labels))
	if err != nil {
		return "", err
	}
	if err := set.Check(); err != nil {
		return "", err
	}
	run.Set, run.From, run.Images, run.Unmatched, run.Notes = set.Digest(), set.From, len(set.Items), set.Unmatched, append(run.Notes, set.Notes...)
	for _, r := range m.required {
		if err := r.Known(run.Parameters); err != nil {
			return "", err
		}
	}
	decoder, err := preprocess.New(c.decoding())
	if err != nil {
		return "", err
	}
	defer decoder.Close() // it only frees memory
	w, run, err := c.open(run)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	err = accuracy.Measurement{
		Run: run, Set: set, Answerer: answerer, Decoder: uprights{decoder}, Workers: c.Settings.Recognize.Slots,
		Progress: console.NewProgress(progress, progressLines),
	}.Measure(ctx, w)
	if err == nil && run.Ended.IsZero() {
		run.Ended = time.Now()
		err = w.Update(run)
	}
	return w.Dir(), err
}

// progressLines is about how many lines of progress there are where there is no terminal.
const progressLines = 10

// decoding are the settings with which images for frames are decoded: in full.
func (c *AccuracyConfig) decoding() preprocess.Config {
	decoding := c.Settings.Preprocess
	decoding.ReduceJPEG = 0
	return decoding
}

// answerer returns what answers, and a function that ends it; it completes the run's variants, labels and settings.
func (c *AccuracyConfig) answerer(ctx context.Context, run *accuracy.Run) (accuracy.Answerer, func() error, error) {
	if c.Target != "" {
		target := accuracy.Target{Base: c.Target, Client: suite.WithKey(suite.NewClient(c.Settings.Recognize.Slots), c.Key), Variants: run.Variants}
		var err error
		for i := 0; i < len(run.Variants) && err == nil; i++ {
			var classes int
			var labels []string
			if classes, labels, err = target.Describe(ctx, i); i == 0 {
				run.Classes, run.Labels = classes, labels
			}
			err = cmp.Or(err, sameClasses(run.Variants[i], classes, run.Classes))
		}
		return target, func() error { target.Client.CloseIdleConnections(); return nil }, err
	}
	made, err := newCores(*c.Settings, run.Variants)
	if err != nil {
		return nil, nil, err
	}
	for i := range run.Variants {
		v := &run.Variants[i]
		spec, err := made.describe(ctx, v)
		if err != nil {
			return nil, nil, errors.Join(err, made.close())
		}
		classes, err := models.Classes(spec.Output)
		if i == 0 {
			run.Classes, run.Labels = classes, spec.Labels
		}
		if err := cmp.Or(err, sameClasses(*v, classes, run.Classes)); err != nil {
			return nil, nil, errors.Join(err, made.close())
		}
	}
	var notes []string
	run.Variants, notes = accuracy.Distinct(run.Variants)
	run.Notes, made.variants = append(run.Notes, notes...), run.Variants
	run.Preprocess, run.Inference = fmt.Sprintf("%+v", c.decoding()), fmt.Sprintf("%+v", c.Settings.Inference)
	return made, made.close, nil
}

// sameClasses returns an error for a model with another number of classes than the first.
func sameClasses(v accuracy.Variant, classes, first int) error {
	if classes == first {
		return nil
	}
	return fmt.Errorf("%w: --model: %s has %d classes and the first model %d, so the same labels cannot be right for both; measure them one by one", edgelens.ErrInvalid, v.Model, classes, first)
}

// open makes the folder of a run, or opens the one to continue and returns its run.
func (c *AccuracyConfig) open(run *accuracy.Run) (*accuracy.Writer, *accuracy.Run, error) {
	if c.Resume == "" {
		w, err := accuracy.Create(filepath.Join(c.Out, run.ID), run)
		return w, run, err
	}
	earlier, err := accuracy.ReadRun(c.Resume)
	if err != nil {
		return nil, nil, fmt.Errorf("--resume: %w", err)
	}
	if err := run.Parameters.Check(earlier.Parameters); err != nil {
		return nil, nil, fmt.Errorf("--resume %s: %w", c.Resume, err)
	}
	if earlier.Ended.IsZero() && earlier.Version != run.Version {
		earlier.Notes = append(earlier.Notes, fmt.Sprintf("Begun by edgelens %s, continued by %s.", earlier.Version, run.Version))
		earlier.Version = run.Version
	}
	w, err := accuracy.Resume(c.Resume)
	return w, earlier, err
}

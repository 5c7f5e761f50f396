package runner

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"edgelens"
	"edgelens/benchmarks/accuracy"
	"edgelens/benchmarks/board"
	"edgelens/benchmarks/report"
	"edgelens/benchmarks/suite"
	"edgelens/inference"
	"edgelens/internal/atomicfile"
	"edgelens/internal/config"
	"edgelens/internal/console"
	"edgelens/models"
	"edgelens/preprocess"
)

// AccuracyConfig is the configuration of Accuracy. Errors name its members by the flags of `edgelens bench accuracy`.
type AccuracyConfig struct {
	Service
	// Folder has the labelled images.
	Folder string
	// Out is the parent folder of this run's folder; Resume is the folder of a run to continue.
	Out, Resume string
	// Target is the URL of a running service to measure; "" measures in this process.
	Target string
	// Fits and Frames are texts; empty lists of the others are the settings' own value.
	Fits, Frames []string
	Requantize   []bool
	Delegates    []string
	ReduceJPEG   []float64
	Seed         uint64
	// Precision is a wanted share of right answers; 0 for none.
	Precision float64
	// Write is the file of settings to write the threshold for Precision to; "" for none.
	Write string
	// Require are differences that must be measured; see accuracy.ParseRequirement.
	Require []string
	// Markdown is a file to write the tables to; "" for none. Title is its title.
	Markdown, Title string
	// Notes are sentences for the report.
	Notes []string
	// Command is the command line, for the report.
	Command []string
}

// DefaultAccuracyConfig measures all fits on the images as they are.
func DefaultAccuracyConfig() AccuracyConfig {
	c := AccuracyConfig{Out: ".", Frames: []string{accuracy.Frame{}.String()}, Seed: 1, Title: "Accuracy"}
	for _, fit := range edgelens.Fits() {
		c.Fits = append(c.Fits, string(fit))
	}
	return c
}

// measured is a run in preparation.
type measured struct {
	choices  accuracy.Choices
	frames   []accuracy.Frame
	required []accuracy.Requirement
}

// parse reads the texts, and reports every error at once.
func (c *AccuracyConfig) parse() (m measured, err error) {
	var errs []error
	for _, text := range c.Fits {
		fit := edgelens.Fit(text)
		if fit == "" || fit.Check() != nil {
			errs = append(errs, fmt.Errorf("--fit must be center, stretch, sweep or pad, not %.40q", text))
		}
		m.choices.Fits = append(m.choices.Fits, fit)
	}
	for _, text := range c.Frames {
		frame, err := accuracy.ParseFrame(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("--frame: %w", err))
		}
		m.frames = append(m.frames, frame)
	}
	for _, text := range c.Require {
		r, err := accuracy.ParseRequirement(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("--require: %w", err))
		}
		m.required = append(m.required, r)
	}
	if !(c.Precision >= 0 && c.Precision <= 1) {
		errs = append(errs, fmt.Errorf("--precision must be 0 (none) to 1, such as 0.95, not %v", c.Precision))
	}
	if u, err := url.Parse(c.Target); c.Target != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		errs = append(errs, errors.New("--target must be an http:// or https:// URL"))
	}
	own := c.own()
	m.choices.Models = strings.Split(c.Settings.Model, ",")
	m.choices.Requantize, m.choices.Delegates, m.choices.ReduceJPEG = own.Requantize, own.Delegates, own.ReduceJPEG
	if c.Requantize != nil {
		m.choices.Requantize = c.Requantize
	}
	if c.Delegates != nil {
		m.choices.Delegates = c.Delegates
	}
	if c.ReduceJPEG != nil {
		m.choices.ReduceJPEG = c.ReduceJPEG
	}
	errs = append(errs, c.checkSettings(m.choices)...)
	if len(m.choices.Fits) == 0 || len(m.frames) == 0 {
		errs = append(errs, errors.New("--fit and --frame need at least one value"))
	}
	if repeated := m.repeated(); repeated != "" {
		errs = append(errs, fmt.Errorf("%s has the same value twice", repeated))
	}
	if c.Target != "" {
		errs = append(errs, m.choices.CheckTarget(own))
	}
	return m, errors.Join(errs...)
}

// own are the settings' own values.
func (c *AccuracyConfig) own() accuracy.Choices {
	return accuracy.Choices{Requantize: []bool{c.Settings.Inference.Requantize}, Delegates: []string{c.Settings.Inference.Delegate},
		ReduceJPEG: []float64{c.Settings.Preprocess.ReduceJPEG}}
}

// checkSettings checks values as the settings' own are checked.
func (c *AccuracyConfig) checkSettings(choices accuracy.Choices) []error {
	var errs []error
	for _, delegate := range choices.Delegates {
		settings := inference.DefaultConfig()
		settings.Delegate = delegate
		if err := settings.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("--delegate: %w", err))
		}
	}
	for _, reduce := range choices.ReduceJPEG {
		settings := preprocess.DefaultConfig()
		settings.ReduceJPEG = reduce
		if err := settings.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("--reduce-jpeg: %w", err))
		}
	}
	return errs
}

// repeated is the flag of a list with the same value twice; "" for none.
func (m measured) repeated() string {
	switch c := m.choices; {
	case hasTwice(c.Fits):
		return "--fit"
	case hasTwice(m.frames):
		return "--frame"
	case hasTwice(c.Models):
		return "--model"
	case hasTwice(c.Requantize):
		return "--requantize"
	case hasTwice(c.Delegates):
		return "--delegate"
	case hasTwice(c.ReduceJPEG):
		return "--reduce-jpeg"
	}
	return ""
}

func hasTwice[T comparable](values []T) bool {
	seen := map[T]bool{}
	for _, v := range values {
		if seen[v] {
			return true
		}
		seen[v] = true
	}
	return false
}

// Accuracy measures how right the answers to labelled images are, and prints the report to out. Progress goes to
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
	now := time.Now()
	run := &accuracy.Run{ID: accuracy.FolderName(now), Started: now, Command: c.Command, Version: c.Version, Commit: commitOf(c.Version),
		Board: board.Prober{Root: "/"}.Facts(), Notes: slices.Clone(c.Notes)}
	run.Frames, run.Seed, run.Target, run.Variants = m.frames, c.Seed, c.Target, m.choices.Variants()
	var settings bytes.Buffer
	if err := c.Settings.Print(&settings); err != nil {
		return "", err
	}
	run.Settings = settings.String()
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
	w, run, err := c.open(run)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	decoder, err := preprocess.New(c.decoding())
	if err != nil {
		return "", err
	}
	defer decoder.Close() // it only frees memory
	err = accuracy.Measurement{
		Run: run, Set: set, Answerer: answerer, Decoder: uprights{decoder}, Workers: c.Settings.Recognize.Slots,
		Progress: console.NewProgress(progress, progressLines),
	}.Measure(ctx, w)
	if err == nil {
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
		target := accuracy.Target{Base: c.Target, Client: suite.NewClient(c.Settings.Recognize.Slots), Variants: run.Variants}
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
	if earlier.Version != run.Version {
		earlier.Notes = append(earlier.Notes, fmt.Sprintf("Begun by edgelens %s, continued by %s.", earlier.Version, run.Version))
		earlier.Version = run.Version
	}
	w, err := accuracy.Resume(c.Resume)
	return w, earlier, err
}

// report writes and prints the report of a folder. Of a complete run, it also finds the threshold and checks what is
// required.
func (c *AccuracyConfig) report(dir string, required []accuracy.Requirement, complete bool, out, progress io.Writer) error {
	summary, err := accuracy.Summarize(dir)
	if err != nil {
		return err
	}
	if err := summary.Measured(); err != nil && complete {
		return fmt.Errorf("%w; raw records: %s", err, dir)
	} else if err != nil {
		return nil // why it ended is known
	}
	var problems []error
	var found *accuracy.Precision
	if complete {
		if found, err = c.want(summary); err != nil {
			problems = append(problems, err)
		}
		problems = append(problems, require(summary, required))
	}
	if err := summary.Write(dir); err != nil {
		return err
	}
	if err := summary.Text(out); err != nil {
		return err
	}
	if found != nil {
		problems = append(problems, c.writeThreshold(*found, out))
	}
	if c.Markdown != "" && complete {
		problems = append(problems, c.writeMarkdown(summary))
	}
	fmt.Fprintf(progress, "\nReport, plots and raw records: %s\n", dir) // progress only
	return errors.Join(problems...)
}

// want finds the threshold for the wanted precision; nil where none is wanted.
func (c *AccuracyConfig) want(summary *accuracy.Summary) (*accuracy.Precision, error) {
	if c.Precision == 0 {
		return nil, nil
	}
	return summary.Want(c.Precision)
}

// require checks the requirements; the error has the number of those that are missed.
func require(summary *accuracy.Summary, required []accuracy.Requirement) error {
	var missed []string
	for _, r := range required {
		if got := summary.Require(r); !got.Met {
			missed = append(missed, fmt.Sprintf("%s is %+.1f points and must be %s", got.What, got.Points, got.Want))
		}
	}
	if missed == nil {
		return nil
	}
	return fmt.Errorf("%d of %d required %s missed: %s", len(missed), len(required), console.Plural(len(required), "difference"), strings.Join(missed, "; "))
}

// thresholdKey is the setting that makes answers with a lower probability uncertain.
const thresholdKey = "terminal.min_score"

// writeThreshold writes the setting, or prints it where no file is given.
func (c *AccuracyConfig) writeThreshold(found accuracy.Precision, out io.Writer) error {
	text := strconv.FormatFloat(found.At, 'f', -1, 64)
	if c.Write == "" {
		_, err := fmt.Fprintf(out, "Put it into your settings (edgelens.yaml), or add --write FILE: %s: %s\n", thresholdKey, text)
		return err
	}
	if err := config.SetInFile(c.Write, thresholdKey, text); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "Written to %s: %s: %s\n", c.Write, thresholdKey, text)
	return err
}

func (c *AccuracyConfig) writeMarkdown(summary *accuracy.Summary) error {
	var text bytes.Buffer
	if err := summary.Markdown(&text, c.Title, nil); err != nil {
		return err
	}
	if err := atomicfile.Write(c.Markdown, text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("--markdown: %w", err)
	}
	return nil
}

// Report regenerates the report of a folder of `edgelens bench`, and prints a short one to out.
func Report(dir string, out io.Writer) error {
	if accuracy.IsFolder(dir) {
		summary, err := accuracy.Summarize(dir)
		if err != nil {
			return err
		}
		if err := summary.Write(dir); err != nil {
			return err
		}
		return summary.Text(out)
	}
	summary, err := report.Make(dir)
	if err != nil {
		return err
	}
	return summary.Text(out)
}

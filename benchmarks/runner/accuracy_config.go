package runner

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"edgelens"
	"edgelens/benchmarks/accuracy"
	"edgelens/inference"
	"edgelens/preprocess"
)

// AccuracyConfig is the configuration of Accuracy. Errors name its members by the flags of `edgelens bench accuracy`.
type AccuracyConfig struct {
	Service
	// Folder has the labeled images.
	Folder string
	// Out is the parent folder of this run's folder; Resume is the folder of a run to continue.
	Out, Resume string
	// Target is the URL of a running service to measure; "" measures in this process.
	Target string
	// Key is the token of a key for that service; "" for none.
	Key string
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
	// WriteGiven is true where the user chose Write; then Precision must be given, too.
	WriteGiven bool
	// Require are differences that must be measured; see accuracy.ParseRequirement.
	Require []string
	// Markdown is a file to write the tables to; "" for none. Title is its title.
	Markdown, Title string
	// Notes are sentences for the report.
	Notes []string
	// Command is the command line, for the report.
	Command []string
	// JSON is whether the summary is printed as JSON.
	JSON bool
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

// notes are sentences on what the figures cannot show.
func (m measured) notes() []string {
	framed := slices.ContainsFunc(m.frames, func(f accuracy.Frame) bool { return f != accuracy.Frame{} })
	if framed && slices.ContainsFunc(m.choices.ReduceJPEG, func(v float64) bool { return v != 0 }) {
		return []string{"Images in frames are BMP files, so reduce_jpeg changes nothing there."}
	}
	return nil
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
	if c.Write != "" && c.Precision == 0 && c.WriteGiven {
		errs = append(errs, errors.New("--write needs --precision: it is the threshold for that precision that is written"))
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

// Package study is the shared code of the studies.
package study

import (
	"context"
	"errors"
	"fmt"
	_ "image/jpeg" // the studies decode images of these formats
	_ "image/png"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/webp"

	"edgelens/inference"
	"edgelens/inference/probe"
	"edgelens/inference/requantize"
	"edgelens/inference/runtimes"
	"edgelens/inference/tflite"
	"edgelens/internal/app"
	"edgelens/internal/atomicfile"
	"edgelens/models/rewrite"
)

// Main runs a study with the arguments of the command line and ends the process: with
// status 1 and the error on stderr where it fails.
func Main(name string, run func(ctx context.Context, args []string, stdout, stderr io.Writer) error) {
	probe.Main(tflite.New()) // this may be a child process that tries a model
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// ErrNoModel: no model file was given.
var ErrNoModel = errors.New("give at least one .tflite file")

// Strengths are those of the variants of images, with their names.
var Strengths = [2]struct {
	Name string
	rewrite.Strength
}{{"mild", rewrite.Mild}, {"strong", rewrite.Strong}}

// Options are how the studies run models.
var Options = inference.Options{Threads: 1, Delegate: inference.DelegateAuto}

// OpenScorer opens a model file with Options, once it was tried in a child process.
func OpenScorer(ctx context.Context, path string) (*requantize.Scorer, error) {
	c := inference.DefaultConfig()
	c.Interpreters, c.Threads, c.Delegate = 1, Options.Threads, Options.Delegate
	if err := requantize.TryFile(ctx, app.OneTimeProber(runtimes.New(runtimes.Config{})), path, "", c); err != nil {
		return nil, err
	}
	return requantize.NewScorer(tflite.New(), path, Options)
}

// WriteReport writes a report to the file out, or to stdout where out is "".
func WriteReport(out string, stdout io.Writer, report []byte) error {
	if out == "" {
		_, err := stdout.Write(report)
		return err
	}
	return atomicfile.Write(out, report, 0o644)
}

// ModelName is how reports name the model in a file.
func ModelName(path string) string { return strings.TrimSuffix(filepath.Base(path), ".tflite") }

// BaseNames returns the files' names without their folders, comma-separated.
func BaseNames(paths []string) string {
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = filepath.Base(p)
	}
	return strings.Join(names, ", ")
}

// Milliseconds returns a time as in reports.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

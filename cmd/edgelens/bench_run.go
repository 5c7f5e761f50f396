package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"edgelens/benchmarks/board"
	"edgelens/benchmarks/record"
	"edgelens/benchmarks/report"
	"edgelens/benchmarks/suite"
	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/models"
)

// bench measures, and prints what came of it: a table and, where targets are
// given, what was wanted beside what was reached.
func bench(cmd *cobra.Command, c *config.Config, flags *benchFlags, which []string, targets func(*report.Summary) []report.Target) error {
	dir, err := measure(cmd, c, flags, which)
	if dir == "" {
		return err
	}
	return errors.Join(err, printBench(cmd, dir, targets))
}

func printBench(cmd *cobra.Command, dir string, targets func(*report.Summary) []report.Target) error {
	summary, err := report.Make(dir)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if err := summary.Text(out); err != nil {
		return err
	}
	if targets != nil {
		fmt.Fprintln(out) // the next writer returns the error
		if _, _, err := report.TargetsText(out, targets(summary)); err != nil {
			return err
		}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "\nReport, plots and raw records: %s\n", dir) // only talk
	return nil
}

// measure fills a folder with records and returns it, also where it was
// interrupted; "" where nothing was measured.
func measure(cmd *cobra.Command, c *config.Config, flags *benchFlags, which []string) (dir string, err error) {
	if err := flags.check(); err != nil {
		return "", err
	}
	images, err := benchImages(flags.images)
	if err != nil {
		return "", err
	}
	run, err := newRun(cmd, c, flags)
	if err != nil {
		return "", err
	}
	ctx, talk := cmd.Context(), cmd.ErrOrStderr()
	b := &bencher{config: c, flags: flags, images: images, run: run, cmd: cmd}
	defer func() { err = errors.Join(err, b.close()) }()
	tasks, err := b.tasks(ctx, which)
	if err != nil {
		return "", err
	}
	prober := board.Prober{Root: "/"}
	run.Before, run.After = prober.State(ctx), prober.State(ctx)
	run.Cases = append(b.cases, suite.Cases(tasks)...)
	w, err := record.Create(filepath.Join(flags.out, run.ID), run)
	if err != nil {
		return "", err
	}
	if err := w.Add(nil, b.figures); err != nil {
		return "", errors.Join(err, w.Close())
	}
	measured := suite.Execute(ctx, flags.plan, tasks, run, w, newBenchProgress(talk, flags.plan))
	run.After = prober.State(context.WithoutCancel(ctx))
	if measured == nil {
		run.Ended = time.Now()
	}
	return w.Dir(), errors.Join(measured, w.Update(run), w.Close())
}

func newRun(cmd *cobra.Command, c *config.Config, flags *benchFlags) (*record.Run, error) {
	now := time.Now()
	run := &record.Run{
		ID: record.FolderName(now), Started: now, Command: append([]string{"edgelens"}, commandLine(cmd)...),
		Version: version, Commit: commitOf(version), Go: runtime.Version(), Seed: flags.seed, Rounds: flags.plan.Rounds,
		Board: board.Prober{Root: "/"}.Facts(), Settings: "target: " + flags.target,
	}
	if flags.target != "" {
		return run, nil // its model and settings are its own affair
	}
	var settings bytes.Buffer
	if err := c.Print(&settings); err != nil {
		return nil, err
	}
	run.Settings = settings.String()
	model, err := benchModel(cmd.Context(), c)
	if err != nil {
		return nil, err
	}
	run.Model, run.Digest = model.Name, model.Digest
	return run, nil
}

// commandLine returns the command with the flags that were given.
func commandLine(cmd *cobra.Command) []string {
	line := append(strings.Fields(cmd.CommandPath())[1:], cmd.Flags().Args()...)
	return append(line, changedFlags(cmd, func(string) bool { return true })...)
}

// commitOf finds the commit in what git describe says.
func commitOf(version string) string {
	if _, commit, ok := strings.Cut(version, "-g"); ok {
		return commit
	}
	return version
}

// benchModel returns the model that is measured, once it was tried; an error says
// how to get it.
func benchModel(ctx context.Context, c *config.Config) (models.Model, error) {
	registry, err := app.OpenModels(c)
	if err != nil {
		return models.Model{}, err
	}
	model, err := registry.Get(c.Model)
	if err != nil {
		return models.Model{}, err
	}
	if prober := app.NewProber(c, slog.New(slog.DiscardHandler)); prober != nil {
		err = prober.Probe(ctx, model, c.Inference)
	}
	return model, err
}

func benchImages(paths []string) ([]suite.Image, error) {
	if len(paths) == 0 {
		return suite.MadeImages(), nil
	}
	var images []suite.Image
	for _, path := range paths {
		files, err := imageFiles(path)
		if err != nil {
			return nil, fmt.Errorf("--images: %w", err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("--images: %w", err)
			}
			name := filepath.Base(file)
			if slices.ContainsFunc(images, func(p suite.Image) bool { return p.Name == name }) {
				return nil, fmt.Errorf("--images: two images are named %s; reports could not tell them apart", name)
			}
			images = append(images, suite.Image{Name: name, Data: data})
		}
	}
	return images, nil
}

// newBenchProgress draws a bar where somebody looks, else a line a round.
func newBenchProgress(out io.Writer, plan suite.Plan) suite.Progress {
	if !isTerminal(out) {
		return func(done, all int, what string) {
			if done%max(1, all/(plan.Rounds+1)) == 0 {
				fmt.Fprintf(out, "%d of %d: %s\n", done, all, what) // only talk
			}
		}
	}
	var bar *progressbar.ProgressBar
	return func(done, all int, what string) {
		if bar == nil {
			bar = progressbar.NewOptions(all, progressbar.OptionSetWriter(out), progressbar.OptionSetWidth(30), progressbar.OptionShowCount(),
				progressbar.OptionSetPredictTime(true), progressbar.OptionOnCompletion(func() { fmt.Fprintln(out) })) // only talk
		}
		bar.Describe(what)
		_ = bar.Set(done) // a bar that cannot be drawn is no reason to stop
	}
}

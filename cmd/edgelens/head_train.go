package main

import (
	"context"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/internal/client"
	"edgelens/internal/console"
)

func newHeadTrain(environ []string) *cobra.Command {
	var c client.Client
	var t edgelens.Training
	var threshold float64
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "train NAME --dataset DATASET",
		Short: "Train a head on the examples of a dataset, and print how well it answers",
		Long: "Train a head, a small classifier on the embeddings of a dataset, on the service. Its next version is live\n" +
			"at once: recognize with --model NAME. The report is about examples that it was not trained on.",
		Example: "  edgelens head train gate --dataset gate\n  edgelens recognize --model gate gate.jpg",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("threshold") {
				t.Threshold = &threshold
			}
			end := showTraining(cmd.Context(), c, cmd.ErrOrStderr(), args[0])
			v, err := c.TrainHead(cmd.Context(), args[0], t)
			end()
			if err != nil {
				return err
			}
			return asJSON.print(cmd, v, func(out io.Writer) error { return printTraining(out, v) })
		},
	}
	addServerFlags(cmd, &c, environ)
	f := cmd.Flags()
	f.StringVar(&t.Dataset, "dataset", "", "the dataset to learn from (`edgelens dataset list`)")
	f.StringVar(&t.Method, "method", "softmax", "softmax (regression) or imprinting (the mean of each class)")
	f.Uint64Var(&t.Seed, "seed", 0, "what decides which examples are held out together; the same gives the same head")
	f.Float64Var(&threshold, "threshold", 0, "the probability below which the answer is unknown (default: the one that keeps 95% of the right held-out answers)")
	f.BoolVar(&t.Candidate, "candidate", false, "do not make the version live; `edgelens head rollback --version` does")
	_ = cmd.MarkFlagRequired("dataset") // the flag exists
	asJSON.add(cmd, "")
	return cmd
}

// progressInterval is how often the progress is asked for.
const progressInterval = 300 * time.Millisecond

// showTraining draws a bar on a terminal until its end is called.
func showTraining(ctx context.Context, c client.Client, out io.Writer, name string) (end func()) {
	if !console.IsTerminal(out) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var bar *progressbar.ProgressBar
		every := time.NewTicker(progressInterval)
		defer every.Stop()
		for {
			select {
			case <-ctx.Done():
				if bar != nil {
					_ = bar.Finish() // an error only affects the bar
				}
				return
			case <-every.C:
			}
			list, err := c.Heads(ctx)
			if err != nil || list.Training == nil || list.Training.Name != name || list.Training.Total == 0 {
				continue
			}
			if bar == nil {
				bar = progressbar.NewOptions(list.Training.Total, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("training"),
					progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
			}
			_ = bar.Set(list.Training.Done) // an error only affects the bar
		}
	}()
	return func() { cancel(); <-done }
}

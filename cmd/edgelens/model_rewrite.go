package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"edgelens/inference"
	"edgelens/inference/requantize"
	"edgelens/inference/tflite"
	"edgelens/internal/app"
	"edgelens/internal/atomicfile"
	"edgelens/models"
	"edgelens/models/rewrite"
	"edgelens/models/tflitefile"
)

func newModelRequantize() *cobra.Command {
	var force, unchecked bool
	cmd := &cobra.Command{
		Use:   "requantize IN OUT",
		Short: "Make an int8 model of a legacy uint8 one, which XNNPACK runs several times faster",
		Long: "Make an int8 model of a legacy uint8 one, which XNNPACK runs several times faster. Its inputs and\n" +
			"outputs stay uint8. Both are tried on made-up images, and nothing is written where they answer\n" +
			"otherwise.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, out := args[0], args[1]
			return rewriteFile(in, out, force, rewrite.Requantize, func(temporary string) error {
				if unchecked {
					return nil
				}
				agreement, err := requantize.Comparison{Backend: tflite.New(), Prober: app.OneTimeProber(), Config: oneInterpreter()}.Compare(cmd.Context(), in, temporary)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", out, agreement)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace OUT")
	cmd.Flags().BoolVar(&unchecked, "no-check", false, "do not try it on images")
	return cmd
}

func newModelDequantize() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "dequantize IN OUT",
		Short: "Make a float32 model of a quantized one, with the same weights, to compare with",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			return rewriteFile(args[0], args[1], force, rewrite.Dequantize, func(string) error { return nil })
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace OUT")
	return cmd
}

// rewriteFile writes out what f makes of the model in a file, once check takes
// it.
func rewriteFile(in, out string, force bool, f func(*tflitefile.Model) (*tflitefile.Model, error), check func(string) error) error {
	if _, err := os.Lstat(out); !force && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is there already; --force replaces it", out)
	}
	m, err := models.ReadFile(in)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	made, err := f(m)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	data, err := made.Write()
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	return atomicfile.WriteChecked(out, data, 0o644, check)
}

// oneInterpreter is how commands run a file.
func oneInterpreter() inference.Config {
	c := inference.DefaultConfig()
	c.Interpreters = 1
	return c
}

// newTriedScorer opens a model file that may be anything.
func newTriedScorer(ctx context.Context, path string, options inference.Options) (*requantize.Scorer, error) {
	c := oneInterpreter()
	c.Threads, c.Delegate = options.Threads, options.Delegate
	if err := requantize.TryFile(ctx, app.OneTimeProber(), path, "", c); err != nil {
		return nil, err
	}
	return requantize.NewScorer(tflite.New(), path, options)
}

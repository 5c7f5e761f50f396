package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/internal/app"
	"edgelens/models/rewrite"
)

func newModelRequantize() *cobra.Command {
	var force, unchecked bool
	var task string
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "requantize IN OUT",
		Short: "Convert a legacy uint8 model to int8, which XNNPACK runs up to twice as fast",
		Long: "Convert a legacy uint8 model to int8, which XNNPACK runs up to twice as fast. Its inputs and\n" +
			"outputs stay uint8. Both are compared on generated images, and nothing is written where they\n" +
			"differ.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, out := args[0], args[1]
			if task != edgelens.TaskClassification && task != edgelens.TaskEmbedding {
				return usageError{fmt.Errorf("--task must be %s or %s, not %q", edgelens.TaskClassification, edgelens.TaskEmbedding, task)}
			}
			written := jsonRewritten{File: out}
			var check func(string) error
			if !unchecked {
				check = func(temporary string) error {
					agreement, err := app.CompareRequantized(cmd.Context(), task, in, temporary)
					written.compared(task, agreement)
					return err
				}
			}
			if err := rewrite.File(in, out, force, rewrite.Requantize, check); err != nil {
				return err
			}
			return asJSON.print(cmd, written, written.text)
		},
	}
	asJSON.add(cmd, "")
	cmd.Flags().BoolVar(&force, "force", false, "replace OUT")
	cmd.Flags().BoolVar(&unchecked, "no-check", false, "do not compare the models on images")
	cmd.Flags().StringVar(&task, "task", edgelens.TaskClassification, "what the model is for, which decides what is compared: "+edgelens.TaskClassification+" or "+edgelens.TaskEmbedding)
	return cmd
}

// jsonRewritten is the JSON of a model file that was written. Names are added and never changed: scripts read them.
type jsonRewritten struct {
	File string `json:"file"`
	// Agreement is absent where the models were not compared.
	Agreement *jsonAgreement `json:"agreement,omitempty"`

	described string // the agreement as text
}

// jsonAgreement is how alike the answers of two models are.
type jsonAgreement struct {
	Inputs         int     `json:"inputs"`
	SameOrClose    float64 `json:"same_or_close"`
	MeanDifference float64 `json:"mean_difference"`
	LeastCosine    float64 `json:"least_cosine"`
}

// compared adds the outcome of the comparison.
func (r *jsonRewritten) compared(task string, a rewrite.Agreement) {
	r.Agreement, r.described = &jsonAgreement{a.Inputs, a.SameOrClose(), a.MeanDifference, a.LeastCosine}, a.String()
	if task == edgelens.TaskEmbedding {
		r.described = a.FeaturesString()
	}
}

// text prints nothing where the models were not compared.
func (r jsonRewritten) text(out io.Writer) error {
	if r.Agreement == nil {
		return nil
	}
	_, err := fmt.Fprintf(out, "%s: %s\n", r.File, r.described)
	return err
}

func newModelDequantize() *cobra.Command {
	var force bool
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "dequantize IN OUT",
		Short: "Convert a quantized model to float32, with the same weights, for comparison",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := rewrite.File(args[0], args[1], force, rewrite.Dequantize, nil); err != nil {
				return err
			}
			written := jsonRewritten{File: args[1]}
			return asJSON.print(cmd, written, written.text)
		},
	}
	asJSON.add(cmd, "")
	cmd.Flags().BoolVar(&force, "force", false, "replace OUT")
	return cmd
}

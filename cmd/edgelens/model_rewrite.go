package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"edgelens/internal/app"
	"edgelens/models/rewrite"
)

func newModelRequantize() *cobra.Command {
	var force, unchecked bool
	cmd := &cobra.Command{
		Use:   "requantize IN OUT",
		Short: "Convert a legacy uint8 model to int8, which XNNPACK runs up to twice as fast",
		Long: "Convert a legacy uint8 model to int8, which XNNPACK runs up to twice as fast. Its inputs and\n" +
			"outputs stay uint8. Both are compared on generated images, and nothing is written where they\n" +
			"differ.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, out := args[0], args[1]
			if unchecked {
				return rewrite.File(in, out, force, rewrite.Requantize, nil)
			}
			return rewrite.File(in, out, force, rewrite.Requantize, func(temporary string) error {
				agreement, err := app.CompareRequantized(cmd.Context(), in, temporary)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", out, agreement)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace OUT")
	cmd.Flags().BoolVar(&unchecked, "no-check", false, "do not compare the models on images")
	return cmd
}

func newModelDequantize() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "dequantize IN OUT",
		Short: "Convert a quantized model to float32, with the same weights, for comparison",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			return rewrite.File(args[0], args[1], force, rewrite.Dequantize, nil)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace OUT")
	return cmd
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/api"
	"edgelens/inference/requantize"
	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/internal/telemetry"
	"edgelens/models"
)

func newModelInspect(environ []string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect [NAME | FILE]",
		Short: "Print what a model is made of, and what would make it faster",
		Long: "Print what a model is made of, and what would make it faster. A model of that name is loaded\n" +
			"as well, to see which delegate runs it; a .tflite file is only read.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			c, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if len(names) == 1 && isModelFile(names[0]) {
				return inspectFile(names[0], out, asJSON)
			}
			if len(names) == 1 {
				c.Model = names[0]
			}
			return inspectModel(cmd.Context(), c, out, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the facts as JSON, as GET /api/models/{name} does")
	return cmd
}

// isModelFile tells a path from the name of a model.
func isModelFile(arg string) bool {
	return filepath.Ext(arg) == ".tflite" || strings.ContainsRune(arg, filepath.Separator)
}

func newModelVerify(environ []string) *cobra.Command {
	return &cobra.Command{
		Use:   "verify NAME|FILE...",
		Short: "Check models, by name or .tflite file, and try them in a process of their own: status 1 where one is refused",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			refused := false
			for _, arg := range args {
				verdict := "can be used"
				if err := verifyModel(cmd.Context(), c, arg); err != nil {
					refused, verdict = true, err.Error()
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", arg, verdict) // only talk
			}
			if refused {
				return errSilent
			}
			return nil
		},
	}
}

// verifyModel returns why a model, given by its name or file, cannot be used; nil where
// it can.
func verifyModel(ctx context.Context, c *config.Config, arg string) error {
	if isModelFile(arg) {
		return verifyFile(ctx, arg)
	}
	registry, err := app.OpenModels(c)
	if err != nil {
		return err
	}
	model, err := registry.Get(arg)
	if err != nil {
		return err
	}
	if model.BuiltIn {
		return nil // it is part of this binary
	}
	return verifyFile(ctx, model.Path)
}

// verifyFile says why a .tflite file cannot be used.
func verifyFile(ctx context.Context, path string) error {
	m, err := models.ReadFile(path)
	if err != nil {
		return err
	}
	if err := models.CheckTensors(m.Facts()); err != nil {
		return err
	}
	return requantize.TryFile(ctx, app.OneTimeProber(), path, "", oneInterpreter())
}

func inspectFile(path string, w io.Writer, asJSON bool) error {
	m, err := models.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	facts := m.Facts()
	if asJSON {
		return printFactsJSON(w, facts)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "file\t%s\n", path) // Flush returns it
	for _, row := range [][2]any{{"input", facts.Inputs}, {"output", facts.Outputs}} {
		for _, tensor := range row[1].([]edgelens.Tensor) {
			fmt.Fprintf(t, "%s\t%s\n", row[0], publicTensorText(tensor)) // Flush returns it
		}
	}
	normalization := "unknown: "
	if input, err := models.InputOfFile(m); err != nil {
		normalization += err.Error()
	} else {
		normalization = input.NormalizationText()
	}
	fmt.Fprintf(t, "normalization\t%s\n", normalization) // Flush returns it
	return printFacts(t, facts)
}

func printFactsJSON(w io.Writer, facts *edgelens.ModelFacts) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(api.NewModelFacts(*facts))
}

// printFacts prints the rows of a model's facts and flushes.
func printFacts(t *tabwriter.Writer, f *edgelens.ModelFacts) error {
	rows := [][2]string{
		{"weights", f.Quantization},
		{"parameters", fmt.Sprintf("%.2f million", float64(f.Parameters)/1e6)},
		{"multiply-adds", fmt.Sprintf("%.1f million", float64(f.MultiplyAdds)/1e6)},
		{"XNNPACK", fmt.Sprintf("expected to take %.1f%% of them", 100*f.DelegateShare)},
		{"metadata", orNone(f.Metadata)},
		{"packed files", orNone(f.Files)},
	}
	for i, o := range f.Operators {
		head, where := "", "XNNPACK"
		if i == 0 {
			head = "operators"
		}
		if !o.Delegated {
			where = "TensorFlow Lite"
		}
		rows = append(rows, [2]string{head, fmt.Sprintf("%4d %s, %s, on %s", o.Count, o.Name, o.Type, where)})
	}
	for _, sentence := range f.Advice {
		rows = append(rows, [2]string{"faster", sentence})
	}
	for _, row := range rows {
		fmt.Fprintf(t, "%s\t%s\n", row[0], row[1]) // Flush returns it
	}
	return t.Flush()
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func inspectModel(ctx context.Context, c *config.Config, w io.Writer, asJSON bool) error {
	c.Inference.Interpreters = 1
	core, err := app.NewCore(c, telemetry.NewLogger(c.Log, io.Discard), prometheus.NewRegistry())
	if err != nil {
		return err
	}
	defer app.CloseWithin(app.StopTimeout, core.Close) // the process ends next
	spec, err := core.Loader.Describe(ctx, "")
	if err != nil {
		return err
	}
	if asJSON {
		return printFactsJSON(w, spec.Facts)
	}
	file := spec.Path
	if spec.BuiltIn {
		file = "built in"
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"name", spec.Name},
		{"file", file},
		{"digest", spec.Digest},
		{"size", fmt.Sprintf("%d bytes", spec.FileBytes)},
		{"input", tensorText(spec.Input.TensorSpec)},
		{"normalization", spec.Input.NormalizationText()},
		{"output", tensorText(spec.Output)},
		{"output is", string(spec.Activation)},
		{"labels", fmt.Sprint(len(spec.Labels))},
		{"delegate", spec.Delegate},
	} {
		fmt.Fprintf(t, "%s\t%s\n", row[0], row[1]) // Flush returns it
	}
	return printFacts(t, spec.Facts)
}

func publicTensorText(t edgelens.Tensor) string {
	text := fmt.Sprintf("%s %v %s", t.Name, t.Shape, t.DType)
	if t.Scale != 0 {
		text += fmt.Sprintf(", scale %v, zero point %d", t.Scale, t.ZeroPoint)
	}
	return text
}

func tensorText(s models.TensorSpec) string { return publicTensorText(*s.Public()) }

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/api"
	"edgelens/inference"
	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/models"
	"edgelens/models/tflitefile"
)

func newModelInspect(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "inspect [NAME | FILE]",
		Short: "Print the structure of a model, and what would make it faster",
		Long: "Print the structure of a model, and what would make it faster. A model given by name is loaded\n" +
			"as well, to show which delegate runs it; a .tflite file is only read.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			c, err := loadSettings(cmd, environ)
			if err != nil {
				return err
			}
			if len(names) == 1 && app.IsModelFile(names[0]) {
				return inspectFile(cmd, names[0], asJSON)
			}
			return inspectModel(cmd, c, strings.Join(names, ""), asJSON)
		},
	}
	asJSON.add(cmd, ", as GET /api/models/{name} does")
	return cmd
}

func inspectFile(cmd *cobra.Command, path string, asJSON jsonFlag) error {
	m, err := models.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	facts := m.Facts()
	return asJSON.print(cmd, api.NewModelFacts(*facts), func(out io.Writer) error { return printFile(out, path, m, facts) })
}

// printFile prints the facts of a model file.
func printFile(w io.Writer, path string, m *tflitefile.Model, facts *edgelens.ModelFacts) error {
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

func inspectModel(cmd *cobra.Command, c *config.Config, name string, asJSON jsonFlag) error {
	spec, check, err := app.DescribeModel(cmd.Context(), c, name)
	if err != nil {
		return err
	}
	return asJSON.print(cmd, api.NewModelFacts(*spec.Facts), func(out io.Writer) error { return printModel(out, spec, check) })
}

// printModel prints what is known about a model that was loaded.
func printModel(w io.Writer, spec *models.Spec, check edgelens.KernelCheck) error {
	file := spec.Path
	if spec.BuiltIn {
		file = "built in"
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"name", spec.Name},
		{"task", spec.Task},
		{"file", file},
		{"digest", spec.Digest},
		{"size", fmt.Sprintf("%d bytes", spec.FileBytes)},
		{"input", tensorText(spec.Input.TensorSpec)},
		{"normalization", spec.Input.NormalizationText()},
		{"output", tensorText(spec.Output)},
		{"output is", string(spec.Activation)},
		{"labels", fmt.Sprint(len(spec.Labels))},
		{"runtime", spec.RunsOn.String()},
		{"delegate", spec.Delegate},
		{"runs", inference.Delegation{Operators: spec.Operators, Delegated: spec.DelegatedOperators}.String()},
		{"kernels", check.String()},
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

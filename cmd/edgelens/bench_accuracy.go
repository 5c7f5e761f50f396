package main

import (
	"github.com/spf13/cobra"

	"edgelens/benchmarks/runner"
	"edgelens/internal/config"
)

func newBenchAccuracy(environ []string) *cobra.Command {
	c := runner.DefaultAccuracyConfig()
	var key keyFlag
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "accuracy FOLDER",
		Short: "Measure how often the answers are right, on labeled images",
		Long: `Recognizes every labeled image in FOLDER by the path of the server and prints, for each variant,
how often the first answer (top-1) and one of the first five (top-5) are right, with 95%
intervals, and which differences between variants are real. Raw records, report.md, report.json
and plots go to a new folder accuracy-YYYYMMDD-HHMMSS.

FOLDER has a sub-folder for each class, named by it, or a file labels.tsv or labels.csv with a
column file and one or more of class_id, class, label and synset. A class is its number in the
model's output, its label (or one of several, separated by commas) or its WordNet synset. Images
whose class the model does not have are listed and not measured.

The first value of --fit, --model, --requantize, --delegate and --reduce-jpeg is the baseline; each
other value is measured in its place, one at a time and for each model. --frame 16:9 puts each
image somewhere in a gray frame, as an object before a camera. An interrupted run is continued
with the same command and --resume.

--precision 0.95 finds the lowest threshold at which 95% of the answers are right, and writes it
as terminal.min_score to the file of settings in use, or to --write: events about images below it
are "uncertain".`,
		Example: `  edgelens bench accuracy photos/
  edgelens bench accuracy photos/ --model gate --fit center --precision 0.95 --write edgelens.yaml
  edgelens bench accuracy photos/ --frame as-is,16:9 --delegate auto,none
  edgelens bench report accuracy-20240501-120000`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if c.Service, err = benchService(cmd, environ); err != nil {
				return err
			}
			if c.Key, err = key.read(environ); err != nil {
				return err
			}
			c.WriteGiven = c.Write != ""
			if c.Write == "" && c.Target == "" {
				c.Write = config.FileInUse(cmd.Flags(), environ)
			}
			c.JSON = asJSON.set
			c.Folder, c.Command = args[0], commandLine(cmd)
			return runner.Accuracy(cmd.Context(), c, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&c.Fits, "fit", c.Fits, "how images are shown to the model; the first is the baseline")
	f.StringSliceVar(&c.Frames, "frame", c.Frames, "as-is, or the ratio of a frame to put images into, such as 16:9")
	f.BoolSliceVar(&c.Requantize, "requantize", nil, "run legacy uint8 models as int8: false, true or both (default: inference.requantize)")
	f.StringSliceVar(&c.Delegates, "delegate", nil, "auto, none or both (default: inference.delegate)")
	f.Float64SliceVar(&c.ReduceJPEG, "reduce-jpeg", nil, "values of preprocess.reduce_jpeg (default: its own)")
	f.Float64Var(&c.Precision, "precision", 0, "find the threshold at which this share of the answers is right, such as 0.95")
	f.StringVar(&c.Write, "write", "", "file of settings to write that threshold to (default: the one in use, if there is one)")
	f.StringVar(&c.Target, "target", "", "URL of a running service to measure (default: this program)")
	key.add(f)
	f.StringVar(&c.Out, "out", c.Out, "parent folder for the folder of this run")
	f.StringVar(&c.Resume, "resume", "", "folder of an interrupted run to continue, with the same images and flags")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "random seed of the places in frames")
	f.StringArrayVar(&c.Require, "require", nil, `exit with status 1 if a difference in top-1 is smaller: "FRAME, VARIANT, OTHER, POINTS", or "+-POINTS" if it is larger; repeatable`)
	f.StringVar(&c.Markdown, "markdown", "", "file to write the tables to, as Markdown")
	f.StringArrayVar(&c.Notes, "note", nil, "sentence to put into the report, such as where the images come from; repeatable")
	f.StringVar(&c.Title, "title", c.Title, "title of that file")
	asJSON.add(cmd, ", as report.json")
	config.AddFlags(f, benchSettings...)
	f.Lookup("model").Usage = "models, comma-separated; the first is the baseline (default: the default model)"
	return cmd
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/api"
	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/internal/imagefile"
)

func newRecognize(environ []string) *cobra.Command {
	var asJSON jsonFlag
	var options edgelens.Request
	cmd := &cobra.Command{
		Use:   "recognize FILE|FOLDER...",
		Short: "Recognize images without a server",
		Long:  "Recognize images, by the same path as the server.\nFILE may be - for standard input, and of a FOLDER the images in it are recognized. The exit status is 0 only if every image was recognized.",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, given []string) error {
			c, err := loadSettings(cmd, environ)
			if err != nil {
				return err
			}
			if options.TopK < 1 {
				return usageError{fmt.Errorf("--top-k must be at least 1, not %d", options.TopK)}
			}
			if options.Task == edgelens.TaskEmbedding && (cmd.Flags().Changed("top-k") || cmd.Flags().Changed("min-score")) {
				return usageError{errors.New("--top-k and --min-score are for predictions; leave them out with --task embedding")}
			}
			if cmd.Flags().Changed("model") { // else the task decides which is used
				options.Model, c.Model = c.Model, ""
			}
			files, err := imagefile.ListAll(given)
			if err != nil {
				return err
			}
			var show printer = &table{w: tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)}
			if asJSON.set {
				show = jsonLines{json.NewEncoder(cmd.OutOrStdout())}
			}
			err = app.RecognizeFiles(cmd.Context(), c, cmd.InOrStdin(), files, options, func(file string, result *edgelens.Result, err error) error {
				if result != nil {
					for _, warning := range result.Warnings {
						fmt.Fprintf(cmd.ErrOrStderr(), "%s: warning: %s\n", file, warning) // progress only
					}
				}
				return show.print(file, result, err)
			})
			return errors.Join(show.end(), err)
		},
	}
	asJSON.add(cmd, ", one object a line")
	cmd.Flags().IntVar(&options.TopK, "top-k", edgelens.DefaultTopK, "maximum number of predictions")
	cmd.Flags().Float64Var(&options.MinScore, "min-score", 0, "leave out predictions with a lower probability")
	cmd.Flags().StringVar(&options.Task, "task", "", edgelens.TaskClassification+" for predictions, "+edgelens.TaskEmbedding+" for feature vectors (default: that of the model)")
	addViewFlags(cmd.Flags(), &options.View)
	config.AddFlags(cmd.Flags(), "data_dir", "model", "log_", "recognize.timeout", "recognize.allow_stand_in", "recognize.embedding_model", "recognize.quality", "inference.", "preprocess.", "decode.")
	return cmd
}

// A printer prints the outcome of each file, result or error.
type printer interface {
	print(file string, result *edgelens.Result, err error) error
	end() error
}

type table struct {
	w     *tabwriter.Writer
	begun bool
}

func (t *table) print(file string, result *edgelens.Result, err error) error {
	if !t.begun {
		fmt.Fprintln(t.w, "FILE\tLABEL\tCLASS\tPROBABILITY\tTIME") // end returns it
		t.begun = true
	}
	if err != nil {
		_, err := fmt.Fprintf(t.w, "%s\terror: %v\t\t\t\n", file, err)
		return err
	}
	took := result.Timings.Total.Round(100 * time.Microsecond).String()
	if n := len(result.Embedding); n > 0 {
		_, err := fmt.Fprintf(t.w, "%s\t(a feature vector of %d numbers, which --json prints)\t\t\t%s\n", file, n, took)
		return err
	}
	if len(result.Predictions) == 0 {
		_, err := fmt.Fprintf(t.w, "%s\t(no class reaches the minimum score)\t\t\t%s\n", file, took)
		return err
	}
	for _, p := range result.Predictions {
		if _, err := fmt.Fprintf(t.w, "%s\t%s\t%d\t%.3f\t%s\n", file, p.Label, p.ClassID, p.Probability, took); err != nil {
			return err
		}
		file, took = "", ""
	}
	if result.Image.Damaged {
		if _, err := fmt.Fprintln(t.w, "\t(image: damaged; the answer may be wrong)\t\t\t"); err != nil {
			return err
		}
	}
	if q := result.Quality; q != nil {
		_, err := fmt.Fprintf(t.w, "\t(image: %s)\t\t%.3f\t\n", q.Verdict, q.Score)
		return err
	}
	return nil
}

func (t *table) end() error { return t.w.Flush() }

// jsonLines prints the JSON of the API with the file's name, one object a line.
type jsonLines struct{ encoder *json.Encoder }

type jsonLine struct {
	File  string `json:"file"`
	Error string `json:"error,omitempty"`
	Code  string `json:"code,omitempty"`
	*api.Recognition
	TotalMS float64 `json:"total_ms,omitempty"`
}

func (j jsonLines) print(file string, result *edgelens.Result, err error) error {
	if err != nil {
		return j.encoder.Encode(jsonLine{File: file, Error: err.Error(), Code: edgelens.Code(err)})
	}
	recognition := api.NewRecognition(result)
	return j.encoder.Encode(jsonLine{File: file, Recognition: &recognition, TotalMS: recognition.TimingsMs.Total})
}

func (j jsonLines) end() error { return nil }

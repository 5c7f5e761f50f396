package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/internal/telemetry"
)

func newRecognize(environ []string) *cobra.Command {
	var asJSON bool
	var options edgelens.Request
	cmd := &cobra.Command{
		Use:   "recognize FILE...",
		Short: "Say what is in images, without a server",
		Long:  "Say what is in images, by the same path as the server.\nFILE may be - for standard input. The exit status is 0 only if every image was recognized.",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			c, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			if options.TopK < 1 {
				return fmt.Errorf("--top-k must be at least 1, not %d", options.TopK)
			}
			return recognizeFiles(cmd.Context(), c, cmd, files, options, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one object a line")
	cmd.Flags().IntVar(&options.TopK, "top-k", edgelens.DefaultTopK, "how many predictions to print")
	cmd.Flags().Float64Var(&options.MinScore, "min-score", 0, "leave out predictions with a lower probability")
	config.AddFlags(cmd.Flags(), "data_dir", "model", "log_", "recognize.timeout", "recognize.allow_stand_in", "recognize.quality", "inference.", "preprocess.")
	return cmd
}

func recognizeFiles(ctx context.Context, c *config.Config, cmd *cobra.Command, files []string, options edgelens.Request, asJSON bool) error {
	if !cmd.Flags().Changed("log-level") {
		c.Log.LogLevel = "error" // the table says the rest
	}
	c.Inference.Interpreters, c.Recognize.Workers = 1, 1 // one file after the other
	log := telemetry.NewLogger(c.Log, io.Discard)
	core, err := app.NewCore(c, log, prometheus.NewRegistry())
	if err != nil {
		return err
	}
	defer app.CloseWithin(app.StopTimeout, core.Close) // the process ends next
	if err := core.WarmUp(ctx); err != nil && !(c.Recognize.AllowStandIn && app.StartsWithoutClassifier(err, c)) {
		return err
	}
	var show printer = newTable(cmd.OutOrStdout())
	if asJSON {
		show = jsonLines{json.NewEncoder(cmd.OutOrStdout())}
	}
	failed := 0
	for _, file := range files {
		result, err := recognizeFile(ctx, core.Recognizer, cmd.InOrStdin(), file, options)
		if err != nil {
			failed++
		} else {
			for _, warning := range result.Warnings {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: warning: %s\n", file, warning) // only talk
			}
		}
		if err := show.print(file, result, err); err != nil {
			return err
		}
		if ctx.Err() != nil {
			break
		}
	}
	if err := show.end(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d images not recognized", failed, len(files))
	}
	return nil
}

func recognizeFile(ctx context.Context, recognizer edgelens.Recognizer, stdin io.Reader, file string, options edgelens.Request) (*edgelens.Result, error) {
	image, err := readImage(stdin, file)
	if err != nil {
		return nil, err
	}
	req := options
	req.ID, req.Source, req.Image, req.SHA256 = uuid.NewString(), "cli", image, sha256.Sum256(image)
	return recognizer.Recognize(ctx, &req)
}

func readImage(stdin io.Reader, file string) ([]byte, error) {
	const most = 1 << 30 // not an image any more
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close() // read only
		in = f
	}
	image, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, err
	}
	if len(image) > most {
		return nil, fmt.Errorf("%w: more than %d bytes", edgelens.ErrTooLarge, most)
	}
	return image, nil
}

// A printer shows the answer about each file, result or error.
type printer interface {
	print(file string, result *edgelens.Result, err error) error
	end() error
}

type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(t.w, "FILE\tLABEL\tCLASS\tPROBABILITY\tTIME") // Flush returns it
	return t
}

func (t table) print(file string, result *edgelens.Result, err error) error {
	if err != nil {
		_, err := fmt.Fprintf(t.w, "%s\terror: %v\t\t\t\n", file, err)
		return err
	}
	took := result.Timings.Total.Round(100 * time.Microsecond).String()
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

func (t table) end() error { return t.w.Flush() }

// jsonLines prints what the API prints, with the file's name, one object a
// line.
type jsonLines struct{ encoder *json.Encoder }

type jsonPrediction struct {
	ClassID     int     `json:"class_id"`
	Label       string  `json:"label"`
	Probability float64 `json:"probability"`
}

type jsonLine struct {
	File        string           `json:"file"`
	Error       string           `json:"error,omitempty"`
	Code        string           `json:"code,omitempty"`
	Model       *jsonModel       `json:"model,omitempty"`
	Predictions []jsonPrediction `json:"predictions,omitempty"`
	Image       *jsonImage       `json:"image,omitempty"`
	Quality     *jsonQuality     `json:"quality,omitempty"`
	Warnings    []string         `json:"warnings,omitempty"`
	TotalMS     float64          `json:"total_ms,omitempty"`
}

type jsonModel struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
}

type jsonQuality struct {
	Verdict string  `json:"verdict"`
	Score   float64 `json:"score"`
	Usable  bool    `json:"usable"`
}

type jsonImage struct {
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Format string `json:"format"`
	SHA256 string `json:"sha256"`
	// Damaged is edgelens.ImageInfo's.
	Damaged bool `json:"damaged,omitempty"`
}

func (j jsonLines) print(file string, result *edgelens.Result, err error) error {
	line := jsonLine{File: file}
	if err != nil {
		line.Error, line.Code = err.Error(), edgelens.Code(err)
		return j.encoder.Encode(line)
	}
	line.Model = &jsonModel{result.Model.Name, result.Model.Digest}
	line.Image = &jsonImage{result.Image.Width, result.Image.Height, result.Image.Format, result.Image.SHA256, result.Image.Damaged}
	line.Warnings = result.Warnings
	line.TotalMS = float64(result.Timings.Total.Microseconds()) / 1000
	if q := result.Quality; q != nil {
		line.Quality = &jsonQuality{q.Verdict, q.Score, q.Usable}
	}
	for _, p := range result.Predictions {
		line.Predictions = append(line.Predictions, jsonPrediction(p))
	}
	return j.encoder.Encode(line)
}

func (j jsonLines) end() error { return nil }

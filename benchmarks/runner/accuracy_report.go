package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"edgelens/benchmarks/accuracy"
	"edgelens/benchmarks/report"
	"edgelens/internal/atomicfile"
	"edgelens/internal/config"
	"edgelens/internal/console"
)

// report writes and prints the report of a folder. Of a complete run, it also finds the threshold and checks what is
// required.
func (c *AccuracyConfig) report(dir string, required []accuracy.Requirement, complete bool, out, progress io.Writer) error {
	summary, err := accuracy.Summarize(dir)
	if err != nil {
		return err
	}
	if err := summary.Measured(); err != nil && complete {
		return fmt.Errorf("%w; raw records: %s", err, dir)
	} else if err != nil {
		return nil // why it ended is known
	}
	var problems []error
	var found *accuracy.Precision
	if complete {
		if found, err = c.want(summary); err != nil {
			problems = append(problems, err)
		}
		problems = append(problems, require(summary, required))
	}
	if err := summary.Write(dir); err != nil {
		return err
	}
	if err := showAccuracy(summary, out, c.JSON); err != nil {
		return err
	}
	if c.JSON {
		out = progress // the threshold is in the JSON, too
	}
	if found != nil {
		problems = append(problems, c.writeThreshold(*found, out))
	}
	if c.Markdown != "" && complete {
		problems = append(problems, c.writeMarkdown(summary))
	}
	fmt.Fprintf(progress, "\nReport, plots and raw records: %s\n", dir) // progress only
	return errors.Join(problems...)
}

// want finds the threshold for the wanted precision; nil where none is wanted.
func (c *AccuracyConfig) want(summary *accuracy.Summary) (*accuracy.Precision, error) {
	if c.Precision == 0 {
		return nil, nil
	}
	return summary.Want(c.Precision)
}

// require checks the requirements; the error has the number of those that are missed.
func require(summary *accuracy.Summary, required []accuracy.Requirement) error {
	var missed []string
	for _, r := range required {
		if got := summary.Require(r); !got.Met {
			missed = append(missed, fmt.Sprintf("%s is %+.1f points and must be %s", got.What, got.Points, got.Want))
		}
	}
	if missed == nil {
		return nil
	}
	return fmt.Errorf("%d of %d required %s missed: %s", len(missed), len(required), console.Plural(len(required), "difference"), strings.Join(missed, "; "))
}

// thresholdKey is the setting that makes answers with a lower probability uncertain.
const thresholdKey = "terminal.min_score"

// writeThreshold writes the setting, or prints it where no file is given. A threshold of 0 is not written: with it, no
// event would be uncertain.
func (c *AccuracyConfig) writeThreshold(found accuracy.Precision, out io.Writer) error {
	if found.At == 0 {
		_, err := fmt.Fprintf(out, "All answers together have this precision, so no threshold is needed for it: %s is left as it is.\n", thresholdKey)
		return err
	}
	text := strconv.FormatFloat(found.At, 'f', -1, 64)
	if c.Write == "" {
		_, err := fmt.Fprintf(out, "Put it into your settings (edgelens.yaml), or add --write FILE: %s: %s\n", thresholdKey, text)
		return err
	}
	if err := config.SetInFile(c.Write, thresholdKey, text); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "Written to %s: %s: %s\n", c.Write, thresholdKey, text)
	return err
}

func (c *AccuracyConfig) writeMarkdown(summary *accuracy.Summary) error {
	var text bytes.Buffer
	if err := summary.Markdown(&text, c.Title, nil); err != nil {
		return err
	}
	if err := atomicfile.Write(c.Markdown, text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("--markdown: %w", err)
	}
	return nil
}

// showAccuracy prints the summary: as text, or as the JSON of report.json in one line.
func showAccuracy(summary *accuracy.Summary, out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(summary)
	}
	return summary.Text(out)
}

// Report regenerates the report of a folder of `edgelens bench`, and prints a short one, or JSON, to out.
func Report(dir string, out io.Writer, asJSON bool) error {
	if accuracy.IsFolder(dir) {
		summary, err := accuracy.Summarize(dir)
		if err != nil {
			return err
		}
		if err := summary.Write(dir); err != nil {
			return err
		}
		return showAccuracy(summary, out, asJSON)
	}
	summary, err := report.Make(dir)
	if err != nil {
		return err
	}
	if asJSON {
		return summary.JSON(out, dir, nil)
	}
	return summary.Text(out)
}

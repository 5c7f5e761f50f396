package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/benchmarks/history"
	"edgelens/internal/config"
)

func newBenchHistory(environ []string) *cobra.Command {
	c := history.DefaultConfig()
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Measure what a long history costs",
		Long: `Fills ledgers with made-up histories over 90 days, starts a service on each, and prints a table: the start,
lists by time and by several filters, single items beside them, idle CPU time and submits.
It fails where a figure grows more than threefold from the smallest history to the largest, in each of three tries.

A million items take about 2 GB in --dir, and some minutes.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := loadSettings(cmd, environ)
			if err != nil {
				return err
			}
			if c.ModelsDir, err = filepath.Abs(settings.ModelsDir); err != nil {
				return err
			}
			if (c.Keep || c.FillOnly) && c.Dir == "" {
				return fmt.Errorf("%w: --keep and --fill-only need --dir", edgelens.ErrInvalid)
			}
			result, err := history.Run(cmd.Context(), c, cmd.ErrOrStderr())
			if err != nil || c.FillOnly {
				return err
			}
			return errors.Join(asJSON.print(cmd, newJSONHistory(result), func(out io.Writer) error { return result.Print(out) }), result.Check())
		},
	}
	f := cmd.Flags()
	f.IntSliceVar(&c.Sizes, "sizes", c.Sizes, "numbers of items, ascending")
	f.IntVar(&c.Seconds, "seconds", c.Seconds, "how long idle CPU time, submits and events are each measured")
	f.IntVar(&c.Starts, "starts", c.Starts, "how often each service is started; the median counts")
	f.StringVar(&c.Dir, "dir", "", "where the data folders are made (default: the system's folder for temporary files)")
	f.BoolVar(&c.Keep, "keep", false, "keep the filled folders in --dir, where the next run with it uses them")
	f.BoolVar(&c.FillOnly, "fill-only", false, "fill the folders in --dir, keep them, and measure nothing")
	f.BoolVar(&c.OwnDisk, "own-disk", false, "nothing else uses the disk of --dir: print what it writes, too")
	f.StringVar(&c.Spoil, "spoil-index", "", "replace this index by a useless one, to see the check fail")
	_ = f.MarkHidden("spoil-index") // it is there
	f.Uint64Var(&c.Seed, "seed", c.Seed, "random seed")
	asJSON.add(cmd, "")
	config.AddFlags(f, "models_dir")
	return cmd
}

// jsonHistory is the --json form of a result.
type jsonHistory struct {
	Sizes   []int               `json:"sizes"`
	Figures []jsonHistoryFigure `json:"figures"`
}

type jsonHistoryFigure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Values []float64 `json:"values"` // one for each size
	Growth float64   `json:"growth"`
	Tries  int       `json:"tries"`
}

func newJSONHistory(r history.Result) jsonHistory {
	j := jsonHistory{Sizes: r.Sizes}
	for _, row := range r.Rows {
		j.Figures = append(j.Figures, jsonHistoryFigure{Name: row.Name, Unit: row.Unit, Values: row.Values, Growth: row.Growth(), Tries: row.Tries})
	}
	return j
}

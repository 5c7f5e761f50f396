package main

import (
	"errors"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

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
It fails where a figure grows more than threefold from the smallest history to the largest.

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
			result, err := history.Run(cmd.Context(), c, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return errors.Join(asJSON.print(cmd, newJSONHistory(result), func(out io.Writer) error { return result.Print(out) }), result.Check())
		},
	}
	f := cmd.Flags()
	f.IntSliceVar(&c.Sizes, "sizes", c.Sizes, "numbers of items, ascending")
	f.IntVar(&c.Seconds, "seconds", c.Seconds, "how long idle CPU time and submits are each measured")
	f.StringVar(&c.Dir, "dir", "", "where the data folders are made (default: the system's folder for temporary files)")
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
}

func newJSONHistory(r history.Result) jsonHistory {
	j := jsonHistory{Sizes: r.Sizes}
	for i, figure := range r.Figures[0] {
		row := jsonHistoryFigure{Name: figure.Name, Unit: figure.Unit, Growth: r.Figures[len(r.Figures)-1][i].Growth(figure)}
		for _, of := range r.Figures {
			row.Values = append(row.Values, of[i].Value)
		}
		j.Figures = append(j.Figures, row)
	}
	return j
}

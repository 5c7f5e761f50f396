package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"edgelens/internal/console"
	"edgelens/learn/gate"
)

func newDatasetGenerate() *cobra.Command {
	cmd := &cobra.Command{Use: "generate", Short: "Draw images to try learning with"}
	cmd.AddCommand(newDatasetGenerateGate())
	return cmd
}

// jsonGenerated is the JSON of what was drawn. Names are added and never changed: scripts read them.
type jsonGenerated struct {
	Folder string         `json:"folder"`
	Site   int            `json:"site"`
	Images map[string]int `json:"images"`
}

func newDatasetGenerateGate() *cobra.Command {
	var asJSON jsonFlag
	site, count, seed, conditions := 1, 60, uint64(1), []string{}
	for _, c := range gate.Conditions() {
		conditions = append(conditions, string(c))
	}
	cmd := &cobra.Command{
		Use:   "gate FOLDER",
		Short: "Draw images of a gate, half of them open, into FOLDER/open and FOLDER/closed",
		Long: `Draws images of a gate, half of them open, into FOLDER/open and FOLDER/closed, to try learning without a camera.
Each site has another gate, surroundings and camera. The same flags draw the same images; use another --seed for images to test with.`,
		Example: `  edgelens dataset generate gate gate
  edgelens dataset generate gate test --site 2 --seed 2 --count 30 --conditions rain,dusk`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var chosen []gate.Condition
			for _, c := range conditions {
				chosen = append(chosen, gate.Condition(c))
			}
			shots, err := gate.Shots(site, count, seed, chosen...)
			if err != nil {
				return usageError{err}
			}
			if err := gate.Write(cmd.Context(), args[0], shots, console.NewProgress(cmd.ErrOrStderr(), 1)); err != nil {
				return err
			}
			done := jsonGenerated{args[0], site, map[string]int{gate.Open: 0, gate.Closed: 0}}
			for _, s := range shots {
				done.Images[s.Label()]++
			}
			return asJSON.print(cmd, done, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "%d images of an open gate and %d of a closed one are in %s\n", done.Images[gate.Open], done.Images[gate.Closed], done.Folder)
				return err
			})
		},
	}
	f := cmd.Flags()
	f.IntVar(&site, "site", site, fmt.Sprintf("number of the site, 1 to %d", gate.MaxSite))
	f.IntVar(&count, "count", count, "number of images")
	f.Uint64Var(&seed, "seed", seed, "random seed")
	f.StringSliceVar(&conditions, "conditions", conditions, "light and weather, in turn: "+strings.Join(conditions, ", "))
	asJSON.add(cmd, "")
	return cmd
}

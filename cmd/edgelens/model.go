package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/internal/console"
	"edgelens/models"
)

func newModel(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "model", Short: "List, fetch and describe models"}
	for _, sub := range []*cobra.Command{newModelList(environ), newModelPull(environ), newModelAdd(environ), newModelInspect(environ), newModelVerify(environ), newModelRequantize(), newModelDequantize()} {
		switch sub.Name() {
		case "requantize", "dequantize": // which need only the files
		default:
			config.AddFlags(sub.Flags(), "data_dir", "model", "inference.delegate", "inference.threads")
		}
		cmd.AddCommand(sub)
	}
	return cmd
}

func newModelList(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the models of the manifest and of the models folder",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadSettings(cmd, environ)
			if err != nil {
				return err
			}
			registry, err := app.OpenModels(c)
			if err != nil {
				return err
			}
			list := registry.List()
			return asJSON.print(cmd, modelsOf(list), func(out io.Writer) error { return printModels(out, list) })
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

// jsonModel is the JSON of a model. Names are added and never changed: scripts read them.
type jsonModel struct {
	Name    string `json:"name"`
	Digest  string `json:"digest,omitempty"`
	State   string `json:"state"`
	Bytes   int64  `json:"bytes"`
	Task    string `json:"task"`
	Labels  int    `json:"labels"`
	Default bool   `json:"default"`
	BuiltIn bool   `json:"built_in"`
	Problem string `json:"problem,omitempty"`
}

func modelsOf(list []models.Listed) []jsonModel {
	all := make([]jsonModel, 0, len(list))
	for _, m := range list {
		all = append(all, jsonModel{m.Name, m.Digest, string(m.State), m.FileBytes, m.Task, len(m.Labels), m.Default, m.BuiltIn, m.Problem})
	}
	return all
}

func printModels(w io.Writer, list []models.Listed) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSTATE\tSIZE\tTASK\tLABELS\tNOTE") // Flush returns it
	for _, m := range list {
		note := m.Problem
		if m.BuiltIn {
			note = "built in. " + note
		}
		if m.Default {
			note = "default. " + note
		}
		fmt.Fprintf(t, "%s\t%s\t%.1f MB\t%s\t%d\t%s\n", m.Name, m.State, float64(m.FileBytes)/1e6, m.Task, len(m.Labels), note) // Flush returns it
	}
	return t.Flush()
}

func newModelPull(environ []string) *cobra.Command {
	var all bool
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "pull [NAME...]",
		Short: "Fetch models by name; without a name, the default one",
		RunE: func(cmd *cobra.Command, names []string) error {
			c, err := loadSettingsAsOwner(cmd, environ, modelsFolder)
			if err != nil {
				return err
			}
			pulled, show := []jsonPulled{}, newPullProgress(cmd.ErrOrStderr())
			err = app.PullModels(cmd.Context(), c, func(p models.Progress) {
				show(p)
				pulled = pulledBy(pulled, p)
			}, names, all)
			if err != nil || !asJSON.set { // the progress is the text
				return err
			}
			return asJSON.print(cmd, pulled, nil)
		},
	}
	asJSON.add(cmd, ": the files that are there now")
	cmd.Flags().BoolVar(&all, "all", false, "fetch every model of the manifest")
	return cmd
}

// jsonPulled is the JSON of a file of a model. Names are added and never changed: scripts read them.
type jsonPulled struct {
	Model string `json:"model"`
	// File is empty for the built-in model.
	File  string `json:"file,omitempty"`
	Bytes int64  `json:"bytes,omitempty"`
	// From is empty for a file that was there already.
	From string `json:"from,omitempty"`
}

// pulledBy adds a file that is complete to the list.
func pulledBy(list []jsonPulled, p models.Progress) []jsonPulled {
	if p.File != "" && p.From != "" && p.Done < p.Total {
		return list
	}
	one := jsonPulled{p.Name, p.File, p.Total, p.From}
	if slices.Contains(list, one) {
		return list
	}
	return append(list, one)
}

// newPullProgress draws a bar for each file on a terminal, and prints a line for each elsewhere.
func newPullProgress(out io.Writer) func(models.Progress) {
	terminal := console.IsTerminal(out)
	var bar *progressbar.ProgressBar
	file := ""
	return func(p models.Progress) {
		begins := p.File != file
		file = p.File
		switch {
		case p.File == "":
			fmt.Fprintf(out, "%s is built in: there is nothing to fetch\n", p.Name) // progress only
		case p.From == "":
			fmt.Fprintf(out, "%s: %s is there already\n", p.Name, p.File) // progress only
		case !terminal && begins:
			fmt.Fprintf(out, "%s: fetching %s (%.1f MB) from %s\n", p.Name, p.File, float64(p.Total)/1e6, p.From) // progress only
		case terminal:
			if begins || bar == nil {
				bar = progressbar.NewOptions64(p.Total, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(p.File),
					progressbar.OptionShowBytes(true), progressbar.OptionSetWidth(30), progressbar.OptionOnCompletion(func() { fmt.Fprintln(out) })) // progress only
			}
			_ = bar.Set64(p.Done) // an error only affects the bar
		}
	}
}

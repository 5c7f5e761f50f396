package main

import (
	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/internal/app"
	"edgelens/internal/config"
)

// completions are the values of flags that are no settings.
var completions = map[string][]string{
	"queue": {edgelens.QueueInteractive, edgelens.QueueBulk},
	"sink":  {"mqtt", "webhook"},
	"goal":  {"latency", "throughput"},
	"task":  {edgelens.TaskClassification, edgelens.TaskEmbedding},
}

// completeValues has the shell complete the values of a command's flags, and of those of all commands below it.
func completeValues(cmd *cobra.Command, environ []string) {
	complete := func(flag string, values []string) {
		if cmd.Flags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // the flag exists
		}
	}
	for flag, values := range config.Choices() {
		complete(flag, values)
	}
	for flag, values := range completions {
		complete(flag, values)
	}
	if cmd.Flags().Lookup("scopes") != nil {
		complete("scopes", texts(edgelens.Scopes()))
	}
	if cmd.Flags().Lookup("model") != nil && cmd.Flags().Lookup("data-dir") != nil {
		_ = cmd.RegisterFlagCompletionFunc("model", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return modelNames(cmd, environ), cobra.ShellCompDirectiveNoFileComp
		}) // the flag exists
	}
	for _, sub := range cmd.Commands() {
		completeValues(sub, environ)
	}
}

// modelNames returns the models of the models folder; none where it cannot be read.
func modelNames(cmd *cobra.Command, environ []string) (names []string) {
	c, err := config.Load(cmd.Flags(), environ)
	if err != nil {
		return nil
	}
	registry, err := app.OpenModels(c)
	if err != nil {
		return nil
	}
	for _, m := range registry.List() {
		names = append(names, m.Name)
	}
	return names
}

package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"edgelens/internal/config"
)

// benchSettings are the settings of the service that flags of bench can set.
var benchSettings = []string{"data_dir", "model", "recognize.", "inference.", "preprocess.", "decode.", "cache.", "jobs.", "http.max"}

// isBenchSetting reports whether a flag sets one of benchSettings.
func isBenchSetting(flag string) bool {
	settings := pflag.NewFlagSet("", pflag.ContinueOnError)
	config.AddFlags(settings, benchSettings...)
	return settings.Lookup(flag) != nil
}

// commandLine returns the command with its changed flags.
func commandLine(cmd *cobra.Command) []string {
	line := append(strings.Fields(cmd.CommandPath()), cmd.Flags().Args()...)
	return append(line, changedFlags(cmd, func(string) bool { return true })...)
}

// changedFlags returns the changed flags for which want is true.
func changedFlags(cmd *cobra.Command, want func(name string) bool) []string {
	var args []string
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if want(f.Name) {
			value := f.Value.String()
			if list, ok := f.Value.(pflag.SliceValue); ok {
				value = strings.Join(shortened(list.GetSlice(), f.Value.Type()), ",")
			}
			args = append(args, "--"+f.Name+"="+value)
		}
	})
	return args
}

// shortened drops the zeros that pflag writes behind numbers with decimals.
func shortened(values []string, kind string) []string {
	if kind != "float64Slice" {
		return values
	}
	for i, text := range values {
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			values[i] = strconv.FormatFloat(v, 'g', -1, 64)
		}
	}
	return values
}

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"edgelens/internal/similar"
)

// The exit statuses of every command.
const (
	statusOK     = 0
	statusFailed = 1
	// statusUsage means that the command line was wrong, and nothing was done.
	statusUsage = 2
)

// usageError is one of the command line.
type usageError struct{ error }

// Unwrap returns the error.
func (e usageError) Unwrap() error { return e.error }

// statusOf returns the exit status of an error.
func statusOf(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return statusOK
	case errors.As(err, &usage):
		return statusUsage
	}
	return statusFailed
}

// strict makes the errors of a command's arguments, and of all commands below it, usage errors, and has groups of commands refuse
// what they do not know; cobra prints their help instead, and succeeds.
func strict(cmd *cobra.Command) {
	if args := cmd.Args; args != nil {
		cmd.Args = func(cmd *cobra.Command, given []string) error { return asUsage(args(cmd, given)) }
	}
	if !cmd.Runnable() {
		cmd.Args = func(cmd *cobra.Command, given []string) error {
			if len(given) == 0 {
				return nil
			}
			return usageError{unknownCommand(cmd, given[0])}
		}
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// unknownCommand names the most similar command, or where they are listed.
func unknownCommand(cmd *cobra.Command, given string) error {
	var known []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			known = append(known, sub.Name())
		}
	}
	if name := similar.Name(given, known); name != "" {
		return fmt.Errorf("there is no command %q of %s; did you mean %s %s?", given, cmd.CommandPath(), cmd.CommandPath(), name)
	}
	return fmt.Errorf("there is no command %q of %s; there are: %s", given, cmd.CommandPath(), strings.Join(known, ", "))
}

package main

import (
	"github.com/spf13/cobra"

	"edgelens/terminal/capture"
)

func newTerminalCapture() *cobra.Command {
	var c capture.Command
	cmd := &cobra.Command{
		Use:   "capture",
		Short: "Log the messages of terminals as JSON lines, without images",
		Long: `Writes each message on the broker as one line of JSON, with how each dialect parses it: the
data for supporting a new terminal or firmware. Images are always replaced by their size and
digest; names and other personal data are masked unless --keep-names. It ends at Ctrl-C or
after --duration.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.Run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	addBrokerFlags(cmd, &c.BrokerURL, &c.BrokerCA)
	f := cmd.Flags()
	f.StringVar(&c.Topic, "topic", "#", "topic filter of the messages to log")
	f.StringVar(&c.Out, "out", "", "file to append to (default: standard output)")
	f.DurationVar(&c.Duration, "duration", 0, "duration (default: until Ctrl-C)")
	f.BoolVar(&c.KeepNames, "keep-names", false, "do not mask names, telephone numbers and other personal data")
	return cmd
}

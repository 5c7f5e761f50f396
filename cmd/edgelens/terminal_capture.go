package main

import (
	"github.com/spf13/cobra"

	"edgelens/terminal/capture"
)

func newTerminalCapture() *cobra.Command {
	var c capture.Command
	cmd := &cobra.Command{
		Use:   "capture",
		Short: "Log what terminals say as JSON lines, images cut out",
		Long: `Writes each message on the broker as one line of JSON, with what each dialect makes of
it: what is needed to support a new terminal or firmware. Images are always replaced by
their size and digest; names and the like are masked unless --keep-names. It ends at
Ctrl-C or after --duration.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.Run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	addBrokerFlags(cmd, &c.BrokerURL, &c.BrokerCA)
	f := cmd.Flags()
	f.StringVar(&c.Topic, "topic", "#", "topic filter of what to log")
	f.StringVar(&c.Out, "out", "", "file to append to (default: standard output)")
	f.DurationVar(&c.Duration, "duration", 0, "how long (default: until Ctrl-C)")
	f.BoolVar(&c.KeepNames, "keep-names", false, "do not mask names, telephone numbers and the like")
	return cmd
}

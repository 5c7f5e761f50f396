package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"edgelens/api"
	"edgelens/internal/client"
)

func newOutbox(environ []string) *cobra.Command {
	var c client.Client
	cmd := &cobra.Command{Use: "outbox", Short: "List and retry events that were set aside: a sink rejected them, or a restore brought them back"}
	addServerFlags(cmd, &c, environ)
	cmd.AddCommand(newOutboxList(&c), newOutboxRetry(&c))
	return cmd
}

func newOutboxList(c *client.Client) *cobra.Command {
	var sink, device string
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "list", Short: "List set-aside events, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			events, err := c.SetAside(cmd.Context(), sink, device)
			if err != nil {
				return err
			}
			return asJSON.print(cmd, events, func(out io.Writer) error {
				t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "ID\tSINK\tDEVICE\tRECEIVED\tREASON") // Flush returns the error
				for _, e := range events {
					fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\n", e.Id, e.Sink, e.Device, e.ReceivedAt.Local().Format(time.DateTime), e.Reason)
				}
				return t.Flush()
			})
		},
	}
	cmd.Flags().StringVar(&sink, "sink", "", "only those of this sink: mqtt or webhook")
	cmd.Flags().StringVar(&device, "device", "", "only those of this device")
	asJSON.add(cmd, "")
	return cmd
}

func newOutboxRetry(c *client.Client) *cobra.Command {
	var sink string
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "retry [ID...]", Short: "Retry set-aside events: those given, or all",
		RunE: func(cmd *cobra.Command, args []string) error {
			var ids []int64
			for _, arg := range args {
				id, err := strconv.ParseInt(arg, 10, 64)
				if err != nil {
					return fmt.Errorf("%q is not an ID: `edgelens outbox list` lists them", arg)
				}
				ids = append(ids, id)
			}
			retried, err := c.RetrySetAside(cmd.Context(), ids, sink)
			if err != nil {
				return err
			}
			return asJSON.print(cmd, api.SetAsideRetried{Retried: retried}, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "%d sent again\n", retried)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&sink, "sink", "", "only those of this sink: mqtt or webhook")
	asJSON.add(cmd, "")
	return cmd
}

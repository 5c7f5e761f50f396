package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// setAsideView is what the commands show of an event that was set aside.
type setAsideView struct {
	ID         int64     `json:"id"`
	Sink       string    `json:"sink"`
	Device     string    `json:"device"`
	Event      string    `json:"event"`
	ReceivedAt time.Time `json:"received_at"`
	Reason     string    `json:"reason"`
}

func newOutbox() *cobra.Command {
	client := &jobClient{http: &http.Client{Timeout: time.Minute}}
	cmd := &cobra.Command{Use: "outbox", Short: "Show and send again the events that a receiver never took"}
	cmd.PersistentFlags().StringVar(&client.server, "server", "http://127.0.0.1:8080", "address of the server")
	cmd.AddCommand(client.newOutboxList(), client.newOutboxRetry())
	return cmd
}

func (c *jobClient) newOutboxList() *cobra.Command {
	var sink, device string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the events that were set aside, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, all := url.Values{"limit": {"1000"}}, []setAsideView{}
			if sink != "" {
				query.Set("sink", sink)
			}
			if device != "" {
				query.Set("device", device)
			}
			for {
				var page struct {
					Events []setAsideView `json:"events"`
					Next   string         `json:"next"`
				}
				if err := c.call(cmd.Context(), http.MethodGet, "/api/outbox?"+query.Encode(), nil, nil, &page); err != nil {
					return err
				}
				if all = append(all, page.Events...); page.Next == "" {
					break
				}
				query.Set("cursor", page.Next)
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(all)
			}
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "ID\tSINK\tDEVICE\tRECEIVED\tREASON") // Flush returns the error
			for _, e := range all {
				fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\n", e.ID, e.Sink, e.Device, e.ReceivedAt.Local().Format(time.DateTime), e.Reason)
			}
			return t.Flush()
		},
	}
	cmd.Flags().StringVar(&sink, "sink", "", "only those of this sink: mqtt or webhook")
	cmd.Flags().StringVar(&device, "device", "", "only those of this device")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (c *jobClient) newOutboxRetry() *cobra.Command {
	var sink string
	cmd := &cobra.Command{
		Use: "retry [ID...]", Short: "Send events that were set aside again: those given, or all",
		RunE: func(cmd *cobra.Command, args []string) error {
			wanted := map[string]any{}
			var ids []int64
			for _, arg := range args {
				id, err := strconv.ParseInt(arg, 10, 64)
				if err != nil {
					return fmt.Errorf("%q is no ID: `edgelens outbox list` shows them", arg)
				}
				ids = append(ids, id)
			}
			if len(ids) > 0 {
				wanted["ids"] = ids
			}
			if sink != "" {
				wanted["sink"] = sink
			}
			body, err := json.Marshal(wanted)
			if err != nil {
				return err
			}
			var answer struct {
				Retried int `json:"retried"`
			}
			header := http.Header{"Content-Type": {"application/json"}}
			if err := c.call(cmd.Context(), http.MethodPost, "/api/outbox/retry", header, bytes.NewReader(body), &answer); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d sent again\n", answer.Retried)
			return err
		},
	}
	cmd.Flags().StringVar(&sink, "sink", "", "only those of this sink: mqtt or webhook")
	return cmd
}

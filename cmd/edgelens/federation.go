package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/internal/control"
	"edgelens/learn/federation"
)

func newFederation(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "federation",
		Short: "Learn a head together with other nodes, whose images stay where they are",
		Long: `A coordinator averages what nodes learn on examples that never leave them: docs/federation.md. It is a process of
its own with a data folder of its own. The commands reach a running node or coordinator by the socket in its data
folder, --data-dir.`,
	}
	config.AddFlags(cmd.PersistentFlags(), "data_dir")
	cmd.AddCommand(
		newFederationServe(environ), newFederationInvite(environ), newFederationRemove(environ), newFederationRounds(environ),
		newFederationJoin(environ), newFederationLeave(environ), newFederationStatus(environ), newFederationReceipts(environ),
	)
	return cmd
}

// runFederation runs a command of the node or coordinator that uses the data folder, and reads its answer.
func runFederation(cmd *cobra.Command, environ []string, command string, request, answer any) error {
	c, err := loadSettingsAsOwner(cmd, environ, dataFolder)
	if err != nil {
		return err
	}
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	return app.UseFederation(cmd.Context(), c, func(f control.Federation) error {
		given, err := f.RunFederation(cmd.Context(), command, text)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(given, answer); err != nil {
			return fmt.Errorf("read the service's answer, perhaps because it has another version: %w: %w", edgelens.ErrInvalid, err)
		}
		return nil
	})
}

// jsonNode is the JSON of a command that changes the part of a node. Names are added and never changed: scripts read them.
type jsonNode struct {
	Node string `json:"node"`
}

// emptyRequest is that of a command without arguments.
type emptyRequest struct{}

// statusOfFederation returns the status of the node or coordinator that uses the data folder.
func statusOfFederation(cmd *cobra.Command, environ []string) (answer federation.StatusAnswer, err error) {
	return answer, runFederation(cmd, environ, federation.CommandStatus, emptyRequest{}, &answer)
}

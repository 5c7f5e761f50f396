package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"edgelens/internal/cluster"
)

// rollout is the JSON of an apply. Names are added and never changed: scripts read them.
type rollout struct {
	Applied []cluster.Applied `json:"applied"`
	Service cluster.Report    `json:"service"`
}

func newClusterApply(o *cluster.Options) *cobra.Command {
	var timeout time.Duration
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "apply FILE",
		Short: "Deploy or update a service from a short file, and wait until it serves",
		Long: `Deploys or updates the service that a YAML file describes, and waits until all of its pods are of the new version and
available. On the way, stderr shows how far it is and what is wrong. Where it does not come up in time, the exit status is 1 and the
error has the reasons; the pods of the former version serve on. docs/kubernetes.md describes the file:

  name: edgelens
  image: registry.example.com/edgelens:1.2.3
  port: 8080
  replicas: 2
  memory: 1Gi
  cpu: "2"
  storage: 5Gi            # a volume for the ledger of each replica; without it, accepted jobs end with their pod
  keys: edgelens-keys     # the Secret with keys.yaml, of edgelens key create --keys-file`,
		Example: `  edgelens cluster apply service.yaml
  edgelens cluster apply -n shop --timeout 2m service.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			service, err := cluster.ReadService(args[0])
			if err != nil {
				return err
			}
			if o.Namespace != "" {
				service.Namespace = o.Namespace
			}
			c, err := connect(cmd, o)
			if err != nil {
				return err
			}
			applied, err := c.Apply(cmd.Context(), service)
			for _, a := range applied {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s %s: %s\n", a.Kind, a.Name, a.Change) // progress only
			}
			if err != nil {
				return err
			}
			report, err := c.Wait(cmd.Context(), service, timeout, func(text string) {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", service.Name, text) // progress only
			})
			return errors.Join(err, asJSON.print(cmd, rollout{applied, report}, func(io.Writer) error { return nil })) // the progress is the text
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", 5*time.Minute, "time in which the service must come up")
	asJSON.add(cmd, ", also of a service that does not come up")
	return cmd
}

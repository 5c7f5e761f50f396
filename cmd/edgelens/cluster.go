package main

import (
	"github.com/spf13/cobra"

	"edgelens/internal/cluster"
)

func newCluster() *cobra.Command {
	var o cluster.Options
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Deploy to Kubernetes or K3s, and check services and nodes there",
		Example: `  edgelens cluster apply service.yaml
  edgelens cluster status
  edgelens cluster nodes --json`,
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "file with the cluster's address and credentials (default: that of kubectl, or of K3s on its server)")
	flags.StringVar(&o.Context, "context", "", "context of that file (default: the current one)")
	flags.StringVarP(&o.Namespace, "namespace", "n", "", "namespace (default: that of the service's file, or of the context)")
	cmd.AddCommand(newClusterApply(&o), newClusterStatus(&o), newClusterNodes(&o))
	return cmd
}

// connect connects to the cluster that the flags choose. Warnings of its API server go to stderr.
func connect(cmd *cobra.Command, o *cluster.Options) (*cluster.Cluster, error) {
	o.Warnings = cmd.ErrOrStderr()
	return cluster.Connect(*o)
}

package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/learn/federation"
)

func newFederationServe(environ []string) *cobra.Command {
	options := app.CoordinatorOptions{Definition: federation.Definition{Settings: federation.DefaultSettings()}}
	extractor := ""
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the coordinator of a federation until it is stopped",
		Long: `Runs the coordinator of one federation. The first start defines it by --head and --labels; later ones go on with
what is in the data folder, and need neither. Where they are given again, the other flags replace its settings.
Without --extractor, the first node that announces examples decides by which model embeddings are made.`,
		Example: `  edgelens federation serve --data-dir coordinator --listen 127.0.0.1:8090 --head gate --labels closed,open
  edgelens federation serve --data-dir coordinator --listen :8443 --tls-cert cert.pem --tls-key key.pem`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			if err := becomeOwner(cmd, c.DataDir); err != nil {
				return err
			}
			if extractor != "" {
				name, digest, _ := strings.Cut(extractor, "@")
				options.Definition.Extractor = federation.Model{Name: name, Digest: digest}
			}
			return app.Coordinate(cmd.Context(), c, version, cmd.ErrOrStderr(), options)
		},
	}
	f := cmd.Flags()
	config.AddFlags(f, "log_")
	f.StringVar(&options.Listen, "listen", "127.0.0.1:8090", "host:port that nodes call")
	f.StringVar(&options.StatusListen, "status-listen", "", "host:port to serve /healthz, /readyz and /metrics on (default: none)")
	f.StringVar(&options.TLS.Certificate, "tls-cert", "", "file with the certificate for HTTPS (PEM)")
	f.StringVar(&options.TLS.Key, "tls-key", "", "file with its private key (PEM)")
	f.StringVar(&options.Definition.Head, "head", "", "name of the head that is learned")
	f.StringSliceVar(&options.Definition.Labels, "labels", nil, "labels of the head, separated by commas")
	f.StringVar(&extractor, "extractor", "", "model whose embeddings are classified, NAME@sha256:DIGEST (default: that of the first node)")
	f.IntVar(&options.Definition.Features, "features", 0, "length of its embeddings; needed with --extractor")
	f.StringVar(&options.Definition.Fit, "fit", "", "how images are shown to the extractor: center, stretch, sweep or pad; with --extractor")
	f.StringVar(&options.Definition.Region, "region", "", "part of the image that is shown: x,y,width,height as shares; with --extractor")
	addFederationSettings(f, &options.Definition.Settings)
	return cmd
}

// addFederationSettings adds a flag for each setting of rounds.
func addFederationSettings(f *pflag.FlagSet, s *federation.Settings) {
	f.Float64Var(&s.Fraction, "fraction", s.Fraction, "share of the nodes that are asked in a round, 0 to 1")
	f.IntVar(&s.MinNodes, "min-nodes", s.MinNodes, "fewest nodes of a round, and fewest updates")
	f.IntVar(&s.MinExamples, "min-examples", s.MinExamples, "fewest examples that a node trains on")
	f.IntVar(&s.Rounds, "rounds", s.Rounds, "rounds after which no other begins; 0: no end")
	seconds(f, &s.Deadline, "deadline", "time that nodes have for each step of a round")
	seconds(f, &s.Pause, "pause", "time between two rounds")
	seconds(f, &s.Poll, "poll", "how often nodes ask for work")
	f.IntVar(&s.Epochs, "epochs", s.Epochs, "how often a node trains on each example in a round")
	f.IntVar(&s.Batch, "batch", s.Batch, "examples of a step of the training; 0: all")
	f.Float64Var(&s.Rate, "rate", s.Rate, "learning rate")
	f.Float64Var(&s.Mu, "mu", s.Mu, "proximal term of FedProx; 0 for FedAvg")
	f.Float64Var(&s.Momentum, "momentum", s.Momentum, "share of the last step of the head that the coordinator makes again")
	f.Float64Var(&s.L2, "l2", s.L2, "weight of the squared weights in the loss")
	f.Float64Var(&s.Clip, "clip", s.Clip, "norm to which updates are clipped, and above which they are refused")
	f.Float64Var(&s.Noise, "noise", s.Noise, "standard deviation of the noise on updates, in units of --clip; 0 for none")
	f.Float64Var(&s.Delta, "delta", s.Delta, "delta of the (epsilon, delta) that the noise gives")
	f.StringVar(&s.Aggregation, "aggregation", s.Aggregation, "how updates are combined: mean; or robust or trimmed, against poisoned nodes, from five nodes up")
	f.Float64Var(&s.Trim, "trim", s.Trim, "share of the nodes that robust withstands, and of the values that trimmed leaves out at each end")
	f.IntVar(&s.MaxWeight, "max-weight", s.MaxWeight, "examples of a node that count at most")
	f.BoolVar(&s.Secure, "secure", s.Secure, "have nodes mask their updates, so that the coordinator learns their sum alone")
	f.Float64Var(&s.HeldOut, "held-out", s.HeldOut, "share of its examples that a node never trains on")
	f.Float64Var(&s.MaxDrop, "max-drop", s.MaxDrop, "by how much the accuracy on them may fall for a head to go live, 0 to 1")
	f.StringVar(&s.Canary, "canary", s.Canary, "node that tries a head first (default: the first that joined)")
	f.Float64Var(&s.Threshold, "threshold", s.Threshold, "probability below which the answer is \"unknown\"")
	f.Int64Var(&s.Seed, "seed", s.Seed, "seed of the choice of nodes")
}

// seconds adds a flag for a duration.
func seconds(f *pflag.FlagSet, value *federation.Seconds, name, usage string) {
	f.DurationVar((*time.Duration)(value), name, time.Duration(*value), usage)
}

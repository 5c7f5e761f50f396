package main

import (
	"github.com/spf13/cobra"

	"edgelens/terminal/fungxi"
	"edgelens/terminal/simulate"
)

func newTerminalSimulate() *cobra.Command {
	c := simulate.Command{Config: simulate.DefaultConfig()}
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "simulate [IMAGE...]",
		Short: "Simulate terminals: send heartbeats and records with images, and check the answers",
		Long: `Simulates terminals at an MQTT broker. Each sends heartbeats, and records with images, until
Ctrl-C or --duration, or until it has sent --records of them, and executes commands. With
--duplicates, --reorder and --damaged they misbehave like real ones. The exit status is 0 only if
every expected answer was received.`,
		Example: `  edgelens terminal simulate
  edgelens terminal simulate --dialect camera --images photos/ --rate 1 --records 20
  edgelens terminal simulate --terminals 200 --rate 0.1 --duration 5m --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Images, c.JSON = append(c.Images, args...), asJSON.set
			return c.Run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	addBrokerFlags(cmd, &c.BrokerURL, &c.BrokerCA)
	f := cmd.Flags()
	f.StringVar(&c.DialectName, "dialect", fungxi.Name, "dialect of the terminals: fungxi, facesluice or camera")
	f.StringVar(&c.Ack, "ack", fungxi.AckNone, "echo if the server acknowledges fungxi records (--fungxi-ack=echo), else none")
	f.IntVar(&c.Terminals, "terminals", 1, "number of terminals")
	f.StringVar(&c.SerialPrefix, "serial-prefix", "SIM", "prefix of their serial numbers")
	f.StringArrayVar(&c.Images, "images", nil, "an image to send, or a folder of them, as are the arguments; repeatable (default: generated)")
	f.DurationVar(&c.Duration, "duration", 0, "duration (default: until Ctrl-C)")
	f.DurationVar(&c.Heartbeat, "heartbeat", c.Heartbeat, "heartbeat interval of each terminal; 0 for none")
	f.Float64Var(&c.Rate, "rate", c.Rate, "records a second of each terminal; 0 for as fast as the server accepts them")
	f.IntVar(&c.Records, "records", 0, "number of records of each terminal; 0 for no limit")
	f.BoolVar(&c.Distinct, "distinct", true, "make each JPEG of --images unique, by a comment in it")
	f.Float64Var(&c.Passed, "passed", c.Passed, "share of records of admitted people")
	f.Float64Var(&c.Strangers, "strangers", c.Strangers, "share of records of strangers; the others are refused")
	f.Float64Var(&c.Duplicates, "duplicates", 0, "share of records that are sent twice")
	f.Float64Var(&c.Reordered, "reorder", 0, "share of records that are swapped with the next")
	f.Float64Var(&c.Damaged, "damaged", 0, "share of records that are damaged: cut off, wrong types, too large")
	f.DurationVar(&c.RetryUnacked, "retry", c.RetryUnacked, "retry interval of unacknowledged records")
	f.DurationVar(&c.AnswerTimeout, "answer-timeout", c.AnswerTimeout, "timeout for an answer")
	f.Uint64Var(&c.Seed, "seed", 0, "random seed (default: any)")
	asJSON.add(cmd, ": the summary")
	return cmd
}

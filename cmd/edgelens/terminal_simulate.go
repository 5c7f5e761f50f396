package main

import (
	"github.com/spf13/cobra"

	"edgelens/terminal/fungxi"
	"edgelens/terminal/simulate"
)

func newTerminalSimulate() *cobra.Command {
	c := simulate.Command{Config: simulate.DefaultConfig()}
	cmd := &cobra.Command{
		Use:   "simulate [IMAGE...]",
		Short: "Send what terminals send: heartbeats and records with images; check the answers",
		Long: `Pretends to be terminals at an MQTT broker, for those who have none at hand. Each sends
heartbeats, and records with images, until Ctrl-C or --duration, or until it has sent
--records of them; and it does what it is told. With --duplicates, --reorder and --damaged
they misbehave as real ones do. The exit status is 0 only if every answer that was due
has come.`,
		Example: `  edgelens terminal simulate
  edgelens terminal simulate --dialect camera --images photos/ --rate 1 --records 20
  edgelens terminal simulate --terminals 200 --rate 0.1 --duration 5m --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Images = append(c.Images, args...)
			return c.Run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	addBrokerFlags(cmd, &c.BrokerURL, &c.BrokerCA)
	f := cmd.Flags()
	f.StringVar(&c.DialectName, "dialect", fungxi.Name, "what they speak: fungxi, facesluice or camera")
	f.StringVar(&c.Ack, "ack", fungxi.AckNone, "echo where the server is set to acknowledge records of fungxi; else none")
	f.IntVar(&c.Terminals, "terminals", 1, "how many")
	f.StringVar(&c.SerialPrefix, "serial-prefix", "SIM", "how their serial numbers begin")
	f.StringArrayVar(&c.Images, "images", nil, "an image to send, or a folder of them, as are the arguments; may be given again (default: made up)")
	f.DurationVar(&c.Duration, "duration", 0, "how long (default: until Ctrl-C)")
	f.BoolVar(&c.JSON, "json", false, "print the outcome as JSON")
	f.DurationVar(&c.Heartbeat, "heartbeat", c.Heartbeat, "how often each shows that it lives; 0 for never")
	f.Float64Var(&c.Rate, "rate", c.Rate, "records a second of each; 0 for as fast as they are taken")
	f.IntVar(&c.Records, "records", 0, "how many records each sends; 0 for no end")
	f.BoolVar(&c.Distinct, "distinct", true, "make each JPEG of --images a file of its own, by a comment in it")
	f.Float64Var(&c.Passed, "passed", c.Passed, "share of records of people let in")
	f.Float64Var(&c.Strangers, "strangers", c.Strangers, "share of records of strangers; the others are refused")
	f.Float64Var(&c.Duplicates, "duplicates", 0, "share of records that are sent twice")
	f.Float64Var(&c.Reordered, "reorder", 0, "share of records that change places with the next")
	f.Float64Var(&c.Damaged, "damaged", 0, "share of records that are damaged: cut off, wrong types, too large")
	f.DurationVar(&c.RetryUnacked, "retry", c.RetryUnacked, "after how long a record is sent again that is to be acknowledged")
	f.DurationVar(&c.AnswerTimeout, "answer-timeout", c.AnswerTimeout, "how long an answer is waited for")
	f.Uint64Var(&c.Seed, "seed", 0, "a number that has two runs make the same choices (default: any)")
	return cmd
}

package main

import (
	"github.com/spf13/cobra"

	"edgelens/sensor/simulator"
)

func newSensorSimulate() *cobra.Command {
	c := simulator.DefaultCommand()
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Simulate sensors: send numbers with noise, spikes and, if wanted, season, trend and gaps",
		Long: `Simulates sensors at an MQTT broker, until Ctrl-C or --duration: noise around a base, and every
hundredth value of a sensor a spike. The values are on /api/sensors and, by deviations, insights.`,
		Example: `  edgelens sensor simulate
  edgelens sensor simulate --sensors 100 --rate 1000 --duration 1m
  edgelens sensor simulate --season 1m --trend 10 --gap-every 5m --gap-for 1m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.JSON = asJSON.set
			return c.Run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	addBrokerFlags(cmd, &c.BrokerURL, &c.BrokerCA)
	f := cmd.Flags()
	f.StringVar(&c.Topic, "topic", c.Topic, "topic before the sensor's name")
	f.DurationVar(&c.Duration, "duration", 0, "duration (default: until Ctrl-C)")
	f.IntVar(&c.Sensors, "sensors", c.Sensors, "number of sensors")
	f.Float64Var(&c.Rate, "rate", c.Rate, "values a second of all sensors together")
	f.Float64Var(&c.Base, "base", c.Base, "mean of the values")
	f.Float64Var(&c.Noise, "noise", c.Noise, "standard deviation of the noise")
	f.IntVar(&c.SpikeEvery, "spike-every", c.SpikeEvery, "values of a sensor from spike to spike; 0 for no spikes")
	f.Float64Var(&c.SpikeMin, "spike-min", c.SpikeMin, "smallest spike above the other values")
	f.Float64Var(&c.SpikeMax, "spike-max", c.SpikeMax, "largest spike")
	f.DurationVar(&c.Season, "season", 0, "period of a season; 0 for none")
	f.Float64Var(&c.Amplitude, "amplitude", c.Amplitude, "amplitude of the season")
	f.Float64Var(&c.TrendPerHour, "trend", 0, "change per hour")
	f.DurationVar(&c.GapEvery, "gap-every", 0, "time from gap to gap, of one sensor after the other; 0 for no gaps")
	f.DurationVar(&c.GapFor, "gap-for", 0, "duration of a gap")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "random seed")
	asJSON.add(cmd, ": the summary")
	return cmd
}

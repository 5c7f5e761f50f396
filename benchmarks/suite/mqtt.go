package suite

import (
	"context"
	"fmt"
	"time"

	"edgelens/benchmarks/record"
	"edgelens/terminal/session"
)

// MQTTConfig is the configuration of simulated terminals.
type MQTTConfig struct {
	// Broker is where the service receives records and publishes events.
	Broker session.Address
	// Terminals are the numbers of terminals, one case each.
	Terminals []int
	// Rate is records a second, of all terminals together.
	Rate   float64
	Images []Image
	Seed   uint64
	// ConnectTimeout bounds the wait for a connection to the broker.
	ConnectTimeout time.Duration
	// EventTimeout bounds the wait for events once all records were sent.
	EventTimeout time.Duration
}

// MQTT returns a task for each number of terminals.
func MQTT(c MQTTConfig, service Service) []Task {
	var tasks []Task
	for _, n := range c.Terminals {
		tasks = append(tasks, Task{
			Case: record.Case{Suite: "mqtt", Name: fmt.Sprintf("%d terminals at %g/s", n, c.Rate), Mode: record.ModeMQTT, Kind: "event", Connections: n, Rate: c.Rate},
			Do: func(ctx context.Context, round *Round) error {
				before, err := service.CPU(ctx)
				if err != nil {
					return err
				}
				begin := time.Now()
				deliveries, err := c.simulate(ctx, n, round)
				if err != nil {
					return err
				}
				after, err := service.CPU(ctx)
				if err != nil {
					return err
				}
				round.window(begin, round.Window)
				round.Figure(record.FigureCPU, (after - before).Seconds())
				round.Figure(record.FigureRate, c.Rate)
				for _, d := range deliveries {
					round.Sample(d.terminal, d.due, d.sent, d.done, d.status)
				}
				return nil
			},
		})
	}
	return tasks
}

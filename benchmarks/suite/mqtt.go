package suite

import (
	"context"
	"fmt"
	"time"

	"edgelens/benchmarks/record"
)

// TerminalsLoad is what simulated terminals do.
type TerminalsLoad struct {
	Terminals int
	// Rate is records a second of all together.
	Rate   float64
	Window time.Duration
	Images []Image
	Seed   uint64
}

// Heard is a record that was sent, and its event.
type Heard struct {
	Terminal int
	// Due is when the record was due, Sent when it was given to the broker, Done
	// when its event came from it.
	Due, Sent, Done time.Time
	// Status is record.Good, or what was wrong with the event.
	Status string
}

// Terminals pretends to be terminals and waits for the events of their
// records. One whose event did not come is Done when it was given up.
type Terminals func(ctx context.Context, load TerminalsLoad) ([]Heard, error)

// MQTT returns a task for each number of terminals.
func MQTT(terminals []int, rate float64, images []Image, seed uint64, service Service, simulate Terminals) []Task {
	var tasks []Task
	for _, n := range terminals {
		tasks = append(tasks, Task{
			Case: record.Case{Suite: "mqtt", Name: fmt.Sprintf("%d terminals at %g/s", n, rate), Mode: record.ModeMQTT, Kind: "event", Connections: n, Rate: rate},
			Do: func(ctx context.Context, round *Round) error {
				before, err := service.CPU(ctx)
				if err != nil {
					return err
				}
				begin := time.Now()
				heard, err := simulate(ctx, TerminalsLoad{n, rate, round.Window, images, seed + uint64(round.Run)})
				if err != nil {
					return err
				}
				after, err := service.CPU(ctx)
				if err != nil {
					return err
				}
				round.window(begin, round.Window)
				round.Figure(record.FigureCPU, (after - before).Seconds())
				round.Figure(record.FigureRate, rate)
				for _, h := range heard {
					round.Sample(h.Terminal, h.Due, h.Sent, h.Done, h.Status)
				}
				return nil
			},
		})
	}
	return tasks
}

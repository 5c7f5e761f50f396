package suite

import (
	"context"
	"fmt"
	"sync"
	"time"

	"edgelens/benchmarks/load"
	"edgelens/benchmarks/record"
)

// Service is a service under load.
type Service interface {
	URL() string
	// CPU is the CPU time of the server and its children until now.
	CPU(ctx context.Context) (time.Duration, error)
	// Resident is the resident memory of the server, in bytes.
	Resident(ctx context.Context) (int64, error)
}

// HTTPConfig is the configuration of the loads.
type HTTPConfig struct {
	Images []Image
	// Together measures one case with all images in turn, in place of one for each.
	Together    bool
	Kinds       []string
	Connections []int
	// Loads are open loops, as shares of the peak: the closed loop of kind sync with the most connections in the same
	// round. Rates are further ones, in requests a second. Both are of kind sync.
	Loads, Rates []float64
	Arrivals     string
	// OpenConnections is the maximum number of concurrent requests of an open loop.
	OpenConnections int
	Seed            uint64
}

// HTTP returns the tasks for a service.
func HTTP(c HTTPConfig, service Service) []Task {
	sets := map[string][]Image{}
	var names []string
	for _, p := range c.Images {
		name := p.Name
		if c.Together {
			name = "all"
		}
		if sets[name] == nil {
			names = append(names, name)
		}
		sets[name] = append(sets[name], p)
	}
	var tasks []Task
	for _, name := range names {
		peak := &peak{}
		for _, kind := range c.Kinds {
			for _, connections := range c.Connections {
				tasks = append(tasks, closedTask(service, kind, name, sets[name], connections, peak))
			}
		}
		for _, share := range c.Loads {
			tasks = append(tasks, openTask(c, service, name, sets[name], record.Case{LoadOfPeak: share, Name: fmt.Sprintf("%.0f%% of peak", 100*share)}, peak))
		}
		for _, rate := range c.Rates {
			tasks = append(tasks, openTask(c, service, name, sets[name], record.Case{Rate: rate, Name: fmt.Sprintf("%g/s", rate)}, peak))
		}
	}
	return tasks
}

// peak is the largest throughput of a round.
type peak struct {
	mu   sync.Mutex
	run  int
	rate float64
}

func (p *peak) learn(run int, rate float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if run != p.run {
		p.run, p.rate = run, 0
	}
	p.rate = max(p.rate, rate)
}

func (p *peak) get() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rate
}

func closedTask(service Service, kind, name string, images []Image, connections int, peak *peak) Task {
	target := &caller{client: clientOf(service, connections), base: service.URL(), kind: kind, images: images}
	checked := false
	return Task{
		Case: record.Case{Suite: "http", Name: fmt.Sprintf("%s %s c%d", kind, name, connections), Mode: record.ModeClosed,
			Kind: kind, Image: name, Connections: connections},
		Do: func(ctx context.Context, round *Round) error {
			if !checked {
				if err := target.check(ctx); err != nil {
					return err
				}
				checked = true
			}
			return underLoad(ctx, service, round, func() (*load.Result, error) {
				result, err := load.Closed(ctx, target, connections, round.Window)
				if err == nil && kind == record.KindSync {
					peak.learn(round.Run, result.Throughput())
				}
				return result, err
			})
		},
	}
}

// soakRuns is how often the memory is measured during a soak.
const soakRuns = 10

// SoakTask loads a service with all images in turn for that long, without relevant pauses, and measures its memory ten
// times.
func SoakTask(service Service, images []Image, connections int, length time.Duration) Task {
	task := closedTask(service, record.KindSync, "all", images, connections, &peak{})
	task.Case.Name = fmt.Sprintf("%s all c%d for %v", record.KindSync, connections, length)
	task.Case.Mode, task.Case.Runs, task.Window = record.ModeSoak, soakRuns, length/soakRuns
	return task
}

func openTask(c HTTPConfig, service Service, name string, images []Image, which record.Case, peak *peak) Task {
	target := &caller{client: clientOf(service, c.OpenConnections), base: service.URL(), kind: record.KindSync, images: images}
	which.Suite, which.Mode, which.Kind, which.Image, which.Arrivals = "http", record.ModeOpen, record.KindSync, name, c.Arrivals
	which.Connections = c.OpenConnections
	which.Name = fmt.Sprintf("%s %s at %s", record.KindSync, name, which.Name)
	return Task{Case: which, Do: func(ctx context.Context, round *Round) error {
		rate := which.Rate
		if rate == 0 {
			rate = which.LoadOfPeak * peak.get()
		}
		schedule, err := load.Schedule(rate, c.Arrivals, round.Window, c.Seed+uint64(round.Run))
		if err != nil {
			return fmt.Errorf("a share of the peak needs a successful closed loop of kind sync: %w", err)
		}
		round.Figure(record.FigureRate, rate)
		return underLoad(ctx, service, round, func() (*load.Result, error) {
			return load.Open(ctx, target, c.OpenConnections, schedule, round.Window)
		})
	}}
}

// underLoad stores the result, and the server's CPU time.
func underLoad(ctx context.Context, service Service, round *Round, loop func() (*load.Result, error)) error {
	before, err := service.CPU(ctx)
	if err != nil {
		return err
	}
	result, err := loop()
	if err != nil {
		return err
	}
	after, err := service.CPU(ctx)
	if err != nil {
		return err
	}
	resident, err := service.Resident(ctx)
	if err != nil {
		return err
	}
	round.load(result)
	round.Figure(record.FigureCPU, (after - before).Seconds())
	round.Figure(record.FigureMemory, float64(resident))
	return nil
}

// Once loads a service in a closed loop of kind sync, after a short warm-up, without records.
func Once(ctx context.Context, service Service, images []Image, connections int, window time.Duration) (*load.Result, error) {
	target := &caller{client: NewClient(connections), base: service.URL(), kind: record.KindSync, images: images}
	defer target.client.CloseIdleConnections()
	if err := target.check(ctx); err != nil {
		return nil, err
	}
	if _, err := load.Closed(ctx, target, connections, window/5); err != nil {
		return nil, err
	}
	return load.Closed(ctx, target, connections, window)
}

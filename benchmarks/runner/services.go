package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"edgelens/benchmarks/record"
	"edgelens/benchmarks/report"
	"edgelens/benchmarks/suite"
	"edgelens/terminal/session"
)

// eventTimeout bounds the wait for events once all records of terminals were sent.
const eventTimeout = 10 * time.Second

func (r *run) httpTasks(ctx context.Context) ([]suite.Task, error) {
	service, err := r.httpService(ctx)
	if err != nil {
		return nil, err
	}
	c := r.config.HTTP
	c.Images, c.Seed = r.images, r.config.Seed
	tasks := suite.HTTP(c, service)
	if r.config.Soak > 0 {
		tasks = append(tasks, suite.SoakTask(service, r.images, c.Connections[0], r.config.Soak))
	}
	return tasks, nil
}

// httpService is the target, or a new edgelens service. That is started as often as there are runs, to measure its
// start; the last one is used.
func (r *run) httpService(ctx context.Context) (suite.Service, error) {
	if r.config.Target != "" {
		return suite.Remote{Base: r.config.Target, Key: r.config.Key}, nil
	}
	c := record.Case{Suite: "http", Name: "start", Mode: report.ModeStart}
	r.cases = append(r.cases, c)
	for round := 1; ; round++ {
		own, end, err := r.config.Service.start(ctx, "--mqtt-listen=")
		if err != nil {
			return nil, err
		}
		r.figures = append(r.figures,
			record.Figure{Suite: c.Suite, Case: c.Name, Run: round, Name: record.FigureReady, Value: own.Ready.Seconds()},
			record.Figure{Suite: c.Suite, Case: c.Name, Run: round, Name: record.FigureIdle, Value: float64(own.Idle)})
		if round >= r.config.Plan.Rounds {
			r.ends = append(r.ends, end)
			return own, nil
		}
		if err := end(); err != nil {
			return nil, err
		}
	}
}

func (r *run) mqttTasks(ctx context.Context) ([]suite.Task, error) {
	if r.config.Target != "" {
		return nil, errors.New("the suite mqtt starts a service and a broker of its own; leave out --target")
	}
	listen, err := suite.FreeAddress()
	if err != nil {
		return nil, err
	}
	broker, err := session.ParseAddress("mqtt://"+listen, "")
	if err != nil {
		return nil, err
	}
	own, end, err := r.config.Service.start(ctx, "--mqtt-listen="+listen)
	if err != nil {
		return nil, err
	}
	r.ends = append(r.ends, end)
	return suite.MQTT(suite.MQTTConfig{
		Broker: broker, Terminals: r.config.Terminals, Rate: r.config.TerminalRate, Images: r.images, Seed: r.config.Seed,
		ConnectTimeout: session.ConnectTimeout, EventTimeout: eventTimeout,
	}, own), nil
}

// start starts a service with a temporary data folder, and returns a function that ends it. On failure, the error has
// the end of its log.
func (s Service) start(ctx context.Context, more ...string) (*suite.Own, func() error, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("find this program: %w", err)
	}
	models, err := filepath.Abs(s.Settings.ModelsDir)
	if err != nil {
		return nil, nil, fmt.Errorf("find the models: %w", err)
	}
	data, err := os.MkdirTemp("", "edgelens-bench-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a data folder: %w", err)
	}
	args := append([]string{"serve"}, s.Flags...)
	args = append(args, "--listen=127.0.0.1:0", "--data-dir="+data, "--models-dir="+models, "--redis-url=", "--mqtt-url=", "--webhook-url=",
		"--log-format=json", "--log-level=info")
	log := &suite.LogTail{}
	own, err := suite.Start(ctx, program, append(args, more...), log)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%w\n%s", err, log), os.RemoveAll(data))
	}
	return own, func() error { return errors.Join(own.Stop(), os.RemoveAll(data)) }, nil
}

package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"edgelens/internal/console"
	"edgelens/terminal/camera"
	"edgelens/terminal/dialect"
	"edgelens/terminal/facesluice"
	"edgelens/terminal/fungxi"
	"edgelens/terminal/session"
)

// Command is the command `edgelens terminal simulate`. Errors name its members by the
// flags.
type Command struct {
	// Config is filled in from the rest.
	Config
	// BrokerURL and BrokerCA are the parameters of session.ParseAddress.
	BrokerURL, BrokerCA string
	// DialectName is the name of a dialect, and Ack how the server acknowledges records
	// of fungxi.
	DialectName, Ack string
	// Terminals is the number of terminals, and SerialPrefix the prefix of their serial numbers.
	Terminals    int
	SerialPrefix string
	// Images are files and folders of them.
	Images []string
	// Duration is how long the simulation runs; 0 is until ctx ends or all is sent.
	Duration time.Duration
	// JSON prints the report as JSON.
	JSON bool
}

// Run simulates terminals and prints the report to out and the progress to progress. It
// returns Report.Err, too.
func (c Command) Run(ctx context.Context, out, progress io.Writer) error {
	config, err := c.config()
	if err != nil {
		return err
	}
	config.OnCommand = func(device string, _ []byte) { fmt.Fprintf(progress, "%s received a command\n", device) } // progress only
	fleet, err := New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "%d %s of dialect %s at %s. To see the events:\n  mosquitto_sub -L '%s/edgelens/v1/events/#'\n",
		c.Terminals, console.Plural(c.Terminals, "terminal"), c.DialectName, config.Broker,
		strings.Replace(strings.TrimRight(config.Broker.String(), "/"), "tcp://", "mqtt://", 1)) // progress only
	if err := fleet.runFor(ctx, c.Duration, progress); err != nil {
		return err
	}
	report := fleet.Report()
	if c.JSON {
		err = json.NewEncoder(out).Encode(report)
	} else {
		err = report.Print(out)
	}
	if err != nil {
		return err
	}
	return report.Err()
}

// config returns the complete Config.
func (c Command) config() (config Config, err error) {
	config = c.Config
	if config.Broker, err = session.ParseAddress(c.BrokerURL, c.BrokerCA); err != nil {
		return config, fmt.Errorf("--broker: %w", err)
	}
	if config.Dialect, config.Simulator, err = c.dialect(); err != nil {
		return config, err
	}
	config.Images, err = readImages(c.Images)
	config.Devices = Serials(c.SerialPrefix, c.Terminals)
	return config, err
}

// dialect returns the dialect of DialectName and its simulator.
func (c Command) dialect() (dialect.Dialect, dialect.Simulator, error) {
	switch c.DialectName {
	case fungxi.Name:
		config := fungxi.DefaultConfig()
		config.Ack = c.Ack
		if err := config.Validate(); err != nil {
			return nil, nil, fmt.Errorf("--%w", err)
		}
		return fungxi.New(config), fungxi.NewSimulator(nil), nil
	case facesluice.Name:
		return facesluice.New(facesluice.DefaultConfig()), facesluice.NewSimulator(nil), nil
	case camera.Name:
		return camera.New(camera.DefaultConfig()), camera.NewSimulator(), nil
	}
	return nil, nil, fmt.Errorf("--dialect must be fungxi, facesluice or camera, not %q", c.DialectName)
}

// runFor is Run for a duration; 0 is without end. It fails where the broker is unreachable
// from the start.
func (f *Fleet) runFor(ctx context.Context, duration time.Duration, progress io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if duration > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, duration)
		defer stop()
	}
	wait, stopWaiting := context.WithCancel(ctx)
	defer stopWaiting()
	finished := make(chan struct{})
	var err error // of Run, once it has finished
	go func() {
		err = f.Run(ctx)
		stopWaiting()
		close(finished)
	}()
	began := func() bool { r := f.Report(); return r.Connected > 0 || r.Heartbeats.Sent+r.Records.Sent > 0 }
	unreachable := session.Await(wait, f.config.Broker, session.ConnectTimeout, began, f.LastError)
	if unreachable != nil {
		cancel()
	} else {
		f.show(finished, progress)
	}
	<-finished
	if reason := f.LastError(); unreachable == nil && reason != nil && !began() { // ended before ConnectTimeout
		unreachable = session.Unreachable(f.config.Broker, reason)
	}
	return errors.Join(unreachable, err)
}

// Package simulator sends the values of simulated sensors (sensor/simulate) to an MQTT broker.
package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"edgelens/internal/uuid7"
	"edgelens/sensor/simulate"
	"edgelens/terminal/session"
)

const (
	// publishTimeout bounds one message, and stopTimeout the disconnection.
	publishTimeout, stopTimeout = 10 * time.Second, 5 * time.Second
	// progressEvery is how often the number of values is printed.
	progressEvery = 10 * time.Second
)

// Command is the command `edgelens sensor simulate`.
type Command struct {
	simulate.Config
	// BrokerURL and BrokerCA are those of session.ParseAddress.
	BrokerURL, BrokerCA string
	// Topic replaces the default "sensors" before the sensor's name.
	Topic string
	// Duration is how long it runs; 0 is until ctx ends.
	Duration time.Duration
	// JSON is whether the summary is JSON, and the progress goes to the log.
	JSON bool
}

// Summary is what was sent. Names are added and never changed: scripts read them.
type Summary struct {
	Values  int     `json:"values"`
	Spikes  int     `json:"spikes"`
	Seconds float64 `json:"seconds"`
}

// DefaultCommand simulates ten sensors under "sensors".
func DefaultCommand() Command { return Command{Config: simulate.DefaultConfig(), Topic: "sensors"} }

// Run sends values until ctx ends or the duration is over, each at its time. Its error is that of the broker.
func (c *Command) Run(ctx context.Context, out, logs io.Writer) error {
	generator, err := simulate.New(c.Config)
	if err != nil {
		return err
	}
	if c.Topic == "" || strings.ContainsAny(c.Topic, "#+") {
		return fmt.Errorf("simulate sensors: --topic must be a topic without wildcards, not %q", c.Topic)
	}
	address, err := session.ParseAddress(c.BrokerURL, c.BrokerCA)
	if err != nil {
		return fmt.Errorf("simulate sensors: --broker %w", err)
	}
	log := slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelWarn}))
	connection, err := session.Start(session.Config{Address: address, ClientID: "edgelens-sensors-" + uuid7.New(time.Now())}, log)
	if err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		_ = connection.Stop(stopping) // all is confirmed, or its error returned
	}()
	if err := session.Await(ctx, address, session.ConnectTimeout, connection.Up, connection.LastError); err != nil || ctx.Err() != nil {
		return err
	}
	if c.Duration > 0 {
		limited, cancel := context.WithTimeout(ctx, c.Duration)
		defer cancel()
		ctx = limited
	}
	progress := out
	if c.JSON {
		progress = logs
	}
	start := time.Now()
	sent, err := c.send(ctx, generator, connection, start, progress)
	sent.Seconds = time.Since(start).Seconds()
	return errors.Join(err, c.print(out, sent))
}

func (c *Command) print(out io.Writer, s Summary) error {
	if c.JSON {
		return json.NewEncoder(out).Encode(s)
	}
	took := time.Duration(s.Seconds * float64(time.Second)).Round(time.Millisecond)
	_, err := fmt.Fprintf(out, "%d values, %d of them spikes, in %v\n", s.Values, s.Spikes, took)
	return err
}

// send sends the values, each at its time.
func (c *Command) send(ctx context.Context, generator *simulate.Generator, connection *session.Session, start time.Time, progress io.Writer) (sent Summary, err error) {
	printed := start
	for {
		sample := generator.Next()
		if !sleepUntil(ctx, start.Add(sample.Offset)) {
			return sent, nil
		}
		if err := c.publish(ctx, connection, sample, start); err != nil {
			if ctx.Err() != nil {
				return sent, nil
			}
			return sent, fmt.Errorf("simulate sensors: after %d values: %w", sent.Values, err)
		}
		sent.Values++
		if sample.Spike {
			sent.Spikes++
		}
		if now := time.Now(); now.Sub(printed) >= progressEvery {
			printed = now
			fmt.Fprintf(progress, "%d values\n", sent.Values) // progress only
		}
	}
}

func (c *Command) publish(ctx context.Context, connection *session.Session, sample simulate.Sample, start time.Time) error {
	topic, payload := sample.Message(start)
	_, name, _ := strings.Cut(topic, "/")
	limited, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	err := connection.Publish(limited, session.Outgoing{Topic: c.Topic + "/" + name, Payload: payload, QoS: 0})
	if errors.Is(err, session.ErrNoSubscriber) {
		return nil
	}
	return err
}

// sleepUntil returns at a time, or false when ctx has ended before.
func sleepUntil(ctx context.Context, at time.Time) bool {
	wait := time.Until(at)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

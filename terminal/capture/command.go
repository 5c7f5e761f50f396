package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"edgelens/terminal/dialects"
	"edgelens/terminal/session"
)

// Command is the command `edgelens terminal capture`. Errors name its members by the
// flags.
type Command struct {
	// BrokerURL and BrokerCA are the parameters of session.ParseAddress.
	BrokerURL, BrokerCA string
	// Topic is the filter of the logged topics.
	Topic string
	// Out is the file to append to; "" is standard output.
	Out string
	// Duration is how long it logs; 0 is until ctx ends.
	Duration  time.Duration
	KeepNames bool
}

// Run logs messages to Out or stdout, and its progress to progress.
func (c Command) Run(ctx context.Context, stdout, progress io.Writer) (err error) {
	address, err := session.ParseAddress(c.BrokerURL, c.BrokerCA)
	if err != nil {
		return fmt.Errorf("--broker: %w", err)
	}
	out := stdout
	if c.Out != "" {
		file, err := os.OpenFile(c.Out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("--out: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		out = file
	}
	recorder := New(out, c.KeepNames, dialects.New(dialects.DefaultConfig())...)
	s, err := session.Start(session.Config{
		Address: address, ClientID: fmt.Sprintf("edgelens-capture-%d", os.Getpid()), ReceiveMaximum: 32, AckAtOnce: true,
		Subscriptions: []session.Subscription{{Filter: c.Topic, QoS: 1}}, OnMessage: recorder.Record,
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.Background(), session.ConnectTimeout)
		defer cancel()
		err = errors.Join(err, s.Stop(stop))
	}()
	if err := session.Await(ctx, address, session.ConnectTimeout, s.Up, s.LastError); err != nil {
		return err
	}
	fmt.Fprintf(progress, "Logging %s of %s; Ctrl-C stops.\n", c.Topic, address) // progress only
	if c.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Duration)
		defer cancel()
	}
	if err := recorder.watch(ctx); err != nil {
		return err
	}
	lines, err := recorder.Lines()
	fmt.Fprintf(progress, "%d messages were logged.\n", lines) // progress only
	return err
}

// watch returns when ctx ends, or writing has failed.
func (r *Recorder) watch(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if _, err := r.Lines(); err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

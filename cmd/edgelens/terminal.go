package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"edgelens/terminal/capture"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialects"
	"edgelens/terminal/session"
)

// brokerTimeout is how long a broker may take to be there.
const brokerTimeout = 5 * time.Second

func newTerminal() *cobra.Command {
	cmd := &cobra.Command{Use: "terminal", Short: "Pretend to be terminals, or listen to real ones"}
	cmd.AddCommand(newTerminalSimulate(), newTerminalCapture())
	return cmd
}

// brokerFlags are where the broker is.
type brokerFlags struct{ url, caFile string }

func (b *brokerFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&b.url, "broker", "mqtt://127.0.0.1:1883", "URL of the MQTT broker, such as mqtts://user:password@host:8883")
	cmd.Flags().StringVar(&b.caFile, "broker-ca", "", "file of the certificates (PEM) that a broker with TLS is trusted for (default: this machine's)")
}

func (b *brokerFlags) address() (session.Address, error) {
	address, err := session.ParseAddress(b.url, b.caFile)
	if err != nil {
		return session.Address{}, fmt.Errorf("--broker: %w", err)
	}
	return address, nil
}

// noBroker says what to do where there is no connection.
func noBroker(address session.Address, problem error) error {
	if problem == nil {
		problem = errors.New("it does not answer")
	}
	return fmt.Errorf("no connection to the MQTT broker at %s: %w; start one with `make run`, or say with --broker where it is", address, problem)
}

// awaitBroker returns when up says so; an error after brokerTimeout, and nil
// where ctx ends.
func awaitBroker(ctx context.Context, address session.Address, up func() bool, problem func() error) error {
	timeout := time.After(brokerTimeout)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !up() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		case <-timeout:
			return noBroker(address, problem())
		}
	}
	return nil
}

// forDuration ends ctx after a time; 0 is never.
func forDuration(ctx context.Context, duration time.Duration) (context.Context, context.CancelFunc) {
	if duration <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, duration)
}

// isTerminal reports whether somebody looks at what is written.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

type captureFlags struct {
	broker    brokerFlags
	topic     string
	out       string
	duration  time.Duration
	keepNames bool
}

func newTerminalCapture() *cobra.Command {
	var flags captureFlags
	cmd := &cobra.Command{
		Use:   "capture",
		Short: "Log what terminals say as JSON lines, images cut out",
		Long: `Writes each message on the broker as one line of JSON, with what each dialect makes of
it: what is needed to support a new terminal or firmware. Images are always replaced by
their size and digest; names and the like are masked unless --keep-names. It ends at
Ctrl-C or after --duration.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return captureTraffic(cmd.Context(), flags, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags.broker.add(cmd)
	cmd.Flags().StringVar(&flags.topic, "topic", "#", "topic filter of what to log")
	cmd.Flags().StringVar(&flags.out, "out", "", "file to append to (default: standard output)")
	cmd.Flags().DurationVar(&flags.duration, "duration", 0, "how long (default: until Ctrl-C)")
	cmd.Flags().BoolVar(&flags.keepNames, "keep-names", false, "do not mask names, telephone numbers and the like")
	return cmd
}

func captureTraffic(ctx context.Context, flags captureFlags, stdout, talk io.Writer) (err error) {
	address, err := flags.broker.address()
	if err != nil {
		return err
	}
	out := stdout
	if flags.out != "" {
		file, err := os.OpenFile(flags.out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("--out: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		out = file
	}
	recorder := capture.New(out, flags.keepNames, everyDialect()...)
	s, err := session.Start(session.Config{
		Address: address, ClientID: fmt.Sprintf("edgelens-capture-%d", os.Getpid()), ReceiveMaximum: 32, AckAtOnce: true,
		Subscriptions: []session.Subscription{{Filter: flags.topic, QoS: 1}}, OnMessage: recorder.Record,
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.Background(), brokerTimeout)
		defer cancel()
		err = errors.Join(err, s.Stop(stop))
	}()
	if err := awaitBroker(ctx, address, s.Up, s.LastError); err != nil {
		return err
	}
	fmt.Fprintf(talk, "Logging %s of %s; Ctrl-C ends it.\n", flags.topic, address) // only talk
	ctx, cancel := forDuration(ctx, flags.duration)
	defer cancel()
	if err := watchRecorder(ctx, recorder); err != nil {
		return err
	}
	lines, err := recorder.Lines()
	fmt.Fprintf(talk, "%d messages were logged.\n", lines) // only talk
	return err
}

// watchRecorder returns when ctx ends, or nothing more can be written.
func watchRecorder(ctx context.Context, recorder *capture.Recorder) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if _, err := recorder.Lines(); err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func everyDialect() []dialect.Dialect {
	return dialects.New(dialects.DefaultConfig())
}

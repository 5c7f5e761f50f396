package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"edgelens/terminal/camera"
	"edgelens/terminal/dialect"
	"edgelens/terminal/facesluice"
	"edgelens/terminal/fungxi"
	"edgelens/terminal/simulate"
)

type simulateFlags struct {
	broker    brokerFlags
	dialect   string
	ack       string
	terminals int
	prefix    string
	images    []string
	duration  time.Duration
	asJSON    bool
	config    simulate.Config // what flags set in it
}

func newTerminalSimulate() *cobra.Command {
	flags := simulateFlags{config: simulate.DefaultConfig()}
	cmd := &cobra.Command{
		Use:   "simulate [IMAGE...]",
		Short: "Send what terminals send: heartbeats and records with images; check the answers",
		Long: `Pretends to be terminals at an MQTT broker, for those who have none at hand. Each sends
heartbeats, and records with images, until Ctrl-C or --duration, or until it has sent
--records of them; and it does what it is told. With --duplicates, --reorder and --lies
they misbehave as real ones do. The exit status is 0 only if every answer that was due
has come.`,
		Example: `  edgelens terminal simulate
  edgelens terminal simulate --dialect camera --images photos/ --rate 1 --records 20
  edgelens terminal simulate --terminals 200 --rate 0.1 --duration 5m --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			flags.images = append(flags.images, args...)
			return simulateTerminals(cmd.Context(), &flags, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags.broker.add(cmd)
	f, c := cmd.Flags(), &flags.config
	f.StringVar(&flags.dialect, "dialect", fungxi.Name, "what they speak: fungxi, facesluice or camera")
	f.StringVar(&flags.ack, "ack", fungxi.AckNone, "echo where the server is set to acknowledge records of fungxi; else none")
	f.IntVar(&flags.terminals, "terminals", 1, "how many")
	f.StringVar(&flags.prefix, "serial-prefix", "SIM", "how their serial numbers begin")
	f.StringArrayVar(&flags.images, "images", nil, "an image to send, or a folder of them, as are the arguments; may be given again (default: made up)")
	f.DurationVar(&flags.duration, "duration", 0, "how long (default: until Ctrl-C)")
	f.BoolVar(&flags.asJSON, "json", false, "print the outcome as JSON")
	f.DurationVar(&c.Heartbeat, "heartbeat", c.Heartbeat, "how often each shows that it lives; 0 for never")
	f.Float64Var(&c.Rate, "rate", c.Rate, "records a second of each; 0 for as fast as they are taken")
	f.IntVar(&c.Records, "records", 0, "how many records each sends; 0 for no end")
	f.BoolVar(&c.Distinct, "distinct", true, "make each JPEG of --images a file of its own, by a comment in it")
	f.Float64Var(&c.Passed, "passed", c.Passed, "share of records of people let in")
	f.Float64Var(&c.Strangers, "strangers", c.Strangers, "share of records of strangers; the others are refused")
	f.Float64Var(&c.Duplicates, "duplicates", 0, "share of records that are sent twice")
	f.Float64Var(&c.Reordered, "reorder", 0, "share of records that change places with the next")
	f.Float64Var(&c.Lies, "lies", 0, "share of records that are damaged: cut off, wrong types, too large")
	f.DurationVar(&c.RetryUnacked, "retry", c.RetryUnacked, "after how long a record is sent again that is to be acknowledged")
	f.DurationVar(&c.AnswerTimeout, "answer-timeout", c.AnswerTimeout, "how long an answer is waited for")
	f.Uint64Var(&c.Seed, "seed", 0, "a number that has two runs make the same choices (default: any)")
	return cmd
}

func simulateTerminals(ctx context.Context, flags *simulateFlags, out, talk io.Writer) error {
	config := flags.config
	var err error
	if config.Broker, err = flags.broker.address(); err != nil {
		return err
	}
	if config.Dialect, config.Simulator, err = flags.spoken(); err != nil {
		return err
	}
	if config.Images, err = readImages(flags.images); err != nil {
		return err
	}
	config.Devices = simulate.Serials(flags.prefix, flags.terminals)
	config.OnCommand = func(device string, _ []byte) { fmt.Fprintf(talk, "%s was sent a command\n", device) } // only talk
	fleet, err := simulate.New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	fmt.Fprintf(talk, "%d %s of dialect %s at %s. To see what comes of it:\n  mosquitto_sub -L '%s/edgelens/v1/events/#'\n",
		flags.terminals, plural(flags.terminals, "terminal"), flags.dialect, config.Broker,
		strings.Replace(strings.TrimRight(config.Broker.String(), "/"), "tcp://", "mqtt://", 1)) // only talk
	if err := runFleet(ctx, fleet, &config, flags.duration, talk); err != nil {
		return err
	}
	report := fleet.Report()
	if flags.asJSON {
		err = json.NewEncoder(out).Encode(report)
	} else {
		err = printReport(out, report)
	}
	if err != nil {
		return err
	}
	return report.Err()
}

// spoken returns the dialect that the flags name.
func (f *simulateFlags) spoken() (dialect.Dialect, dialect.Simulator, error) {
	switch f.dialect {
	case fungxi.Name:
		config := fungxi.DefaultConfig()
		config.Ack = f.ack
		if err := config.Validate(); err != nil {
			return nil, nil, fmt.Errorf("--%w", err)
		}
		return fungxi.New(config), fungxi.NewSimulator(nil), nil
	case facesluice.Name:
		return facesluice.New(facesluice.DefaultConfig()), facesluice.NewSimulator(nil), nil
	case camera.Name:
		return camera.New(camera.DefaultConfig()), camera.NewSimulator(), nil
	}
	return nil, nil, fmt.Errorf("--dialect must be fungxi, facesluice or camera, not %q", f.dialect)
}

// runFleet runs it until ctx ends or it has done its work, and shows how far it
// is. It fails where there is no broker from the start.
func runFleet(ctx context.Context, fleet *simulate.Fleet, config *simulate.Config, duration time.Duration, talk io.Writer) error {
	ctx, cancel := forDuration(ctx, duration)
	defer cancel()
	wait, stopWaiting := context.WithCancel(ctx)
	finished := make(chan struct{})
	var err error // of Run, once it has finished
	go func() {
		err = fleet.Run(ctx)
		stopWaiting()
		close(finished)
	}()
	began := func() bool { r := fleet.Report(); return r.Connected > 0 || r.Heartbeats.Sent+r.Records.Sent > 0 }
	missing := awaitBroker(wait, config.Broker, began, fleet.LastError)
	if missing != nil {
		cancel()
	} else {
		show(fleet, finished, talk)
	}
	<-finished
	if problem := fleet.LastError(); missing == nil && problem != nil && !began() { // ended before the broker's time was up
		missing = noBroker(config.Broker, problem)
	}
	return errors.Join(missing, err)
}

// show writes how far it is: every second in one line where somebody looks, else
// every ten seconds in a new one.
func show(fleet *simulate.Fleet, finished <-chan struct{}, talk io.Writer) {
	every, before, behind := 10*time.Second, "", "\n"
	if isTerminal(talk) {
		every, before, behind = time.Second, "\r\x1b[K", ""
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprint(talk, before+progress(fleet.Report())+behind) // only talk
		case <-finished:
			if behind == "" {
				fmt.Fprint(talk, before) // only talk
			}
			return
		}
	}
}

func progress(r simulate.Report) string {
	text := fmt.Sprintf("%ds: %d of %d connected; heartbeats %d, answered %d (p99 %s); records %d", int(r.Seconds), r.Connected, r.Terminals,
		r.Heartbeats.Sent, r.Heartbeats.Answered, inMilliseconds(r.Heartbeats.Latency.P99), r.Records.Sent)
	if r.Records.Due > 0 {
		text += fmt.Sprintf(", acknowledged %d", r.Records.Answered)
	}
	if r.Unheard > 0 {
		text += fmt.Sprintf("; NOBODY LISTENED to %d", r.Unheard)
	}
	return text
}

func printReport(w io.Writer, r simulate.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tSENT\tANSWERS DUE\tANSWERED\tMISSING\tCUT OFF\tP50\tP95\tP99\tMAX") // Flush returns the error
	for _, row := range []struct {
		name string
		simulate.Exchange
	}{{"heartbeats", r.Heartbeats}, {"onlines", r.Onlines}, {"records", r.Records}} {
		l := row.Latency
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s\n", row.name, row.Sent, row.Due, row.Answered, row.Unanswered, row.CutOff,
			inMilliseconds(l.P50), inMilliseconds(l.P95), inMilliseconds(l.P99), inMilliseconds(l.Max)) // Flush returns the error
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%.0f s, seed %d: %d sent twice on purpose, %d in the wrong order, %d damaged, %d sent again, %d refused by the broker, %d unheard; %d commands, %d replies\n",
		r.Seconds, r.Seed, r.Duplicates, r.Reordered, r.Lies, r.Resent, r.Refused, r.Unheard, r.Commands, r.Replies)
	return err
}

func inMilliseconds(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1fms", float64(d.Microseconds())/1000)
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// maxImage is how large an image may be that is sent: what servers take.
const maxImage = 10 << 20

// readImages reads files, and the images in folders.
func readImages(paths []string) ([][]byte, error) {
	var images [][]byte
	for _, path := range paths {
		files, err := imageFiles(path)
		if err != nil {
			return nil, fmt.Errorf("--images: %w", err)
		}
		for _, file := range files {
			image, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("--images: %w", err)
			}
			if len(image) == 0 || len(image) > maxImage {
				return nil, fmt.Errorf("--images: %s has %d bytes; an image has 1 to %d", file, len(image), maxImage)
			}
			images = append(images, image)
		}
	}
	return images, nil
}

func imageFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		switch strings.ToLower(filepath.Ext(entry.Name())) {
		case ".jpg", ".jpeg", ".png", ".webp", ".bmp":
			files = append(files, filepath.Join(path, entry.Name()))
		}
	}
	if files == nil {
		return nil, fmt.Errorf("there is no .jpg, .png, .webp or .bmp in %s", path)
	}
	return files, nil
}

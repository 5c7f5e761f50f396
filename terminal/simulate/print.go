package simulate

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"edgelens/internal/console"
)

// show prints the progress: every second over the same line of a terminal, otherwise every
// ten seconds in a new line.
func (f *Fleet) show(finished <-chan struct{}, out io.Writer) {
	every, before, behind := 10*time.Second, "", "\n"
	if console.IsTerminal(out) {
		every, before, behind = time.Second, "\r\x1b[K", ""
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprint(out, before+f.Report().progress()+behind) // progress only
		case <-finished:
			if behind == "" {
				fmt.Fprint(out, before) // progress only
			}
			return
		}
	}
}

// progress returns the report in one line.
func (r Report) progress() string {
	text := fmt.Sprintf("%ds: %d of %d connected; heartbeats %d, answered %d (p99 %s); records %d", int(r.Seconds), r.Connected, r.Terminals,
		r.Heartbeats.Sent, r.Heartbeats.Answered, inMilliseconds(r.Heartbeats.Latency.P99), r.Records.Sent)
	if r.Records.Due > 0 {
		text += fmt.Sprintf(", acknowledged %d", r.Records.Answered)
	}
	if r.NoSubscriber > 0 {
		text += fmt.Sprintf("; NO SUBSCRIBER for %d", r.NoSubscriber)
	}
	return text
}

// Print writes the report as a table.
func (r Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tSENT\tANSWERS DUE\tANSWERED\tMISSING\tCUT OFF\tP50\tP95\tP99\tMAX") // Flush returns the error
	for _, row := range []struct {
		name string
		Exchange
	}{{"heartbeats", r.Heartbeats}, {"onlines", r.Onlines}, {"records", r.Records}} {
		l := row.Latency
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s\n", row.name, row.Sent, row.Due, row.Answered, row.Unanswered, row.CutOff,
			inMilliseconds(l.P50), inMilliseconds(l.P95), inMilliseconds(l.P99), inMilliseconds(l.Max)) // Flush returns the error
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%.0f s, seed %d: %d duplicates, %d reordered, %d damaged, %d resent, %d rejected by the broker, %d without a subscriber; %d commands, %d replies\n",
		r.Seconds, r.Seed, r.Duplicates, r.Reordered, r.Damaged, r.Resent, r.Refused, r.NoSubscriber, r.Commands, r.Replies)
	return err
}

func inMilliseconds(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1fms", float64(d.Microseconds())/1000)
}

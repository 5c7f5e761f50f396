//go:build boxes

package boxes

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens/benchmarks/table"
)

// TestManyBoxes measures a site of each size in BOXES ("3,10,30"), in windows of BOXES_SECONDS (12), and prints a table.
// It fails where a job fails.
func TestManyBoxes(t *testing.T) {
	window := time.Duration(number(t, "BOXES_SECONDS", "12")[0]) * time.Second
	rows := [][]string{{""}}
	for _, n := range number(t, "BOXES", "3,10,30") {
		t.Run(fmt.Sprint(n), func(t *testing.T) { rows = addColumn(rows, measure(t, n, window)) })
	}
	var text strings.Builder
	table.Markdown(&text, rows)
	fmt.Print("\n", text.String(), "\n")
}

// number reads numbers, separated by commas, from the environment.
func number(t *testing.T, name, otherwise string) (all []int) {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		text = otherwise
	}
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			t.Fatalf("%s must be numbers from 1 on, separated by commas, not %q", name, text)
		}
		all = append(all, n)
	}
	return all
}

// calmDown is the time after which an idle node looks into Redis more rarely, and more.
const calmDown = 12 * time.Second

// cell is a row's name and its value for one site.
type cell struct{ name, value string }

// addColumn adds a site's values to the table, whose header is the first cell.
func addColumn(rows [][]string, column []cell) [][]string {
	for i, c := range column {
		if i == len(rows) {
			rows = append(rows, []string{c.name})
		}
		rows[i] = append(rows[i], c.value)
	}
	return rows
}

// measure measures a site of n nodes.
func measure(t *testing.T, n int, window time.Duration) []cell {
	begun := time.Now()
	s := newSite(t, n)
	started := time.Since(begun)
	s.forgetProblems()
	messages := s.followMessages()
	nodes := float64(n)
	cells := []cell{{"", fmt.Sprint(n, " nodes")}, {"all are ready after, s", fmt.Sprintf("%.0f", started.Seconds())}}
	add := func(name, format string, value float64) {
		cells = append(cells, cell{name, fmt.Sprintf(format, value)})
	}

	progress("%d nodes: idle", n)
	time.Sleep(calmDown)
	idle, weight := s.during(window, func(context.Context) {})
	add("idle: CPU of a node, % of a core", "%.2f", 100*idle.nodeCPU/nodes)
	add("idle: resident memory of a node, MiB", "%.0f", float64(weight.resident)/nodes/(1<<20))
	add("idle: the same, with shared pages counted once, MiB", "%.0f", float64(weight.shared)/nodes/(1<<20))
	add("idle: commands of Redis a second for a node", "%.1f", idle.commands/nodes)
	cells = append(cells, cell{"idle: the commonest of them", idle.commonest(nodes)})
	add("idle: CPU of the busiest server of Redis for a node, % of a core", "%.3f", 100*idle.busiest/nodes)
	add("idle: CPU of Redis for a node, % of a core", "%.3f", 100*idle.redisCPU/nodes)
	add("connections to Redis of a node, idle", "%.1f", idle.clients/nodes)
	add("memory of Redis, MiB", "%.1f", idle.memory/(1<<20))

	progress("%d nodes: steady", n)
	steady := &outcomes{}
	from := time.Now()
	busy, weight := s.during(window, func(ctx context.Context) {
		var both sync.WaitGroup
		both.Go(func() { s.steadily(ctx, steady) })
		both.Go(func() { s.report(ctx, steady) })
		both.Wait()
	})
	received, sent := messages.rate(from)
	add("steady: CPU of a node, % of a core", "%.2f", 100*busy.nodeCPU/nodes)
	add("steady: resident memory of a node, MiB", "%.0f", float64(weight.resident)/nodes/(1<<20))
	add("steady: commands of Redis a second for a node", "%.1f", busy.commands/nodes)
	add("steady: CPU of Redis for a node, % of a core", "%.3f", 100*busy.redisCPU/nodes)
	add("steady: connections to Redis of a node", "%.1f", busy.clients/nodes)
	add("steady: jobs that another node did, %", "%.0f", 100*busy.others/max(1, busy.own+busy.others))
	add("steady: messages that the broker received a second", "%.1f", received)
	add("steady: messages that it sent a second", "%.1f", sent)
	add("steady: CPU of the broker for a node, % of a core", "%.3f", 100*busy.brokerCPU/nodes)
	add("steady: a job took, p50, ms", "%.0f", steady.quantile(0.5).Seconds()*1000)
	add("steady: a job took, p99, ms", "%.0f", steady.quantile(0.99).Seconds()*1000)

	for _, most := range []struct {
		name      string
		accepting int
	}{{"most, accepted by all", n}, {"most, accepted by one", 1}} {
		progress("%d nodes: %s", n, most.name)
		o := &outcomes{}
		u, _ := s.during(window, func(ctx context.Context) { s.asManyAsPossible(ctx, most.accepting, o) })
		jobs := max(1, u.own+u.others)
		add(most.name+": jobs a second", "%.0f", jobs/u.seconds)
		add(most.name+": of them done by another node, %", "%.0f", 100*u.others/jobs)
		add(most.name+": CPU of the nodes for a job, ms", "%.2f", 1000*u.nodeCPU*u.seconds/jobs)
		add(most.name+": CPU of Redis for a job, ms", "%.2f", 1000*u.redisCPU*u.seconds/jobs)
		add(most.name+": of that, on the busiest server, %", "%.0f", 100*u.busiest/max(u.redisCPU, 1e-9))
		add(most.name+": commands of Redis for a job", "%.1f", u.commands*u.seconds/jobs)
		add(most.name+": bytes through Redis for a job, kB", "%.1f", u.bytes*u.seconds/jobs/1000)
		add(most.name+": memory of Redis at the end, MiB", "%.1f", u.memory/(1<<20))
		add(most.name+": connections to Redis of a node", "%.1f", u.clients/nodes)
		s.mustSucceed(o)
	}
	s.mustSucceed(steady)
	cells = append(cells, cell{"warnings and errors in the logs", s.problems()})
	return cells
}

// during measures what is used while load runs, which ends with its context after the window.
func (s *site) during(window time.Duration, load func(context.Context)) (used, counters) {
	time.Sleep(window / 4) // until what was before has calmed down
	before := s.count()
	ctx, cancel := context.WithTimeout(context.Background(), window)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		load(ctx)
	}()
	<-ctx.Done()
	after := s.count()
	s.weigh(&after)
	<-ended
	return after.since(before), after
}

func (s *site) mustSucceed(o *outcomes) {
	s.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.took) == 0 {
		s.t.Error("no job was done")
	}
	for failure, count := range o.failures {
		s.t.Errorf("%d times: %s", count, failure)
	}
}

// progress prints at once, which t.Log does not.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "    "+time.Now().Format("15:04:05 ")+format+"\n", args...)
}

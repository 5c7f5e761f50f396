package report_test

import (
	"bytes"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens/benchmarks/record"
	"edgelens/benchmarks/report"
	"edgelens/benchmarks/stats"
	"edgelens/internal/board"
)

var began = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

// made is a run whose figures are known.
type made struct{ record.Records }

func newMade(rounds int) *made {
	return &made{record.Records{Run: record.Run{ID: "bench-x", Started: began, Ended: began.Add(time.Hour), Rounds: rounds,
		Board: board.Facts{Model: "Test | Board", Cores: 2}, Digest: "sha256:1"}}}
}

// add gives a case in each run a window of 10 s with an answer every gap that takes that long and costs that much CPU,
// followed by a tail: two of a hundred take ten times as long.
func (m *made) add(c record.Case, gap func(run int) time.Duration, cpuEach float64) {
	m.Run.Cases = append(m.Run.Cases, c)
	figure := func(run int, name string, v float64) {
		m.Figures = append(m.Figures, record.Figure{Suite: c.Suite, Case: c.Name, Run: run, Name: name, Value: v})
	}
	const length = 10 * time.Second
	for run := 0; run <= m.Run.Rounds; run++ {
		begin := time.Duration(run) * time.Minute
		n := 0
		for at := time.Duration(0); at+gap(run) <= length; at += gap(run) {
			took := gap(run)
			if n%100 >= 98 {
				took *= 10
			}
			n++
			m.Samples = append(m.Samples, record.Sample{Suite: c.Suite, Case: c.Name, Run: run, Due: begin + at + gap(run) - took, Done: begin + at + gap(run), Status: record.Good})
		}
		m.Samples = append(m.Samples, record.Sample{Suite: c.Suite, Case: c.Name, Run: run, Due: begin, Done: begin + length + 1, Status: record.Good},
			record.Sample{Suite: c.Suite, Case: c.Name, Run: run, Due: begin, Done: begin + 1, Status: "503"})
		figure(run, record.FigureBegin, begin.Seconds())
		figure(run, record.FigureEnd, (begin + length).Seconds())
		figure(run, record.FigureCPU, cpuEach*float64(n+1))
		figure(run, record.FigureMemory, 150e6)
	}
}

func steady(gap time.Duration) func(int) time.Duration { return func(int) time.Duration { return gap } }

var (
	sync720   = record.Case{Suite: "http", Name: "sync cat_720p c8", Mode: record.ModeClosed, Kind: "sync", Image: "cat_720p", Connections: 8}
	cached720 = record.Case{Suite: "http", Name: "cached cat_720p c8", Mode: record.ModeClosed, Kind: "cached", Image: "cat_720p", Connections: 8}
	many720   = record.Case{Suite: "http", Name: "sync cat_720p c64", Mode: record.ModeClosed, Kind: "sync", Image: "cat_720p", Connections: 64}
	open720   = record.Case{Suite: "http", Name: "sync cat_720p at 70%", Mode: record.ModeOpen, Kind: "sync", Image: "cat_720p", LoadOfPeak: 0.7}
	ceiling   = record.Case{Suite: "pipeline", Name: "ceiling cat_720p", Mode: record.ModeCeiling, Image: "cat_720p"}
)

func TestSummary(t *testing.T) {
	m := newMade(3)
	m.add(sync720, func(run int) time.Duration { return []time.Duration{1, 10, 20, 40}[run] * time.Millisecond }, 0.02)
	s := report.Summarize(&m.Records)
	c := s.Cases[0]
	throughput, _ := c.Metric(report.Throughput)
	if len(throughput.Values) != 3 || throughput.Values[0] != 100 || throughput.Median() != 50 || throughput.Interval().Low != 25 {
		t.Errorf("throughput %+v: the warm-up does not count, nor an answer after the window", throughput)
	}
	if cpu, _ := c.Metric(report.CPU); math.Abs(cpu.Median()-20) > 1e-9 {
		t.Errorf("CPU %+v", cpu)
	}
	if p50, _ := c.Metric(report.P50); math.Abs(p50.Values[0]-10) > 0.02 {
		t.Errorf("p50 %+v", p50)
	}
	if p99, _ := c.Metric(report.P99); math.Abs(p99.Values[0]-100) > 0.2 {
		t.Errorf("p99 %+v", p99)
	}
	if c.Good != 1000+500+250+3 || c.Bad != 3 || c.Statuses["503"] != 3 || c.Latency.TotalCount() != int64(c.Good) {
		t.Errorf("%d good, %d bad %v", c.Good, c.Bad, c.Statuses)
	}
}

func whole(throughputRatio, cpuRatio float64) *made {
	m := newMade(5)
	m.add(ceiling, steady(10*time.Millisecond), 0.020)
	m.add(sync720, steady(time.Duration(10/throughputRatio*float64(time.Millisecond))), 0.020*cpuRatio)
	m.add(cached720, steady(time.Millisecond/2), 0.001)
	m.add(open720, steady(10*time.Millisecond), 0.020)
	m.add(many720, steady(10*time.Millisecond), 0.020) // of which some are refused
	m.Run.Cases = append(m.Run.Cases, record.Case{Suite: "http", Name: "start", Mode: report.ModeStart})
	for run := 1; run <= 5; run++ {
		m.Figures = append(m.Figures, record.Figure{Suite: "http", Case: "start", Run: run, Name: record.FigureReady, Value: 0.3},
			record.Figure{Suite: "http", Case: "start", Run: run, Name: record.FigureIdle, Value: 130e6})
	}
	return m
}

func TestTargets(t *testing.T) {
	outcomes := func(m *made) map[string]string {
		out := map[string]string{}
		for _, target := range report.Targets(report.Summarize(&m.Records)) {
			out[target.Name] = target.Outcome
			if target.Outcome == report.NotMeasured && target.Why == "" {
				t.Errorf("%s: no reason why it is not measured", target.Name)
			}
		}
		return out
	}
	good, bad := outcomes(whole(0.95, 1.05)), outcomes(whole(0.8, 1.3))
	for name, want := range map[string][2]string{
		"sync throughput / ceiling, 720p":                {report.Reached, report.Missed},
		"server CPU per request / ceiling's, 720p":       {report.Reached, report.Missed},
		"sync throughput / ceiling, 1080p":               {report.NotMeasured, report.NotMeasured},
		"p99 / p50 at 70% of peak, open loop, 720p":      {report.Missed, report.Missed},
		"cache hits / uncached throughput, 720p":         {report.Reached, report.Reached},
		"refused with 64 connections, 720p":              {report.Missed, report.Missed},
		"refused with 64 connections, 1080p":             {report.NotMeasured, report.NotMeasured},
		"ready after exec":                               {report.Reached, report.Reached},
		"resident memory, idle":                          {report.Missed, report.Missed},
		"resident memory after ten minutes of full load": {report.NotMeasured, report.NotMeasured},
	} {
		if good[name] != want[0] || bad[name] != want[1] {
			t.Errorf("%s: %q and %q, want %q", name, good[name], bad[name], want)
		}
	}
	var text bytes.Buffer
	targets := report.Targets(report.Summarize(&whole(0.8, 1.3).Records))
	missed, unmeasured := report.CountTargets(targets)
	if err := report.TargetsText(&text, targets); err != nil || missed != 5 || unmeasured != 9 || !strings.Contains(text.String(), "MISSED by 11%") {
		t.Errorf("%d missed, %d not measured, %v\n%s", missed, unmeasured, err, text.String())
	}
}

// addSoak adds ten runs of that length under full load, and the memory after each.
func (m *made) addSoak(window time.Duration, memory func(run int) float64) {
	c := record.Case{Suite: "http", Name: "soak", Mode: record.ModeSoak, Kind: "sync", Image: "all", Runs: 10}
	m.Run.Cases = append(m.Run.Cases, c)
	for run := 1; run <= c.Runs; run++ {
		begin := time.Duration(run) * time.Hour
		for at := time.Duration(0); at < window; at += window / 100 {
			m.Samples = append(m.Samples, record.Sample{Suite: c.Suite, Case: c.Name, Run: run, Due: begin + at, Done: begin + at + window/100, Status: record.Good})
		}
		for name, v := range map[string]float64{record.FigureBegin: begin.Seconds(), record.FigureEnd: (begin + window).Seconds(), record.FigureMemory: memory(run)} {
			m.Figures = append(m.Figures, record.Figure{Suite: c.Suite, Case: c.Name, Run: run, Name: name, Value: v})
		}
	}
}

func TestMemoryTargets(t *testing.T) {
	const after, flat = "resident memory after ten minutes of full load", "the same / after the first of them"
	for name, test := range map[string]struct {
		window      time.Duration
		memory      func(run int) float64
		after, flat string
	}{
		"steady":       {time.Minute, func(int) float64 { return 140e6 }, report.Reached, report.Reached},
		"much":         {time.Minute, func(int) float64 { return 240e6 }, report.Missed, report.Reached},
		"growing":      {time.Minute, func(run int) float64 { return 100e6 + 2e6*float64(run) }, report.Reached, report.Missed},
		"at the end":   {time.Minute, func(run int) float64 { return 140e6 + 100e6*float64(run/10) }, report.Missed, report.Missed},
		"too short":    {time.Second, func(int) float64 { return 140e6 }, report.NotMeasured, report.NotMeasured},
		"a bit longer": {2 * time.Minute, func(int) float64 { return 140e6 }, report.Reached, report.Reached},
	} {
		t.Run(name, func(t *testing.T) {
			m := whole(0.95, 1.05)
			m.addSoak(test.window, test.memory)
			outcomes := map[string]string{}
			for _, target := range report.Targets(report.Summarize(&m.Records)) {
				outcomes[target.Name] = target.Outcome
			}
			if outcomes[after] != test.after || outcomes[flat] != test.flat {
				t.Errorf("memory %s, flat %s; want %s, %s", outcomes[after], outcomes[flat], test.after, test.flat)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	// A jitter of 1% between runs, the same in both.
	jittery := func(ms float64) func(int) time.Duration {
		return func(run int) time.Duration {
			return time.Duration(ms * (1 + 0.004*float64(run%4)) * float64(time.Millisecond))
		}
	}
	make5 := func(ms float64) *report.Summary {
		m := newMade(5)
		m.add(sync720, jittery(ms), 0.02)
		return report.Summarize(&m.Records)
	}
	verdict := func(c *report.Compared, metric string) report.Difference {
		for _, d := range c.Differences {
			if d.Metric.Name == metric {
				return d
			}
		}
		t.Fatalf("%s was not compared", metric)
		return report.Difference{}
	}
	slower := report.Compare(make5(10), make5(10.6), stats.DefaultRules())
	if d := verdict(slower, report.Throughput); !d.Worse() || d.Change > -0.05 || d.Change < -0.07 {
		t.Errorf("6%% slower: %+v", d)
	}
	if d := verdict(slower, report.CPU); d.Verdict != stats.Noise {
		t.Errorf("the same CPU: %+v", d)
	}
	faster := report.Compare(make5(10.6), make5(10), stats.DefaultRules())
	if d := verdict(faster, report.Throughput); d.Verdict != stats.Changed || d.Worse() || faster.Worse() != 0 {
		t.Errorf("6%% faster: %+v", d)
	}
	if same := report.Compare(make5(10), make5(10.05), stats.DefaultRules()); same.Worse() != 0 || verdict(same, report.P50).Verdict != stats.Noise {
		t.Errorf("half a percent: %+v", same.Differences)
	}
	var text bytes.Buffer
	if err := slower.Text(&text); err != nil || !strings.Contains(text.String(), "WORSE") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

func TestCompareReportsDifferentConditions(t *testing.T) {
	old, now := newMade(5), newMade(5)
	old.add(sync720, steady(10*time.Millisecond), 0.02)
	now.add(cached720, steady(10*time.Millisecond), 0.02)
	now.Run.Digest, now.Run.Ended, now.Run.Settings = "sha256:2", time.Time{}, "a: b"
	c := report.Compare(report.Summarize(&old.Records), report.Summarize(&now.Records), stats.DefaultRules())
	unlike := strings.Join(c.Unlike, "\n")
	for _, want := range []string{"sha256:2", "settings", "NOT GOOD: the new run"} {
		if !strings.Contains(unlike, want) {
			t.Errorf("%q lacks %q", unlike, want)
		}
	}
	if len(c.Differences) != 0 || len(c.OnlyOld) != 1 || len(c.OnlyNew) != 1 {
		t.Errorf("%+v", c)
	}
}

func TestReportDependsOnlyOnRecords(t *testing.T) {
	m := whole(0.95, 1.05)
	dir := filepath.Join(t.TempDir(), m.Run.ID)
	w, err := record.Create(dir, &m.Run)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(m.Samples, m.Figures); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var made [2][]byte
	for i := range made { // twice: later, too
		if _, err := report.Make(dir); err != nil {
			t.Fatal(err)
		}
		if made[i], err = os.ReadFile(filepath.Join(dir, "report.md")); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(made[0], made[1]) {
		t.Error("the second report is another")
	}
	text := string(made[0])
	for _, want := range []string{`Test \| Board`, "| sync cat_720p c8 | 95.0/s", "| reached |", "(latency.svg)", "(throughput.svg)", "5 x 503", "edgelens bench report bench-x"} {
		if !strings.Contains(text, want) {
			t.Errorf("report.md lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "NOT GOOD") {
		t.Error("a good run is called not good")
	}
	for _, name := range []string{"latency", "throughput"} {
		data, err := os.ReadFile(filepath.Join(dir, name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if config, err := png.DecodeConfig(bytes.NewReader(data)); err != nil || config.Width < 400 {
			t.Errorf("%s.png: %+v, %v", name, config, err)
		}
		if data, err := os.ReadFile(filepath.Join(dir, name+".svg")); err != nil || !bytes.Contains(data, []byte("<svg")) || !bytes.Contains(data, []byte("sync cat_720p c8")) {
			t.Errorf("%s.svg: %v", name, err)
		}
	}
}

func TestThrottledRunIsMarkedInvalid(t *testing.T) {
	m := whole(0.95, 1.05)
	before, after := uint32(0), uint32(0x40000)
	m.Run.Before.Throttled, m.Run.After.Throttled = &before, &after
	s := report.Summarize(&m.Records)
	var text, markdown bytes.Buffer
	if err := s.Text(&text); err != nil {
		t.Fatal(err)
	}
	if err := s.Markdown(&markdown, nil); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text.String(), "NOT GOOD: ") {
		t.Errorf("the text begins with %.80q", text.String())
	}
	if lines := strings.SplitN(markdown.String(), "\n", 4); !strings.HasPrefix(lines[2], "> **NOT GOOD: ") {
		t.Errorf("the Markdown begins with %q", lines)
	}
}

func TestTailCountsRefusals(t *testing.T) {
	m := newMade(2)
	m.add(open720, steady(10*time.Millisecond), 0.02)
	for n := range 15 { // of a thousand, in the first run
		m.Samples = append(m.Samples, record.Sample{Suite: open720.Suite, Case: open720.Name, Run: 1, Due: time.Duration(n), Done: time.Second, Status: "503"})
	}
	tail, _ := report.Summarize(&m.Records).Cases[0].Metric(report.Tail)
	if len(tail.Values) != 2 || tail.Values[0] < 100 || tail.Values[1] > 11 {
		t.Errorf("%+v", tail)
	}
}

// Package report derives results from raw records: tables, Markdown, plots, the changes between two runs, and which
// targets are met. It measures nothing.
package report

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"edgelens/benchmarks/load"
	"edgelens/benchmarks/record"
	"edgelens/benchmarks/stats"
)

// The units of metrics.
const (
	PerSecond    = "/s"
	Milliseconds = "ms"
	Megabytes    = "MB"
	Ratio        = "x"
	Percent      = "%"
)

// The names of metrics that other files refer to.
const (
	Throughput = "throughput"
	CPU        = "CPU"
	P50        = "p50"
	P99        = "p99"
	Tail       = "p99/p50"
	Refused    = "refused"
	Ready      = "ready"
	Idle       = "idle memory"
	Memory     = "memory"
)

// Metric is one figure of a case, in every valid run.
type Metric struct {
	Name, Unit string
	// HigherIsBetter is the direction of improvement.
	HigherIsBetter bool
	// Values has one value for each run, in order.
	Values []float64
}

// Median is the median of the runs.
func (m Metric) Median() float64 { return stats.Median(m.Values) }

// Interval is the 95% confidence interval of the median.
func (m Metric) Interval() stats.Interval { return stats.MedianInterval(m.Values, 1) }

// Case is the result of a case.
type Case struct {
	record.Case
	Metrics []Metric
	// Good and Bad count samples of valid runs; Statuses has the bad ones by error.
	Good, Bad int
	Statuses  map[string]int
	// Latency is the latency of all runs' good samples, in microseconds.
	Latency *hdrhistogram.Histogram
}

// Metric returns the metric with that name; false where there is none.
func (c *Case) Metric(name string) (Metric, bool) {
	for _, m := range c.Metrics {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

// Summary is the result of a benchmark.
type Summary struct {
	Run   record.Run
	Cases []*Case
}

// Find returns the case for which want is true; nil where there is none.
func (s *Summary) Find(want func(record.Case) bool) *Case {
	for _, c := range s.Cases {
		if want(c.Case) {
			return c
		}
	}
	return nil
}

// runOf has the samples and figures of a case in one run.
type runOf struct {
	latency *hdrhistogram.Histogram // of good samples, microseconds
	// inWindow counts good samples that were done within the window.
	good, inWindow, bad int
	figures             map[string]float64
}

// Summarize derives the summary. Runs without samples and figures, after an interrupt, are left out.
func Summarize(r *record.Records) *Summary {
	s := &Summary{Run: r.Run}
	runs := map[string]map[int]*runOf{}
	of := func(suite, name string, run int) *runOf {
		key := record.Case{Suite: suite, Name: name}.Key()
		if runs[key] == nil {
			runs[key] = map[int]*runOf{}
		}
		if runs[key][run] == nil {
			runs[key][run] = &runOf{latency: load.NewHistogram(), figures: map[string]float64{}}
		}
		return runs[key][run]
	}
	for _, f := range r.Figures {
		of(f.Suite, f.Case, f.Run).figures[f.Name] = f.Value
	}
	statuses := map[string]map[string]int{}
	for _, sample := range r.Samples {
		if sample.Run == 0 {
			continue
		}
		run := of(sample.Suite, sample.Case, sample.Run)
		if sample.Status != record.Good {
			key := record.Case{Suite: sample.Suite, Name: sample.Case}.Key()
			if statuses[key] == nil {
				statuses[key] = map[string]int{}
			}
			statuses[key][sample.Status]++
			run.bad++
			continue
		}
		run.good++
		if sample.Done.Seconds() <= run.figures[record.FigureEnd] {
			run.inWindow++
		}
		_ = run.latency.RecordValue(min(max(1, sample.Latency().Microseconds()), time.Hour.Microseconds())) // within the range
	}
	for _, c := range r.Run.Cases {
		rounds := r.Run.Rounds
		if c.Runs > 0 {
			rounds = c.Runs
		}
		s.Cases = append(s.Cases, summarize(c, runs[c.Key()], statuses[c.Key()], rounds))
	}
	return s
}

func summarize(c record.Case, runs map[int]*runOf, statuses map[string]int, rounds int) *Case {
	out := &Case{Case: c, Statuses: statuses, Latency: load.NewHistogram()}
	for _, n := range statuses {
		out.Bad += n
	}
	for _, column := range columnsOf(c.Mode) {
		m := Metric{Name: column.name, Unit: column.unit, HigherIsBetter: column.higher}
		for n := 1; n <= rounds; n++ {
			if run := runs[n]; run != nil {
				if v, ok := column.of(run); ok {
					m.Values = append(m.Values, v)
				}
			}
		}
		if len(m.Values) > 0 {
			out.Metrics = append(out.Metrics, m)
		}
	}
	for n := 1; n <= rounds; n++ {
		if run := runs[n]; run != nil {
			out.Good += run.good
			out.Latency.Merge(run.latency)
		}
	}
	return out
}

// column computes a metric of a run; false where it cannot.
type column struct {
	name, unit string
	higher     bool
	of         func(*runOf) (float64, bool)
}

func columnsOf(mode string) []column {
	percentiles := []column{latency(P50, 50), latency("p90", 90), latency("p95", 95), latency(P99, 99)}
	memory := figureIn(Memory, Megabytes, record.FigureMemory, 1e-6)
	refusals := column{Refused, Percent, false, refused}
	switch mode {
	case record.ModeClosed, record.ModeSoak:
		return append([]column{{Throughput, PerSecond, true, throughput}, {CPU, Milliseconds, false, cpu}, memory, refusals}, percentiles...)
	case record.ModeOpen:
		return append([]column{{Tail, Ratio, false, tail}, {CPU, Milliseconds, false, cpu}, memory, refusals}, percentiles...)
	case record.ModeMQTT:
		return append([]column{{CPU, Milliseconds, false, cpu}}, percentiles...)
	case record.ModeCeiling:
		return append([]column{{Throughput, PerSecond, true, throughput}, {CPU, Milliseconds, false, cpu}}, percentiles...)
	case record.ModeStage:
		return append([]column{histogram("mean", func(h *hdrhistogram.Histogram) float64 { return h.Mean() })}, percentiles...)
	case record.ModeModel:
		return append([]column{
			figureIn("init", Milliseconds, record.FigureInit, 1e3), figureIn("first inference", Milliseconds, record.FigureFirst, 1e3),
			figureIn("warmup", Milliseconds, record.FigureWarmup, 1e3),
			histogram("min", func(h *hdrhistogram.Histogram) float64 { return float64(h.Min()) }),
			histogram("mean", func(h *hdrhistogram.Histogram) float64 { return h.Mean() }),
			histogram("std", func(h *hdrhistogram.Histogram) float64 { return h.StdDev() }),
			{Throughput, PerSecond, true, throughput},
			figureIn(File, Megabytes, record.FigureFile, 1e-6),
			figureIn("memory init", Megabytes, record.FigureMemoryInit, 1e-6), figureIn("memory overall", Megabytes, record.FigureMemoryOverall, 1e-6),
			figureIn("memory further", Megabytes, record.FigureMemoryFurther, 1e-6),
		}, percentiles...)
	case ModeStart:
		return []column{figureIn(Ready, Milliseconds, record.FigureReady, 1e3), figureIn(Idle, Megabytes, record.FigureIdle, 1e-6)}
	}
	return percentiles
}

// ModeStart is the start of a service.
const ModeStart = "start"

func throughput(r *runOf) (float64, bool) {
	length := r.figures[record.FigureEnd] - r.figures[record.FigureBegin]
	return float64(r.inWindow) / length, length > 0
}

// cpu is the server's total CPU time, per good answer.
func cpu(r *runOf) (float64, bool) {
	seconds, known := r.figures[record.FigureCPU]
	return 1000 * seconds / float64(r.good), known && r.good > 0
}

// refused is the share of requests without a good answer.
func refused(r *runOf) (float64, bool) {
	return 100 * float64(r.bad) / float64(r.good+r.bad), r.good+r.bad > 0
}

// refusedTail stands for an infinite tail: more than 1% of the requests had no good answer, so that the 99th percentile
// of all is one of these.
const refusedTail = 1000

func tail(r *runOf) (float64, bool) {
	if 100*r.bad > r.good+r.bad {
		return refusedTail, true
	}
	p50 := r.latency.ValueAtQuantile(50)
	return float64(r.latency.ValueAtQuantile(99)) / float64(p50), r.good > 0 && p50 > 0
}

func latency(name string, quantile float64) column {
	return histogram(name, func(h *hdrhistogram.Histogram) float64 { return float64(h.ValueAtQuantile(quantile)) })
}

// histogram is a column in milliseconds.
func histogram(name string, of func(*hdrhistogram.Histogram) float64) column {
	return column{name, Milliseconds, false, func(r *runOf) (float64, bool) { return of(r.latency) / 1000, r.good > 0 }}
}

func figureIn(name, unit, figure string, factor float64) column {
	return column{name, unit, false, func(r *runOf) (float64, bool) {
		v, known := r.figures[figure]
		return v * factor, known
	}}
}

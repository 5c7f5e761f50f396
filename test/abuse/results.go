package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"edgelens/benchmarks/load"
	"edgelens/benchmarks/stats"
	"edgelens/benchmarks/table"
	"edgelens/internal/board"
)

// The units of figures.
const (
	seconds   = "s"
	ms        = "ms"
	megabytes = "MB"
	times     = "times"
	percent   = "%"
	count     = ""
)

// figure is a measured value with its bound: a lower one where AtLeast, else an upper one.
type figure struct {
	Row     string  `json:"row"`
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Wanted  float64 `json:"wanted"`
	AtLeast bool    `json:"at_least"`
	Met     bool    `json:"met"`
	// Note is how it came about.
	Note string `json:"note,omitempty"`
	// Error is why it was not measured, which counts as missed.
	Error string `json:"error,omitempty"`
	// ShownOnly is true where it does not decide, since it depends on the machine's speed.
	ShownOnly bool `json:"shown_only,omitempty"`
}

// dependsOnSpeed reports whether a slow machine, or one with other work, may miss it.
func (f figure) dependsOnSpeed() bool {
	return f.Unit == seconds || f.Unit == ms || f.Unit == times || f.Unit == megabytes
}

// summary is that of a load's samples.
type summary struct {
	Row  string `json:"row"`
	Name string `json:"name"`
	// Samples are all, and Statuses how many ended how.
	Samples  int            `json:"samples"`
	Statuses map[string]int `json:"statuses,omitempty"`
	// P50 to Max are those of good answers, in milliseconds.
	P50 float64 `json:"p50_ms"`
	P90 float64 `json:"p90_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
	// Goodput is right answers a second, Refused the p99 of refusals in milliseconds, and Late the p99 of how late
	// requests were sent, which is the load generator's own error.
	Goodput float64 `json:"goodput,omitempty"`
	Refused float64 `json:"refused_p99_ms,omitempty"`
	Late    float64 `json:"late_p99_ms,omitempty"`
	// OwnCPU is how many cores the load generator took.
	OwnCPU float64 `json:"own_cpu,omitempty"`
}

// results are all that was measured. Loads and notes may be added by several goroutines.
type results struct {
	mu      sync.Mutex
	Started time.Time   `json:"started"`
	Seed    uint64      `json:"seed"`
	Short   bool        `json:"short"`
	Check   bool        `json:"check"`
	Version string      `json:"version"`
	Model   string      `json:"model"`
	Board   board.Facts `json:"board"`
	Before  board.State `json:"before"`
	After   board.State `json:"after"`
	Figures []figure    `json:"figures"`
	Loads   []summary   `json:"loads"`
	Inputs  []outcome   `json:"inputs,omitempty"`
	Waves   []wave      `json:"waves,omitempty"`
	Notes   []string    `json:"notes,omitempty"`
}

func (r *results) atMost(row, name, unit string, value, wanted float64, note string) {
	r.add(figure{Row: row, Name: name, Value: value, Unit: unit, Wanted: wanted, Met: value <= wanted, Note: note})
}

func (r *results) atLeast(row, name, unit string, value, wanted float64, note string) {
	r.add(figure{Row: row, Name: name, Value: value, Unit: unit, Wanted: wanted, AtLeast: true, Met: value >= wanted, Note: note})
}

func (r *results) add(f figure) {
	if math.IsNaN(f.Value) || math.IsInf(f.Value, 0) {
		f.Value, f.Met, f.Error = 0, false, "there was nothing to measure"
	}
	f.ShownOnly = r.Check && f.Error == "" && f.dependsOnSpeed()
	r.Figures = append(r.Figures, f)
	progress("  %s: %s, wanted %s: %s", f.Name, f.have(), f.wanted(), f.outcome())
}

func (r *results) failed(row string, err error) {
	r.Figures = append(r.Figures, figure{Row: row, Name: "measured", Error: err.Error()})
}

func (r *results) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.Notes, text) {
		r.Notes = append(r.Notes, text)
		progress("  note: %s", text)
	}
}

// missed counts what was missed or not measured.
func (r *results) missed() int {
	n := 0
	for _, f := range r.Figures {
		if !f.Met && !f.ShownOnly {
			n++
		}
	}
	return n
}

func (f figure) have() string {
	if f.Error != "" {
		return "-"
	}
	return number(f.Value) + unit(f.Unit)
}

func (f figure) wanted() string {
	if f.Error != "" && f.Wanted == 0 {
		return "-"
	}
	if f.AtLeast {
		return "at least " + number(f.Wanted) + unit(f.Unit)
	}
	if f.Wanted == 0 {
		return "none"
	}
	return "at most " + number(f.Wanted) + unit(f.Unit)
}

func (f figure) outcome() string {
	switch {
	case f.Error != "":
		return "NOT MEASURED: " + f.Error
	case f.ShownOnly:
		return "shown only"
	case f.Met:
		return "met"
	}
	return "MISSED"
}

func unit(u string) string {
	switch u {
	case "":
		return ""
	case percent:
		return u
	}
	return " " + u
}

// number has three significant digits, and those of whole numbers.
func number(v float64) string {
	switch a := math.Abs(v); {
	case v == math.Trunc(v) && a < 1e6:
		return fmt.Sprintf("%.0f", v)
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// load stores the summary of a load, and returns it.
func (r *results) load(row, name string, result *load.Result, ownCPU time.Duration) summary {
	s := summary{Row: row, Name: name, Samples: len(result.Samples), Statuses: map[string]int{}, Goodput: result.Throughput(),
		OwnCPU: ownCPU.Seconds() / result.Window.Seconds()}
	var good, refused, late []float64
	for _, sample := range result.Samples {
		s.Statuses[sample.Status]++
		late = append(late, milliseconds(sample.Sent-sample.Due))
		switch sample.Status {
		case load.Good:
			good = append(good, milliseconds(sample.Done-sample.Due))
		case "503", "429":
			refused = append(refused, milliseconds(sample.Done-sample.Sent))
		}
	}
	s.latencies(good)
	if len(refused) > 0 {
		s.Refused = stats.Quantile(refused, 0.99)
	}
	if len(late) > 0 {
		s.Late = stats.Quantile(late, 0.99)
	}
	r.keep(s)
	return s
}

// latencies stores those of good answers, in milliseconds.
func (s *summary) latencies(good []float64) {
	if len(good) == 0 {
		return
	}
	s.P50, s.P90, s.P99, s.Max = stats.Quantile(good, 0.5), stats.Quantile(good, 0.9), stats.Quantile(good, 0.99), slices.Max(good)
}

func (r *results) keep(s summary) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Loads = append(r.Loads, s)
	progress("  %s: %s", s.Name, s.text())
}

// good is how many samples ended well.
func (s summary) good() int { return s.Statuses[load.Good] }

// served is their share in percent; NaN of none.
func (s summary) served() float64 { return 100 * float64(s.good()) / float64(s.Samples) }

func (s summary) text() string {
	var ended []string
	for _, status := range slices.Sorted(maps.Keys(s.Statuses)) {
		ended = append(ended, fmt.Sprintf("%d x %s", s.Statuses[status], status))
	}
	text := fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, at most %.0f ms; %s", s.P50, s.P99, s.Max, strings.Join(ended, ", "))
	if s.Goodput > 0 {
		text = fmt.Sprintf("%.1f/s, ", s.Goodput) + text
	}
	if s.Refused > 0 {
		text += fmt.Sprintf("; refusals p99 %.1f ms", s.Refused)
	}
	if s.OwnCPU > 0 {
		text += fmt.Sprintf("; load generator %.2f cores, late by %.1f ms (p99)", s.OwnCPU, s.Late)
	}
	return text
}

// write writes both files, and prints the table.
func (r *results) write(folder string, w io.Writer) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the results: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "abuse.json"), append(data, '\n'), 0o644); err != nil {
		return err
	}
	text := r.markdown()
	if err := os.WriteFile(filepath.Join(folder, "abuse.md"), []byte(text), 0o644); err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

// The lengths of the lists of inputs.
const listed = 15

func (r *results) markdown() string {
	var b strings.Builder
	form := "long"
	switch {
	case r.Check:
		form = "check"
	case r.Short:
		form = "short"
	}
	fmt.Fprintf(&b, "## Abuse of edgelens %s\n\n%s, %s; %d cores, Linux %s; model %s; seed %d, %s form; load %.2f before.\n", r.Version,
		r.Started.Format("2006-01-02 15:04 MST"), table.Cell(r.Board.CPU), r.Board.Cores, r.Board.Kernel, r.Model, r.Seed, form, r.Before.Load)
	for _, warning := range board.Warnings(r.Board, r.Before) {
		fmt.Fprintf(&b, "\n> Note: %s\n", warning)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "\n> Note: %s\n", note)
	}
	grid := [][]string{{"figure", "measured", "wanted", "outcome", "how"}}
	for _, f := range r.Figures {
		grid = append(grid, []string{f.Row + ": " + f.Name, f.have(), f.wanted(), f.outcome(), f.Note})
	}
	b.WriteString("\n")
	table.Markdown(&b, grid)
	r.lists(&b)
	return b.String()
}

// lists are the most expensive inputs.
func (r *results) lists(b *strings.Builder) {
	if len(r.Inputs) > 0 {
		fmt.Fprintf(b, "\n### The most expensive of %d inputs\n\n", len(r.Inputs))
		grid := [][]string{{"input", "answer", "after", "CPU", "memory", "log", "size"}}
		inputs := slices.Clone(r.Inputs)
		slices.SortFunc(inputs, func(a, b outcome) int { return -compareCost(a, b) })
		for _, o := range inputs[:min(listed, len(inputs))] {
			grid = append(grid, o.cells())
		}
		table.Markdown(b, grid)
		wrong := slices.DeleteFunc(slices.Clone(r.Inputs), func(o outcome) bool { return o.right() || o.Error != "" })
		if len(wrong) > 0 {
			b.WriteString("\n### Other answers than wanted\n\n")
			grid := [][]string{{"input", "answer", "wanted", "why"}}
			for _, o := range wrong {
				grid = append(grid, []string{o.Name, o.answer(), o.Want, o.Why})
			}
			table.Markdown(b, grid)
		}
	}
	if len(r.Waves) > 0 {
		b.WriteString("\n### Memory above idle, nine at a time\n\n")
		grid := [][]string{{"input", "memory", "left by those before", "answers"}}
		waves := slices.Clone(r.Waves)
		slices.SortFunc(waves, func(a, b wave) int { return cmp.Compare(b.Bytes, a.Bytes) })
		for _, w := range waves[:min(listed, len(waves))] {
			grid = append(grid, []string{w.Name, fmt.Sprintf("%d MB", w.Bytes>>20), fmt.Sprintf("%d MB", w.Before>>20), w.Answers})
		}
		table.Markdown(b, grid)
	}
	if len(r.Loads) > 0 {
		b.WriteString("\n### Loads\n\n")
		grid := [][]string{{"row", "load", "samples"}}
		for _, s := range r.Loads {
			grid = append(grid, []string{s.Row, s.Name, s.text()})
		}
		table.Markdown(b, grid)
	}
}

package report

import (
	"encoding/json"
	"io"
	"maps"
	"math"
	"slices"

	"edgelens/benchmarks/record"
	"edgelens/benchmarks/stats"
)

// The JSON of reports. Names are added and never changed: scripts read them.

// jsonReport is a run with its results.
type jsonReport struct {
	// Folder has the raw records, the report and the plots.
	Folder string `json:"folder"`
	// Problems are why the figures are invalid.
	Problems []string     `json:"problems"`
	Run      jsonRun      `json:"run"`
	Cases    []jsonCase   `json:"cases"`
	Targets  []jsonTarget `json:"targets,omitempty"`
}

// jsonRun is a run without its cases, which are beside it.
type jsonRun struct {
	record.Run
	Cases *struct{} `json:"cases,omitempty"` // hides those of Run
}

// jsonCase is a case with its results. Two of its names are others than those in the folders of runs.
type jsonCase struct {
	record.Case
	Picture  *struct{}    `json:"picture,omitempty"`
	Form     *struct{}    `json:"form,omitempty"`
	Image    string       `json:"image,omitempty"`
	Variant  string       `json:"variant,omitempty"`
	Good     int          `json:"good"`
	Bad      int          `json:"bad"`
	Statuses []jsonStatus `json:"statuses,omitempty"` // of the bad ones
	Metrics  []jsonMetric `json:"metrics"`
}

// jsonStatus is how often a request ended with an error: an HTTP status code or a word.
type jsonStatus struct {
	Status string `json:"status"`
	Count  int    `json:"count"`
}

// jsonMetric is a figure of a case: the median of its runs with its 95% confidence interval, null where there is none.
type jsonMetric struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Median *float64  `json:"median"`
	Low    *float64  `json:"low"`
	High   *float64  `json:"high"`
	Values []float64 `json:"values"`
}

type jsonTarget struct {
	Name string `json:"name"`
	// AtLeast is true for a lower bound.
	AtLeast bool     `json:"at_least"`
	Want    float64  `json:"want"`
	Unit    string   `json:"unit"`
	Value   *float64 `json:"value"`
	Low     *float64 `json:"low"`
	High    *float64 `json:"high"`
	Outcome string   `json:"outcome"`
	Why     string   `json:"why,omitempty"`
}

// JSON writes the results of the run in a folder, and the targets if there are some, as one line of JSON.
func (s *Summary) JSON(w io.Writer, folder string, targets []Target) error {
	r := jsonReport{Folder: folder, Problems: append([]string{}, s.Run.Problems()...), Run: jsonRun{Run: s.Run}, Cases: []jsonCase{}}
	for _, c := range s.Cases {
		one := jsonCase{Case: c.Case, Image: c.Image, Variant: c.Variant, Good: c.Good, Bad: c.Bad, Metrics: []jsonMetric{}}
		for _, status := range slices.Sorted(maps.Keys(c.Statuses)) {
			one.Statuses = append(one.Statuses, jsonStatus{status, c.Statuses[status]})
		}
		for _, m := range c.Metrics {
			interval := m.Interval()
			one.Metrics = append(one.Metrics, jsonMetric{m.Name, m.Unit, finite(m.Median()), finite(interval.Low), finite(interval.High), m.Values})
		}
		r.Cases = append(r.Cases, one)
	}
	for _, t := range targets {
		one := jsonTarget{Name: t.Name, AtLeast: t.AtLeast, Want: t.Want, Unit: t.Unit, Outcome: t.Outcome, Why: t.Why}
		if t.Outcome != NotMeasured {
			one.Value, one.Low, one.High = finite(t.Value), finite(t.Interval.Low), finite(t.Interval.High)
		}
		r.Targets = append(r.Targets, one)
	}
	return json.NewEncoder(w).Encode(r)
}

// finite returns a number, or nil for one that JSON does not have.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// jsonCompared is the comparison of two runs.
type jsonCompared struct {
	Unlike      []string         `json:"unlike"`
	OnlyOld     []string         `json:"only_old"`
	OnlyNew     []string         `json:"only_new"`
	Alpha       float64          `json:"alpha"`
	Threshold   float64          `json:"threshold"`
	Differences []jsonDifference `json:"differences"`
}

type jsonDifference struct {
	Case   string   `json:"case"`
	Metric string   `json:"metric"`
	Unit   string   `json:"unit"`
	Old    *float64 `json:"old"`
	New    *float64 `json:"new"`
	// Change is a share of the old median, with its 95% confidence interval.
	Change *float64 `json:"change"`
	Low    *float64 `json:"low"`
	High   *float64 `json:"high"`
	P      *float64 `json:"p"`
	// Verdict is better, worse, noise or too few runs.
	Verdict string `json:"verdict"`
}

// JSON writes the changes as one line of JSON.
func (c *Compared) JSON(w io.Writer) error {
	r := jsonCompared{append([]string{}, c.Unlike...), append([]string{}, c.OnlyOld...), append([]string{}, c.OnlyNew...), c.rules.Alpha, c.rules.Threshold, []jsonDifference{}}
	for _, d := range c.Differences {
		verdict := string(d.Verdict)
		switch {
		case d.Worse():
			verdict = "worse"
		case d.Verdict == stats.Changed:
			verdict = "better"
		}
		r.Differences = append(r.Differences, jsonDifference{
			d.Case, d.Metric.Name, d.Metric.Unit, finite(d.Old), finite(d.New), finite(d.Change), finite(d.Interval.Low), finite(d.Interval.High), finite(d.P), verdict,
		})
	}
	return json.NewEncoder(w).Encode(r)
}

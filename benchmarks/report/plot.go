package report

import (
	"fmt"
	"math"

	"edgelens/benchmarks/chart"
	"edgelens/benchmarks/record"
)

// Plots draws the latencies, the throughput and the memory into files of dir, each as PNG and SVG, and returns the
// names of the SVGs; it omits metrics without measurements.
func (s *Summary) Plots(dir string) ([]string, error) {
	var names []string
	for _, drawing := range []struct {
		name  string
		chart chart.Chart
	}{{"latency", s.latencyChart()}, {"throughput", s.throughputChart()}, {"memory", s.memoryChart()}} {
		if drawing.chart == nil {
			continue
		}
		if err := chart.Write(dir, drawing.name, drawing.chart); err != nil {
			return names, err
		}
		names = append(names, drawing.name+".svg")
	}
	return names, nil
}

// latencyChart has a line for each loop: latency by percentile, with more room for the tail, like HdrHistogram's plots:
// x is -log10(1-percentile).
func (s *Summary) latencyChart() chart.Chart {
	lines := chart.Lines{Title: s.title("Latency by percentile"), XLabel: "percentile", YLabel: "ms", XTicks: []chart.Tick{{At: math.Log10(2), Label: "50%"}}}
	for n := range 7 {
		lines.XTicks = append(lines.XTicks, chart.Tick{At: float64(n), Label: fmt.Sprintf("%g%%", 100*(1-math.Pow(10, -float64(n))))})
	}
	for _, c := range s.Cases {
		if c.Mode != record.ModeClosed && c.Mode != record.ModeOpen && c.Mode != record.ModeMQTT || c.Latency.TotalCount() == 0 {
			continue
		}
		line := chart.Series{Name: c.Name}
		// The highest percentile that the number of samples supports.
		for x := 0.05; x <= max(1, math.Log10(float64(c.Latency.TotalCount()))); x += 0.05 {
			line.X = append(line.X, x)
			line.Y = append(line.Y, float64(c.Latency.ValueAtQuantile(100*(1-math.Pow(10, -x))))/1000)
		}
		lines.Series = append(lines.Series, line)
	}
	if lines.Series == nil {
		return nil
	}
	return lines
}

// throughputChart has a bar for each case with a throughput, with its confidence interval. Cached answers are left out:
// beside them the other bars would be too short to compare.
func (s *Summary) throughputChart() chart.Chart {
	bars := chart.Bars{Title: s.title("Throughput"), Label: "good answers a second, with the 95% confidence interval of the median"}
	for _, c := range s.Cases {
		m, ok := c.Metric(Throughput)
		if !ok || c.Mode != record.ModeClosed && c.Mode != record.ModeCeiling || c.Kind == record.KindCached {
			continue
		}
		interval := m.Interval()
		bars.Bars = append(bars.Bars, chart.Bar{Name: c.Name, Value: m.Median(), Low: interval.Low, High: interval.High})
	}
	if bars.Bars == nil {
		return nil
	}
	return bars
}

// memoryChart has the memory in each part of the soak.
func (s *Summary) memoryChart() chart.Chart {
	lines := chart.Lines{Title: s.title("Resident memory under full load"), XLabel: "part of the load", YLabel: "MB"}
	for _, c := range s.Cases {
		m, ok := c.Metric(Memory)
		if c.Mode != record.ModeSoak || !ok {
			continue
		}
		line := chart.Series{Name: c.Name}
		for i, v := range m.Values {
			line.X, line.Y = append(line.X, float64(i+1)), append(line.Y, v)
			lines.XTicks = append(lines.XTicks, chart.Tick{At: float64(i + 1), Label: fmt.Sprint(i + 1)})
		}
		lines.Series = append(lines.Series, line)
	}
	if lines.Series == nil {
		return nil
	}
	return lines
}

func (s *Summary) title(text string) string {
	if s.Run.Board.Model != "" {
		text += ", " + s.Run.Board.Model
	}
	if len(s.Run.Problems()) > 0 {
		text += " (NOT GOOD, see the report)"
	}
	return text
}

package report

import (
	"fmt"
	"math"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"

	"edgelens/benchmarks/record"
)

// Plots draws the latencies and the throughput into files of dir, each as PNG
// and SVG, and returns the names of the SVGs; none of what was not measured.
func (s *Summary) Plots(dir string) ([]string, error) {
	var names []string
	for _, drawing := range []struct {
		name string
		draw func() (*plot.Plot, error)
	}{{"latency", s.latencyPlot}, {"throughput", s.throughputPlot}} {
		p, err := drawing.draw()
		if err != nil {
			return names, fmt.Errorf("draw the plot of %s: %w", drawing.name, err)
		}
		if p == nil {
			continue
		}
		for _, format := range []string{".png", ".svg"} {
			if err := p.Save(22*vg.Centimeter, 13*vg.Centimeter, filepath.Join(dir, drawing.name+format)); err != nil {
				return names, fmt.Errorf("save the plot of %s: %w", drawing.name, err)
			}
		}
		names = append(names, drawing.name+".svg")
	}
	return names, nil
}

// latencyPlot has a line for each loop: latency by percentile, with more room
// for the tail, as HdrHistogram's plots have it.
func (s *Summary) latencyPlot() (*plot.Plot, error) {
	p := s.newPlot("Latency by percentile")
	p.X.Label.Text, p.Y.Label.Text = "percentile", "ms"
	p.X.Tick.Marker = percentileTicks{}
	p.Legend.Top, p.Legend.Left = true, true
	lines := 0
	for _, c := range s.Cases {
		if c.Mode != record.ModeClosed && c.Mode != record.ModeOpen && c.Mode != record.ModeMQTT || c.Latency.TotalCount() == 0 {
			continue
		}
		var points plotter.XYs
		for x := 0.0; x <= tailPosition(c.Latency.TotalCount()); x += 0.05 {
			points = append(points, plotter.XY{X: x, Y: float64(c.Latency.ValueAtQuantile(100*(1-math.Pow(10, -x)))) / 1000})
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Dashes, line.Width = plotutil.Color(lines), plotutil.Dashes(lines/7), vg.Points(1.5)
		p.Add(line)
		p.Legend.Add(c.Name, line)
		lines++
	}
	if lines == 0 {
		return nil, nil
	}
	p.Add(plotter.NewGrid())
	return p, nil
}

// tailPosition is how far to the right so many samples have something to say.
func tailPosition(count int64) float64 { return max(1, math.Log10(float64(count))) }

// percentileTicks are 0%, 90%, 99% and so on: where x = -log10(1-percentile).
type percentileTicks struct{}

func (percentileTicks) Ticks(low, high float64) []plot.Tick {
	ticks := []plot.Tick{{Value: math.Log10(2), Label: "50%"}}
	for n := range 7 {
		if x := float64(n); x >= low && x <= high {
			ticks = append(ticks, plot.Tick{Value: x, Label: fmt.Sprintf("%g%%", 100*(1-math.Pow(10, -x)))})
		}
	}
	return ticks
}

// throughputPlot has a bar for each case that has a throughput, with its
// confidence interval.
func (s *Summary) throughputPlot() (*plot.Plot, error) {
	p := s.newPlot("Throughput")
	p.Y.Label.Text = "good answers a second"
	p.Y.Min = 0
	var values plotter.Values
	var errors plotter.YErrors
	var points plotter.XYs
	var names []string
	for _, c := range s.Cases {
		m, ok := c.Metric(Throughput)
		if !ok || c.Mode != record.ModeClosed && c.Mode != record.ModeCeiling {
			continue
		}
		interval := m.Interval()
		points = append(points, plotter.XY{X: float64(len(values)), Y: m.Median()})
		errors = append(errors, struct{ Low, High float64 }{interval.Low - m.Median(), interval.High - m.Median()})
		values = append(values, m.Median())
		names = append(names, c.Name)
	}
	if len(values) == 0 {
		return nil, nil
	}
	bars, err := plotter.NewBarChart(values, vg.Points(max(8, 320/float64(len(values)))))
	if err != nil {
		return nil, err
	}
	bars.Color = plotutil.Color(2)
	whiskers, err := plotter.NewYErrorBars(struct {
		plotter.XYer
		plotter.YErrorer
	}{points, errors})
	if err != nil {
		return nil, err
	}
	p.Add(plotter.NewGrid(), bars, whiskers)
	p.NominalX(names...)
	p.X.Tick.Label.Rotation = math.Pi / 8
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = -1, -0.5
	return p, nil
}

func (s *Summary) newPlot(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	if s.Run.Board.Model != "" {
		p.Title.Text += ", " + s.Run.Board.Model
	}
	if len(s.Run.Faults()) > 0 {
		p.Title.Text += " (NOT GOOD, see the report)"
	}
	return p
}

package report

import (
	"fmt"
	"strings"

	"edgelens/benchmarks/record"
	"edgelens/benchmarks/stats"
)

// beside returns the case of ours that c is to be compared with; nil where there
// is none.
func (s *Summary) beside(c record.Case) *Case {
	if c.Beside == "" {
		return nil
	}
	return s.Find(func(other record.Case) bool { return other.Suite == c.Suite && other.Name == c.Beside })
}

// invokeAlone is what bounds every service with that model: where all cores are
// busy, none can have more than the other's CPU time over that of Invoke. CPU
// times, because neighbours of the machine disturb them less than throughput.
// It returns the bare loop of Invoke of the model that c runs, with the same delegate; nil where it was not measured.
func (s *Summary) invokeAlone(c *Case) *Case {
	return s.Find(func(other record.Case) bool {
		return other.Kind == record.KindInvoke && other.Model == c.Model && other.Delegate == c.Delegate
	})
}

// peerGrid has the ratios of ours to another service; false where there is none.
func (s *Summary) peerGrid() (grid, bool) {
	g := grid{title: "Beside another service: same machine, image and load, by turns; at most: what the CPU time of Invoke alone allows", rows: [][]string{
		{"other service", "edgelens", "other", "throughput", "95% interval", "at most", "CPU, other / edgelens", "p50, other / edgelens"}}}
	for _, c := range s.Cases {
		ours := s.beside(c.Case)
		if ours == nil {
			continue
		}
		row := []string{c.Name, "-", "-", "-", "-", "-", "-", "-"}
		if values, why := runByRun(ours, c, Throughput); why == "" {
			a, _ := ours.Metric(Throughput)
			b, _ := c.Metric(Throughput)
			interval := stats.MedianInterval(values, 1)
			row = []string{c.Name, a.text(), b.text(), number(stats.Median(values)) + unit(Ratio),
				fmt.Sprintf("%s to %s", number(interval.Low), number(interval.High)), medianRatio(c, s.invokeAlone(ours), CPU),
				medianRatio(c, ours, CPU), medianRatio(c, ours, P50)}
		}
		g.rows = append(g.rows, row)
	}
	return g, len(g.rows) > 1
}

func medianRatio(over, under *Case, metric string) string {
	values, why := runByRun(over, under, metric)
	if why != "" {
		return "-"
	}
	return number(stats.Median(values)) + unit(Ratio)
}

// possible says what bounds the ratio of ours to a peer; "" where that was not
// measured.
func (s *Summary) possible(peer, ours *Case) string {
	most := medianRatio(peer, s.invokeAlone(ours), CPU)
	if most == "-" {
		return ""
	}
	why := fmt.Sprintf("with this model on this machine at most %s is possible, by the CPU time of Invoke alone", most)
	ceiling := s.Find(func(c record.Case) bool {
		return c.Suite == record.SuitePeers && c.Kind == record.KindCeiling && c.Image == ours.Image && c.Model == ours.Model && c.Delegate == ours.Delegate
	})
	if most = medianRatio(peer, ceiling, CPU); most == "-" {
		return why
	}
	return why + fmt.Sprintf(", and %s where the whole image is decoded, by that of the ceiling", most)
}

// PeerTargets judges what ours must reach beside the article's service.
func PeerTargets(s *Summary) []Target {
	published := func(c, ours record.Case) bool { return c.Model != ours.Model }
	same := func(c, ours record.Case) bool { return c.Model == ours.Model && c.Delegate == ours.Delegate }
	var targets []Target
	for _, t := range []struct {
		name, size string
		want       float64
		like       func(c, ours record.Case) bool
	}{
		{"the article's service, same model and flags, 720p", "720p", 2.5, same},
		{"the article's service, same model and flags, 512x384", "512x384", 1.4, same},
		{"the article's service as published", "720p", 6, published},
	} {
		// The first that fits has the flags that are the default.
		peer := s.Find(func(c record.Case) bool {
			ours := s.beside(c)
			return ours != nil && strings.Contains(c.Image, t.size) && t.like(c, ours.Case)
		})
		target := Target{Name: "throughput / " + t.name, Want: t.want, AtLeast: true, Unit: Ratio}
		if peer == nil {
			targets = append(targets, unmeasured(target, "it was not among the cases; make bench-peers has it"))
			continue
		}
		ours := s.beside(peer.Case)
		target = ratio(target, ours, peer, Throughput)
		if target.Outcome == Missed {
			target.Why = s.possible(peer, ours)
		}
		targets = append(targets, target)
	}
	return targets
}

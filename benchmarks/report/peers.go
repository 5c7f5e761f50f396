package report

import (
	"fmt"
	"strings"

	"edgelens/benchmarks/record"
	"edgelens/benchmarks/stats"
	"edgelens/benchmarks/table"
)

// beside returns the edgelens case that c is compared with; nil where there is none.
func (s *Summary) beside(c record.Case) *Case {
	if c.Beside == "" {
		return nil
	}
	return s.Find(func(other record.Case) bool { return other.Suite == c.Suite && other.Name == c.Beside })
}

// invokeAlone returns the bare loop of Invoke of c's model, with the same delegate; nil where it was not measured. It
// bounds every service with that model: where all cores are busy, the ratio of throughputs cannot exceed the other's
// CPU time over that of Invoke. CPU times, because other processes disturb them less than throughput.
func (s *Summary) invokeAlone(c *Case) *Case {
	return s.Find(func(other record.Case) bool {
		return other.Kind == record.KindInvoke && other.Model == c.Model && other.Delegate == c.Delegate
	})
}

// peerGrid has the ratios of edgelens to another service; false where there is none.
func (s *Summary) peerGrid() (table.Table, bool) {
	g := table.Table{Title: "Comparison with another service: same machine, image and load, alternately; at most: the bound by the CPU time of Invoke alone", Rows: [][]string{
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
		g.Rows = append(g.Rows, row)
	}
	return g, len(g.Rows) > 1
}

func medianRatio(over, under *Case, metric string) string {
	values, why := runByRun(over, under, metric)
	if why != "" {
		return "-"
	}
	return number(stats.Median(values)) + unit(Ratio)
}

// possible returns the bound of the ratio of edgelens to a peer; "" where it was not measured.
func (s *Summary) possible(peer, ours *Case) string {
	bound := medianRatio(peer, s.invokeAlone(ours), CPU)
	if bound == "-" {
		return ""
	}
	why := fmt.Sprintf("with this model on this machine at most %s is possible, by the CPU time of Invoke alone", bound)
	ceiling := s.Find(func(c record.Case) bool {
		return c.Suite == record.SuitePeers && c.Kind == record.KindCeiling && c.Image == ours.Image && c.Model == ours.Model && c.Delegate == ours.Delegate
	})
	if bound = medianRatio(peer, ceiling, CPU); bound == "-" {
		return why
	}
	return why + fmt.Sprintf(", and %s where the whole image is decoded, by that of the ceiling", bound)
}

// PeerTargets evaluates the targets of edgelens against the reference service.
func PeerTargets(s *Summary) []Target {
	published := func(c, ours record.Case) bool { return c.Model != ours.Model }
	same := func(c, ours record.Case) bool { return c.Model == ours.Model && c.Delegate == ours.Delegate }
	var targets []Target
	for _, t := range []struct {
		name, size string
		want       float64
		like       func(c, ours record.Case) bool
	}{
		{"the reference service, same model and flags, 720p", "720p", 2.5, same},
		{"the reference service, same model and flags, 512x384", "512x384", 1.4, same},
		{"the reference service as published", "720p", 6, published},
	} {
		// The first match has the default flags.
		peer := s.Find(func(c record.Case) bool {
			ours := s.beside(c)
			return ours != nil && strings.Contains(c.Image, t.size) && t.like(c, ours.Case)
		})
		target := Target{Name: "throughput / " + t.name, Want: t.want, AtLeast: true, Unit: Ratio}
		if peer == nil {
			targets = append(targets, unmeasured(target, "it was not among the cases; run make bench-peers"))
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

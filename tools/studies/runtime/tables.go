package main

import (
	"fmt"
	"maps"
	"slices"

	"edgelens/benchmarks/stats"
)

func lowest(values []float64) float64 { return slices.Min(values) }

func middle(values []float64) float64 { return stats.Median(values) }

// figure is a row of the table.
type figure struct {
	name, unit string
	// best takes the lowest value of all turns instead of the median.
	best bool
	// inverse shows old / new, for durations that are to be so many times shorter.
	inverse bool
	// target is the limit of the ratio, 0 for none: at least, or with atMost at most.
	target float64
	atMost bool
}

// figures are the rows. On a processor with VNNI, int8 is to be nearly twice as fast.
func figures(vnni bool) []figure {
	int8 := 1.0
	if vnni {
		int8 = 0.55
	}
	return []figure{
		{name: invokeInt8Best, unit: "ms", best: true, target: int8, atMost: true},
		{name: invokeInt8, unit: "ms", target: int8, atMost: true},
		{name: invokeFloat32Best, unit: "ms", best: true},
		{name: invokeFloat32, unit: "ms"},
		{name: invokeUint8Best, unit: "ms", best: true, inverse: true, target: 4},
		{name: invokeUint8, unit: "ms", inverse: true, target: 4},
		{name: loadInt8, unit: "ms", target: 1, atMost: true},
		{name: ceiling + "720p", unit: "/s", target: 1.5},
		{name: ceiling + "1080p", unit: "/s"},
		{name: service + "720p", unit: "/s", target: 1.45},
		{name: service + "1080p", unit: "/s"},
		{name: memory, unit: "MB", target: 1.05, atMost: true},
	}
}

// of returns a build's value; false where it was not measured.
func (f figure) of(b *build) (float64, bool) {
	values := b.values[f.name]
	if len(values) == 0 {
		return 0, false
	}
	if f.best {
		return lowest(values), true
	}
	return middle(values), true
}

// figureRows are the rows of the figures: the first build is the older one, the second the one with targets.
func figureRows(builds []*build, vnni bool) [][]string {
	header := []string{"figure"}
	for _, b := range builds {
		header = append(header, b.name)
	}
	for _, b := range builds[1:] {
		header = append(header, b.name+" / old")
	}
	rows := [][]string{append(header, "target", "met")}
	for _, f := range figures(vnni) {
		rows = append(rows, f.row(builds))
	}
	for _, size := range sizes {
		rows = append(rows, shareRow(builds, size))
	}
	return rows
}

func (f figure) row(builds []*build) []string {
	row := []string{f.name}
	for _, b := range builds {
		text := "-"
		if v, ok := f.of(b); ok {
			text = fmt.Sprintf("%.3g %s", v, f.unit)
			if v >= 100 {
				text = fmt.Sprintf("%.0f %s", v, f.unit)
			}
		}
		row = append(row, text)
	}
	met := "not measured"
	old, known := f.of(builds[0])
	for i, b := range builds[1:] {
		v, ok := f.of(b)
		if !ok || !known || old <= 0 || v <= 0 {
			row = append(row, "-")
			continue
		}
		ratio, suffix := v/old, ""
		if f.inverse {
			ratio, suffix = old/v, " times faster"
		}
		row = append(row, fmt.Sprintf("%.2f%s", ratio, suffix))
		if i == 0 {
			met = verdict(ratio, f.target, f.atMost)
		}
	}
	return append(row, targetText(f.target, f.atMost), met)
}

// shareRow is the service's share of its ceiling.
func shareRow(builds []*build, size string) []string {
	row := []string{"service / its ceiling at " + size}
	met, target := "not measured", 0.0
	if size == "720p" {
		target = 0.9
	}
	for i, b := range builds {
		most, upper := figure{name: ceiling + size}.of(b)
		v, ok := figure{name: service + size}.of(b)
		if !upper || !ok || most <= 0 {
			row = append(row, "-")
			continue
		}
		row = append(row, fmt.Sprintf("%.2f", v/most))
		if i == 1 {
			met = verdict(v/most, target, false)
		}
	}
	for range builds[1:] {
		row = append(row, "")
	}
	return append(row, targetText(target, false), met)
}

func targetText(target float64, atMost bool) string {
	switch {
	case target == 0:
		return ""
	case atMost:
		return fmt.Sprintf("at most %.2f", target)
	}
	return fmt.Sprintf("at least %.2f", target)
}

// verdict is whether a ratio meets its target.
func verdict(ratio, target float64, atMost bool) string {
	switch {
	case target == 0:
		return ""
	case atMost && ratio <= target, !atMost && ratio >= target:
		return "yes"
	}
	return "MISSED"
}

// The limits of the answers.
const (
	minSame        = 0.97
	maxDifferences = 0.5 // percentage points
)

// answerRows compares each build's answers with those of the first, and lists the images with another first class.
func answerRows(builds []*build) (rows, others [][]string) {
	rows = [][]string{{"model", "build", "top-1 of the labeled", "points off the old", "within 0.5", "same first class", "at least 97%"}}
	others = [][]string{{"image", "model", "build", "old class (score)", "class (score)"}}
	old := builds[0]
	for _, model := range slices.Sorted(maps.Keys(old.first)) {
		for _, b := range builds {
			top1, points, within := "-", "-", "not measured"
			if b.count[model] > 0 && old.count[model] > 0 {
				share := 100 * float64(b.right[model]) / float64(b.count[model])
				off := share - 100*float64(old.right[model])/float64(old.count[model])
				top1, points, within = fmt.Sprintf("%.1f%% of %d", share, b.count[model]), fmt.Sprintf("%+.2f", off), verdict(max(off, -off), maxDifferences, true)
			}
			same, n := 0, 0
			for _, image := range slices.Sorted(maps.Keys(old.first[model])) {
				x, y := old.first[model][image], b.first[model][image]
				n++
				_, answered := b.first[model][image]
				if answered && x.number == y.number {
					same++
					continue
				}
				text := "no answer"
				if answered {
					text = fmt.Sprintf("%d (%.3f)", y.number, y.score)
				}
				others = append(others, []string{image, model, b.name, fmt.Sprintf("%d (%.3f)", x.number, x.score), text})
			}
			share, enough := "-", "not measured"
			if n > 0 {
				share, enough = fmt.Sprintf("%d of %d", same, n), verdict(float64(same)/float64(n), minSame, false)
			}
			if b == old {
				within, enough, points, share = "", "", "", ""
			}
			rows = append(rows, []string{model, b.name, top1, points, within, share, enough})
		}
	}
	return rows, others
}

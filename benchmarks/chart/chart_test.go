package chart_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"

	"edgelens/benchmarks/chart"
)

var charts = map[string]chart.Chart{
	"lines": chart.Lines{Title: "Latency <1>", XLabel: "x", YLabel: "ms", XTicks: []chart.Tick{{1, "90%"}, {9, "never"}},
		Series: []chart.Series{{"a & b", []float64{0, 1, 2}, []float64{1, 2, 30}}, {"other", []float64{0, 2}, []float64{5, 5}}}},
	"bars":    chart.Bars{Title: "Throughput <1>", Label: "/s", Bars: []chart.Bar{{"a & b", 100, 90, 105}, {"other", 50, 50, 50}}},
	"nothing": chart.Lines{Title: "Nothing <1>"},
	"zeros":   chart.Bars{Title: "Zeros <1>", Bars: []chart.Bar{{"a & b", 0, 0, 0}}},
	"NaN":     chart.Lines{Title: "NaN <1>", Series: []chart.Series{{"a & b", []float64{0, 1}, []float64{math.NaN(), math.NaN()}}}},
}

func TestSVGIsWellFormed(t *testing.T) {
	for name, c := range charts {
		t.Run(name, func(t *testing.T) {
			data, err := chart.SVG(c)
			if err != nil {
				t.Fatal(err)
			}
			decoder := xml.NewDecoder(bytes.NewReader(data))
			var text []string
			for {
				token, err := decoder.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%v\n%s", err, data)
				}
				if chars, ok := token.(xml.CharData); ok {
					text = append(text, string(chars))
				}
			}
			if all := strings.Join(text, "|"); !strings.Contains(all, "<1>") || name != "nothing" && !strings.Contains(all, "a & b") || strings.Contains(all, "never") {
				t.Errorf("texts %q", all)
			}
		})
	}
}

// count returns how many pixels of a color there are in a part of the image.
func count(p image.Image, in image.Rectangle, want color.RGBA) int {
	n := 0
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			if r, g, b, _ := p.At(x, y).RGBA(); uint8(r>>8) == want.R && uint8(g>>8) == want.G && uint8(b>>8) == want.B {
				n++
			}
		}
	}
	return n
}

func TestPNGShowsTheData(t *testing.T) {
	for name, c := range charts {
		data, err := chart.PNG(c)
		if err != nil {
			t.Fatal(name, err)
		}
		decoded, err := png.Decode(bytes.NewReader(data))
		if err != nil || decoded.Bounds() != image.Rect(0, 0, chart.Width, chart.Height) {
			t.Fatal(name, err)
		}
		if name == "bars" {
			half := chart.Height / 2
			first := count(decoded, image.Rect(0, 0, chart.Width, half), color.RGBA{68, 119, 170, 255})
			second := count(decoded, image.Rect(0, half, chart.Width, chart.Height), color.RGBA{68, 119, 170, 255})
			if ratio := float64(first) / float64(second); ratio < 1.8 || ratio > 2.2 {
				t.Errorf("100 is drawn %.2f times as large as 50", ratio)
			}
			if count(decoded, image.Rect(0, 0, 280, chart.Height), color.RGBA{30, 30, 30, 255}) == 0 {
				t.Error("there are no names")
			}
		}
	}
}

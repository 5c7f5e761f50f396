package sensor_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"edgelens"
	"edgelens/sensor"
	"edgelens/sensor/simulate"
)

// anomalies returns the sequence numbers that are marked of values in a series of their own.
func anomalies(s *site, device string, values []float64) (marked []int64) {
	s.t.Helper()
	id := edgelens.SeriesID(device, "t")
	for i, v := range values {
		s.send("sensors/"+device+"/t", v)
		points, err := s.Points(id, int64(i))
		if err != nil {
			s.t.Fatal(err)
		}
		if points[0].Anomaly != nil {
			marked = append(marked, points[0].Seq)
		}
	}
	return marked
}

func TestConstantSeriesHasNoAnomaly(t *testing.T) {
	run(t, func(c *sensor.Config) { c.Window = 50 }, func(s *site) {
		for device, value := range map[string]float64{"zero": 0, "negative": -273.15, "tenth": 0.1, "third": 1.0 / 3, "huge": 1e15, "tiny": 1e-300} {
			if marked := anomalies(s, device, repeat(500, value)); len(marked) > 0 {
				t.Errorf("%s: %d anomalies in a constant series", device, len(marked))
			}
			if got := s.one(edgelens.SeriesID(device, "t")); got.Window.Deviation != 0 || got.Window.MAD != 0 || got.Stuck || got.Prediction != nil {
				t.Errorf("%s: %+v", device, got)
			}
		}
	})
}

// A shifted, scaled or mirrored copy of a series has the same anomalies. The shift is a power of two
// and the values are multiples of 1/8, so that no rounding differs.
func TestCopiesHaveTheSameAnomalies(t *testing.T) {
	run(t, func(c *sensor.Config) { c.Window = 60 }, func(s *site) {
		random := rand.New(rand.NewPCG(1, 2))
		values := make([]float64, 3000)
		for i := range values {
			values[i] = math.Round(8*(50+5*random.NormFloat64())) / 8
			if i%100 == 99 {
				values[i] += 30 + float64(random.IntN(160))/8
			}
		}
		want := anomalies(s, "original", values)
		if len(want) < 30 {
			t.Fatalf("%d anomalies, want those of 30 spikes at least", len(want))
		}
		for device, change := range map[string]func(float64) float64{
			"shifted": func(v float64) float64 { return v + 4096 }, "far": func(v float64) float64 { return v - 1<<30 },
			"scaled": func(v float64) float64 { return 1024 * v }, "mirrored": func(v float64) float64 { return -v },
		} {
			copied := make([]float64, len(values))
			for i, v := range values {
				copied[i] = change(v)
			}
			got := anomalies(s, device, copied)
			if len(got) != len(want) {
				t.Errorf("%s: %d anomalies, want %d", device, len(got), len(want))
				continue
			}
			for i := range got {
				if got[i] != want[i] {
					t.Errorf("%s: anomaly %d is point %d, want %d", device, i, got[i], want[i])
					break
				}
			}
		}
	})
}

// Of the simulator's spikes, nearly all are marked; of its other points, few.
func TestAnomaliesOfTheSimulator(t *testing.T) {
	run(t, nil, func(s *site) {
		generator, err := simulate.New(simulate.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		spikes, found, others, wrong := 0, 0, 0, 0
		samples := 30_000
		if raceDetector { // ten times as slow
			samples = 6_000
		}
		for range samples {
			sample := generator.Next()
			time.Sleep(time.Until(start.Add(sample.Offset)))
			topic, body := sample.Message(start)
			if err := s.Receive(topic, body, false); err != nil {
				t.Fatal(err)
			}
			series := s.one(edgelens.SeriesID(sample.Device, "temperature"))
			if series.Points <= 50 {
				continue
			}
			marked := series.LastAnomalyAt.Equal(series.LastAt)
			switch {
			case sample.Spike:
				spikes++
				if marked {
					found++
				}
			default:
				others++
				if marked {
					wrong++
				}
			}
		}
		t.Logf("%d of %d spikes are marked, and %d of %d other points", found, spikes, wrong, others)
		if float64(found) < 0.98*float64(spikes) || float64(wrong) > 0.01*float64(others) {
			t.Errorf("%d of %d spikes are marked, and %d of %d other points", found, spikes, wrong, others)
		}
	})
}

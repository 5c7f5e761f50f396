package simulate_test

import (
	"math"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"

	"edgelens/sensor/payload"
	"edgelens/sensor/simulate"
)

func samples(t *testing.T, config simulate.Config, n int) []simulate.Sample {
	t.Helper()
	g, err := simulate.New(config)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]simulate.Sample, n)
	for i := range all {
		all[i] = g.Next()
	}
	return all
}

func TestDefaults(t *testing.T) {
	all := samples(t, simulate.DefaultConfig(), 100_000)
	var values []float64
	spikes, devices := 0, map[string]int{}
	for i, s := range all {
		devices[s.Device]++
		if want := time.Duration(i) * time.Second / 10; (s.Offset - want).Abs() > time.Microsecond {
			t.Fatalf("point %d is at %v, want %v", i, s.Offset, want)
		}
		switch {
		case s.Spike:
			spikes++
			if s.Value < 50+30-25 || s.Value > 50+50+25 {
				t.Errorf("a spike of %v", s.Value)
			}
		default:
			values = append(values, s.Value)
		}
	}
	if mean, deviation := stat.MeanStdDev(values, nil); math.Abs(mean-50) > 0.1 || math.Abs(deviation-5) > 0.1 {
		t.Errorf("%v ± %v, want 50 ± 5", mean, deviation)
	}
	if spikes != 1000 || len(devices) != 10 || devices["sensor_001"] != 10_000 {
		t.Errorf("%d spikes of %v", spikes, devices)
	}
}

func TestSeedRepeats(t *testing.T) {
	config := simulate.DefaultConfig()
	first, again := samples(t, config, 1000), samples(t, config, 1000)
	config.Seed++
	other := samples(t, config, 1000)
	same := 0
	for i := range first {
		if first[i] != again[i] {
			t.Fatalf("point %d: %v and %v of one seed", i, first[i], again[i])
		}
		if first[i] == other[i] {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d points are the same with another seed", same)
	}
}

func TestSeasonTrendAndGaps(t *testing.T) {
	config := simulate.Config{Sensors: 2, Rate: 2, Base: 10, Season: time.Minute, Amplitude: 3, TrendPerHour: 60, GapEvery: 100 * time.Second, GapFor: 20 * time.Second}
	for _, s := range samples(t, config, 2000) {
		want := 10 + 3*math.Sin(2*math.Pi*s.Offset.Seconds()/60) + s.Offset.Minutes()
		if math.Abs(s.Value-want) > 1e-9 {
			t.Fatalf("at %v: %v, want %v", s.Offset, s.Value, want)
		}
		first, in := int(s.Offset/(100*time.Second))%2 == 0, s.Offset%(100*time.Second) >= 80*time.Second
		if in && first == (s.Device == "sensor_001") {
			t.Fatalf("%s sends in its gap, at %v", s.Device, s.Offset)
		}
	}
}

// The messages are read as what they were made of.
func TestMessage(t *testing.T) {
	start := time.Date(2026, 4, 10, 10, 0, 0, 0, time.UTC)
	parser := payload.Parser{Topics: []string{"sensors/#"}, Fresh: time.Minute, MaxBytes: 1000}
	for _, s := range samples(t, simulate.DefaultConfig(), 100) {
		topic, body := s.Message(start)
		result, err := parser.Parse(payload.Message{Topic: topic, Payload: body, ReceivedAt: start.Add(s.Offset)})
		if err != nil {
			t.Fatal(err)
		}
		r := result.Readings[0]
		if len(result.Readings) != 1 || r.Device != s.Device || r.Field != "temperature" || r.Unit != "°C" || math.Abs(r.Value-s.Value) > 0.006 || !r.At.Equal(start.Add(s.Offset)) {
			t.Errorf("%+v of %+v", r, s)
		}
	}
}

func TestInvalidConfigs(t *testing.T) {
	for name, change := range map[string]func(*simulate.Config){
		"no sensor":       func(c *simulate.Config) { c.Sensors = 0 },
		"no rate":         func(c *simulate.Config) { c.Rate = 0 },
		"a rate of NaN":   func(c *simulate.Config) { c.Rate = math.NaN() },
		"infinite base":   func(c *simulate.Config) { c.Base = math.Inf(1) },
		"negative noise":  func(c *simulate.Config) { c.Noise = -1 },
		"spikes reversed": func(c *simulate.Config) { c.SpikeMin = 100 },
		"only a gap":      func(c *simulate.Config) { c.GapEvery, c.GapFor = time.Second, time.Second },
	} {
		config := simulate.DefaultConfig()
		change(&config)
		if _, err := simulate.New(config); err == nil {
			t.Errorf("%s is valid", name)
		}
	}
}

// Package simulate generates the readings of sensors: noise around a base, with spikes, and on
// demand season, trend and gaps. It is pure and repeatable: it sends nothing, and has no clock.
package simulate

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Config is what to generate.
type Config struct {
	// Sensors is the number of sensors, Rate the number of points a second of all together.
	Sensors int
	Rate    float64
	// Base is the mean, Noise the standard deviation around it.
	Base, Noise float64
	// SpikeEvery makes each such point of a sensor a spike, SpikeMin to SpikeMax above; 0 is
	// none.
	SpikeEvery         int
	SpikeMin, SpikeMax float64
	// Season is the period of a sine of the amplitude Amplitude; 0 is none.
	Season    time.Duration
	Amplitude float64
	// TrendPerHour is added per hour.
	TrendPerHour float64
	// GapEvery and GapFor silence a sensor for GapFor at the end of each GapEvery, the first
	// sensor first; 0 is never.
	GapEvery, GapFor time.Duration
	// Seed is the random seed.
	Seed uint64
}

// DefaultConfig has ten sensors and ten points a second, 50 with a noise of 5; each hundredth
// point is 30 to 50 above.
func DefaultConfig() Config {
	return Config{Sensors: 10, Rate: 10, Base: 50, Noise: 5, SpikeEvery: 100, SpikeMin: 30, SpikeMax: 50, Amplitude: 20, Seed: 1}
}

// Validate reports every invalid value at once.
func (c Config) Validate() error {
	var errs []error
	problem := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Sensors < 1 || c.Sensors > 100_000 {
		problem("sensors must be 1 to 100000, not %d", c.Sensors)
	}
	if !(c.Rate > 0 && c.Rate <= 1_000_000) {
		problem("rate must be above 0 and at most 1000000 points a second, not %v", c.Rate)
	}
	for name, value := range map[string]float64{"base": c.Base, "trend": c.TrendPerHour, "amplitude": c.Amplitude, "noise": c.Noise, "spike": c.SpikeMax} {
		if !(math.Abs(value) <= 1e9) {
			problem("%s must be -1e9 to 1e9, not %v", name, value)
		}
	}
	if c.Noise < 0 || c.SpikeEvery < 0 || c.Season < 0 || c.GapEvery < 0 || c.GapFor < 0 {
		problem("noise, spike_every, season, gap_every and gap_for must not be negative")
	}
	if !(c.SpikeMin <= c.SpikeMax) {
		problem("the smallest spike, %v, must not exceed the largest, %v", c.SpikeMin, c.SpikeMax)
	}
	if c.GapFor > 0 && c.GapFor >= c.GapEvery {
		problem("gap_for, %v, must be less than gap_every, %v", c.GapFor, c.GapEvery)
	}
	return errors.Join(errs...)
}

// Sample is one generated value.
type Sample struct {
	// Offset is its time since the start, Device its sensor.
	Offset time.Duration
	Device string
	Value  float64
	// Spike reports that it is one.
	Spike bool
}

// Generator generates samples in the order of their time. It is not safe for use by several
// goroutines at once.
type Generator struct {
	config Config
	random *rand.Rand
	n      int64
	counts []int
}

// New returns a generator.
func New(config Config) (*Generator, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("simulate sensors: %w", err)
	}
	return &Generator{config: config, random: rand.New(rand.NewPCG(config.Seed, 0x5e450)), counts: make([]int, config.Sensors)}, nil
}

// Next returns the next sample.
func (g *Generator) Next() Sample {
	for {
		offset := time.Duration(float64(g.n) / g.config.Rate * float64(time.Second))
		sensor := int(g.n % int64(g.config.Sensors))
		g.n++
		if g.inGap(sensor, offset) {
			continue
		}
		g.counts[sensor]++
		return g.sample(sensor, offset)
	}
}

// inGap reports whether a sensor is silent.
func (g *Generator) inGap(sensor int, offset time.Duration) bool {
	if g.config.GapFor == 0 {
		return false
	}
	round := int64(offset / g.config.GapEvery)
	return int64(sensor) == round%int64(g.config.Sensors) && offset%g.config.GapEvery >= g.config.GapEvery-g.config.GapFor
}

func (g *Generator) sample(sensor int, offset time.Duration) Sample {
	c := g.config
	value := c.Base + c.Noise*g.random.NormFloat64() + c.TrendPerHour*offset.Hours()
	if c.Season > 0 {
		value += c.Amplitude * math.Sin(2*math.Pi*float64(offset%c.Season)/float64(c.Season))
	}
	above := c.SpikeMin + (c.SpikeMax-c.SpikeMin)*g.random.Float64()
	spike := c.SpikeEvery > 0 && g.counts[sensor]%c.SpikeEvery == 0
	if spike {
		value += above
	}
	return Sample{Offset: offset, Device: fmt.Sprintf("sensor_%03d", sensor+1), Value: value, Spike: spike}
}

// Message returns the sample as an MQTT message for the default topics; start is the time of
// offset 0.
func (s Sample) Message(start time.Time) (topic string, payload []byte) {
	payload, _ = json.Marshal(struct {
		Device    string  `json:"device_id"`
		Timestamp string  `json:"timestamp"`
		Value     float64 `json:"temperature"`
		Unit      string  `json:"unit"`
	}{s.Device, start.Add(s.Offset).UTC().Format(time.RFC3339Nano), math.Round(s.Value*100) / 100, "C"}) // finite: cannot fail
	return "sensors/" + s.Device, payload
}

package sensor

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"edgelens"
)

// Config is the configuration of a Monitor.
type Config struct {
	// Topics are MQTT filters, none for no sensors: their levels before the first wildcard name no device.
	Topics []string
	// SealedOnly are patterns of path.Match, whose "*" takes slashes, too: plain values of devices that match are refused.
	SealedOnly []string
	// MaxSeries is the largest number of series of sensors; those of edgelens itself have
	// as many of their own. A new one beyond it takes the place of the one that has been
	// silent longest, if that is for GiveWayAfter, and is dropped otherwise.
	MaxSeries    int
	GiveWayAfter time.Duration
	// MaxPayloadBytes is the size of the largest accepted message.
	MaxPayloadBytes int
	// Fresh is the maximum difference between a reading's own time and its arrival.
	Fresh time.Duration
	// Window and WindowAge limit the sliding window of a series: number and age of its
	// values.
	Window    int
	WindowAge time.Duration
	// MinPoints is how many values the window must hold before a value can be an anomaly:
	// Sigma standard deviations from the mean, or by Robust, the modified z-score.
	MinPoints     int
	Sigma, Robust float64
	// SilentIntervals is after how many usual intervals without a value a series is silent.
	SilentIntervals float64
	// AnalysisInterval is how often trend, season and prediction of a series are computed.
	AnalysisInterval time.Duration
	// FeedInterval is how often the feeders are asked.
	FeedInterval time.Duration
	// MaxInsightsPerMinute limits the insights of all series; others wait while they hold.
	MaxInsightsPerMinute int
	// MaxSubscriptions is the largest number of subscriptions at a time.
	MaxSubscriptions int
	// Rules make the insights, as ParseRules takes them; empty for none.
	Rules string
}

// DefaultConfig watches sensors/# and sensor/data, up to 1,000 series.
func DefaultConfig() Config {
	return Config{
		Topics: []string{"sensors/#", "sensor/data"}, MaxSeries: 1000, GiveWayAfter: time.Hour, MaxPayloadBytes: 64 << 10, Fresh: time.Minute,
		Window: 300, WindowAge: 24 * time.Hour, MinPoints: 20, Sigma: 3, Robust: 3.5, SilentIntervals: 3,
		AnalysisInterval: 10 * time.Second, FeedInterval: time.Minute, MaxInsightsPerMinute: 60, MaxSubscriptions: 100, Rules: defaultsWord,
	}
}

// Validate reports every invalid setting at once, each with its name.
func (c Config) Validate() error {
	var errs []error
	problem := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	whole := func(name string, value, low, high int) {
		if value < low || value > high {
			problem("%s must be %d to %d, not %d", name, low, high, value)
		}
	}
	span := func(name string, value, low, high time.Duration) {
		if value < low || value > high {
			problem("%s must be %v to %v, not %v", name, low, high, value)
		}
	}
	number := func(name string, value, low, high float64) {
		if !(value >= low && value <= high) { // NaN too
			problem("%s must be %g to %g, not %v", name, low, high, value)
		}
	}
	if len(c.Topics) > 100 {
		problem("topics must be at most 100 MQTT filters, not %d", len(c.Topics))
	}
	for _, topic := range c.Topics {
		if !validFilter(topic) {
			problem("topics must be MQTT filters such as sensors/#, not %q", topic)
		}
	}
	if len(c.SealedOnly) > 100 {
		problem("sealed_only must be at most 100 patterns, not %d", len(c.SealedOnly))
	}
	for _, pattern := range c.SealedOnly {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" || len(pattern) > edgelens.MaxSensorName {
			problem("sealed_only must be patterns of devices such as boiler_*, not %q", pattern)
		}
	}
	whole("max_series", c.MaxSeries, 1, 100_000)
	span("give_way_after", c.GiveWayAfter, time.Minute, 365*24*time.Hour)
	whole("max_payload_bytes", c.MaxPayloadBytes, 64, 1<<20)
	span("fresh", c.Fresh, time.Second, 24*time.Hour)
	whole("window", c.Window, 10, 10_000)
	span("window_age", c.WindowAge, time.Minute, 30*24*time.Hour)
	whole("min_points", c.MinPoints, 5, max(5, c.Window))
	number("sigma", c.Sigma, 1, 100)
	number("robust", c.Robust, 1, 100)
	number("silent_intervals", c.SilentIntervals, 1, 1000)
	span("analysis_interval", c.AnalysisInterval, time.Second, time.Hour)
	span("feed_interval", c.FeedInterval, time.Second, time.Hour)
	whole("max_insights_per_minute", c.MaxInsightsPerMinute, 1, 10_000)
	whole("max_subscriptions", c.MaxSubscriptions, 1, 10_000)
	if _, err := ParseRules(c.Rules); err != nil {
		problem("rules: %w", err)
	}
	return errors.Join(errs...)
}

// validFilter reports whether a text is an MQTT filter: # only as the last level, + only
// as a whole one.
func validFilter(filter string) bool {
	if filter == "" || len(filter) > 256 || strings.ContainsAny(filter, "\x00\r\n") {
		return false
	}
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		switch {
		case level == "#":
			if i != len(levels)-1 {
				return false
			}
		case level != "+" && strings.ContainsAny(level, "#+"):
			return false
		}
	}
	return true
}

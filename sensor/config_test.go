package sensor_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/sensor"
)

func TestDefaultConfigIsValid(t *testing.T) {
	if err := sensor.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestConfigReportsEachSetting(t *testing.T) {
	for name, change := range map[string]func(*sensor.Config){
		"topics":                  func(c *sensor.Config) { c.Topics = []string{"sensors/#/x"} },
		"max_series":              func(c *sensor.Config) { c.MaxSeries = 0 },
		"give_way_after":          func(c *sensor.Config) { c.GiveWayAfter = time.Second },
		"max_payload_bytes":       func(c *sensor.Config) { c.MaxPayloadBytes = 1 << 30 },
		"fresh":                   func(c *sensor.Config) { c.Fresh = 0 },
		"window":                  func(c *sensor.Config) { c.Window = 2 },
		"window_age":              func(c *sensor.Config) { c.WindowAge = 0 },
		"min_points":              func(c *sensor.Config) { c.MinPoints = c.Window + 1 },
		"sigma":                   func(c *sensor.Config) { c.Sigma = math.NaN() },
		"robust":                  func(c *sensor.Config) { c.Robust = 0 },
		"silent_intervals":        func(c *sensor.Config) { c.SilentIntervals = math.Inf(1) },
		"analysis_interval":       func(c *sensor.Config) { c.AnalysisInterval = time.Millisecond },
		"feed_interval":           func(c *sensor.Config) { c.FeedInterval = 0 },
		"max_insights_per_minute": func(c *sensor.Config) { c.MaxInsightsPerMinute = 0 },
		"max_subscriptions":       func(c *sensor.Config) { c.MaxSubscriptions = -1 },
		"rules":                   func(c *sensor.Config) { c.Rules = "hot" },
	} {
		t.Run(name, func(t *testing.T) {
			config := sensor.DefaultConfig()
			change(&config)
			if err := config.Validate(); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%v", err)
			}
			if _, err := sensor.New(config, sensor.Parts{}); !errors.Is(err, edgelens.ErrInvalid) {
				t.Errorf("New: %v", err)
			}
		})
	}
	if err := (sensor.Config{}).Validate(); strings.Count(err.Error(), "\n") < 10 {
		t.Errorf("not all at once: %v", err)
	}
}

func TestTopicsAreFilters(t *testing.T) {
	for filter, want := range map[string]bool{
		"sensors/#": true, "#": true, "+/+/x": true, "/": true, "a//b": true,
		"": false, "a/#/b": false, "a#": false, "a+/b": false, "a\x00": false, strings.Repeat("a", 257): false,
	} {
		config := sensor.DefaultConfig()
		config.Topics = []string{filter}
		if err := config.Validate(); (err == nil) != want {
			t.Errorf("%.20q: %v", filter, err)
		}
	}
}

func TestRuleReportsEachField(t *testing.T) {
	threshold := sensor.Rule{Name: "a", Kind: edgelens.InsightThreshold, Above: number(1)}
	anomaly := sensor.Rule{Name: "a", Kind: edgelens.InsightAnomaly}
	for name, test := range map[string]struct {
		rule   sensor.Rule
		change func(*sensor.Rule)
	}{
		"name":                {threshold, func(r *sensor.Rule) { r.Name = "a b" }},
		"kind":                {anomaly, func(r *sensor.Rule) { r.Kind = "odd" }},
		"device and field":    {threshold, func(r *sensor.Rule) { r.Field = "[" }},
		"above or below":      {threshold, func(r *sensor.Rule) { r.Above = nil }},
		"for no other kind":   {anomaly, func(r *sensor.Rule) { r.Below = number(1) }},
		"above must be -1e15": {threshold, func(r *sensor.Rule) { r.Above = number(math.NaN()) }},
		"must be greater":     {threshold, func(r *sensor.Rule) { r.Below = number(1) }},
		"hysteresis":          {threshold, func(r *sensor.Rule) { r.Hysteresis = -1 }},
		"score":               {anomaly, func(r *sensor.Rule) { r.Score = math.NaN() }},
		"for and cooldown":    {threshold, func(r *sensor.Rule) { r.Cooldown = -1 }},
		"it is a moment":      {anomaly, func(r *sensor.Rule) { r.For = time.Second }},
		"direction":           {anomaly, func(r *sensor.Rule) { r.Direction = "up" }},
		"severity":            {anomaly, func(r *sensor.Rule) { r.Severity = "bad" }},
		"summary":             {anomaly, func(r *sensor.Rule) { r.Summary = strings.Repeat("x", 301) }},
		"actions":             {anomaly, func(r *sensor.Rule) { r.Actions = make([]string, 11) }},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.rule.Validate(); err != nil {
				t.Fatalf("before the change: %v", err)
			}
			test.change(&test.rule)
			if err := test.rule.Validate(); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%v", err)
			}
		})
	}
}

// Which series a rule is for shows in which insights there are.
func TestRuleMatchesByPattern(t *testing.T) {
	for name, test := range map[string]struct {
		device, field string // of the rule
		topic         string
		want          bool
	}{
		"all":                      {"", "", room, true},
		"the field":                {"*", "temperature", room, true},
		"another field":            {"*", "humidity", room, false},
		"the device by its start":  {"room_*", "", room, true},
		"another device":           {"hall*", "", room, false},
		"a device with a slash":    {"house*", "", "sensors/house/attic/temperature", true},
		"own ones need the prefix": {"", "edgelens.*", room, false},
	} {
		t.Run(name, func(t *testing.T) {
			rule := sensor.Rule{Name: "a", Kind: edgelens.InsightThreshold, Device: test.device, Field: test.field, Above: number(0)}
			run(t, rules(rule), func(s *site) {
				s.send(test.topic, 1)
				if got := len(s.Insights()) == 1; got != test.want {
					t.Errorf("matches %v, want %v", got, test.want)
				}
			})
		})
	}
}

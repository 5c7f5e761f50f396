package federation_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/learn/federation"
)

func TestDefaultSettings(t *testing.T) {
	if err := federation.DefaultSettings().Validate(); err != nil {
		t.Error(err)
	}
}

func TestSettingsRefused(t *testing.T) {
	for name, change := range map[string]func(*federation.Settings){
		"fraction":         func(s *federation.Settings) { s.Fraction = 0 },
		"fraction ":        func(s *federation.Settings) { s.Fraction = math.NaN() },
		"min_nodes":        func(s *federation.Settings) { s.MinNodes = 0 },
		"min_examples":     func(s *federation.Settings) { s.MinExamples = 0 },
		"rounds":           func(s *federation.Settings) { s.Rounds = -1 },
		"deadline":         func(s *federation.Settings) { s.Deadline = 0 },
		"pause":            func(s *federation.Settings) { s.Pause = federation.Seconds(1e4 * time.Hour) },
		"poll":             func(s *federation.Settings) { s.Poll = 1 },
		"epochs":           func(s *federation.Settings) { s.Epochs = 0 },
		"batch":            func(s *federation.Settings) { s.Batch = -1 },
		"momentum":         func(s *federation.Settings) { s.Momentum = 1 },
		"rate":             func(s *federation.Settings) { s.Rate = 0 },
		"mu":               func(s *federation.Settings) { s.Mu = -1 },
		"l2":               func(s *federation.Settings) { s.L2 = math.Inf(1) },
		"clip":             func(s *federation.Settings) { s.Clip = 0 },
		"noise":            func(s *federation.Settings) { s.Noise = math.NaN() },
		"delta":            func(s *federation.Settings) { s.Delta = 1 },
		"aggregation":      func(s *federation.Settings) { s.Aggregation = "median" },
		"aggregation ":     func(s *federation.Settings) { s.Aggregation = federation.Trimmed }, // of two nodes
		"trim":             func(s *federation.Settings) { s.Trim = 0.5 },
		"max_weight":       func(s *federation.Settings) { s.MaxWeight = 0 },
		"secure hides":     func(s *federation.Settings) { s.Secure, s.MinNodes, s.Aggregation = true, 5, federation.Trimmed },
		"secure needs":     func(s *federation.Settings) { s.Secure = true }, // of two nodes
		"secure needs a c": func(s *federation.Settings) { s.Secure, s.MinNodes, s.Clip = true, 3, 1000 },
		"held_out":         func(s *federation.Settings) { s.HeldOut = 1 },
		"max_drop":         func(s *federation.Settings) { s.MaxDrop = -0.1 },
		"canary":           func(s *federation.Settings) { s.Canary = "../a" },
		"threshold":        func(s *federation.Settings) { s.Threshold = 2 },
		"seed":             func(s *federation.Settings) { s.Seed = -1 },
	} {
		s := federation.DefaultSettings()
		change(&s)
		if err := s.Validate(); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), strings.TrimSpace(name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every reason has a status of HTTP and a sentinel.
func TestReasons(t *testing.T) {
	for _, reason := range federation.Reasons() {
		refused := &federation.Refusal{Reason: reason}
		if edgelens.Code(refused) == "" || refused.Status() < 400 || refused.Status() >= 500 {
			t.Errorf("%s: code %q, status %d", reason, edgelens.Code(refused), refused.Status())
		}
	}
}

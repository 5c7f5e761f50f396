package runner

import (
	"strings"
	"testing"
)

func TestConfigValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
	for flag, change := range map[string]func(*Config){
		"--runs":               func(c *Config) { c.Plan.Rounds = 1001 },
		"--duration":           func(c *Config) { c.Plan.WarmUp = 1 },
		"--soak":               func(c *Config) { c.Soak = 1 },
		"--kinds":              func(c *Config) { c.HTTP.Kinds = []string{"sync", "fast"} },
		"--connections":        func(c *Config) { c.HTTP.Connections = []int{1, 0} },
		"--open-connections":   func(c *Config) { c.HTTP.OpenConnections = 5000 },
		"--model-threads":      func(c *Config) { c.Threads = []int{-1} },
		"--model-interpreters": func(c *Config) { c.Interpreters = []int{4097} },
		"--terminals":          func(c *Config) { c.Terminals = []int{0} },
		"--terminal-rate":      func(c *Config) { c.TerminalRate = 1e7 },
		"--load":               func(c *Config) { c.HTTP.Loads = []float64{-1} },
		"--rate":               func(c *Config) { c.HTTP.Rates = []float64{2e6} },
		"--arrivals":           func(c *Config) { c.HTTP.Arrivals = "bursts" },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
	bad := Config{}
	if err := bad.Validate(); err == nil || strings.Count(err.Error(), "\n") < 2 {
		t.Errorf("not every error is reported: %v", err)
	}
}

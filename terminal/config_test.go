//go:build cgo

package terminal_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"edgelens"
	"edgelens/terminal"
)

func TestConfig(t *testing.T) {
	if err := terminal.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*terminal.Config){
		"url":               func(c *terminal.Config) { c.URL = "http://broker" },
		"group":             func(c *terminal.Config) { c.Group = "a/b" },
		"max_message_bytes": func(c *terminal.Config) { c.MaxMessageBytes = 1 },
		"default":           func(c *terminal.Config) { c.Default = "#" },
		"unknown":           func(c *terminal.Config) { c.Unknown = "ask" },
		"max_devices":       func(c *terminal.Config) { c.MaxDevices = 0 },
		"max_waiting":       func(c *terminal.Config) { c.MaxWaiting = 0 },
		"top_k":             func(c *terminal.Config) { c.TopK = 0 },
		"min_score":         func(c *terminal.Config) { c.MinScore = 2 },
		"fresh":             func(c *terminal.Config) { c.Fresh = 0 },
		"command_ttl":       func(c *terminal.Config) { c.CommandTTL = 0 },
	} {
		config := terminal.DefaultConfig()
		change(&config)
		if err := config.Validate(); err == nil || !strings.HasPrefix(err.Error(), name+" ") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := terminal.New(context.Background(), config, terminal.Parts{}); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: New returned %v", name, err)
		}
	}
}

package app

import (
	"strings"
	"testing"

	"edgelens"
	"edgelens/inference"
)

func TestInterpreterConditions(t *testing.T) {
	for name, test := range map[string]struct {
		stats    inference.PoolStats
		severity edgelens.Severity
		reason   string // empty: no condition
	}{
		"all serve":   {inference.PoolStats{Idle: 1, Busy: 1}, "", ""},
		"some hang":   {inference.PoolStats{Idle: 1, Stuck: 2}, edgelens.SeverityDegraded, "2 hang"},
		"all hang":    {inference.PoolStats{Stuck: 3}, edgelens.SeverityUnavailable, "all 3 hang"},
		"not a model": {inference.PoolStats{}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := interpreterConditions(map[string]inference.PoolStats{"cats": test.stats})
			if test.reason == "" {
				if len(got) > 0 {
					t.Errorf("got %v, want none", got)
				}
				return
			}
			if len(got) != 1 || got[0].Name != "interpreters of cats" || got[0].Severity != test.severity || !strings.Contains(got[0].Reason, test.reason) {
				t.Errorf("got %v", got)
			}
		})
	}
}

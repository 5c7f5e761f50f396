package app

import (
	"runtime"
	"testing"

	"edgelens/internal/config"
)

// More of Go's threads are no more cores: there are as many interpreters as before.
func TestAddProcsLeavesTheInterpreters(t *testing.T) {
	c := config.Default()
	before := c.Inference.InterpretersOrCores()
	was := runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	defer runtime.GOMAXPROCS(was)
	if now := c.Inference.InterpretersOrCores(); now != before {
		t.Errorf("%d interpreters, and %d before", now, before)
	}
}

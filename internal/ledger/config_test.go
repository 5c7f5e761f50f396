package ledger_test

import (
	"strings"
	"testing"
	"time"

	"edgelens/internal/ledger"
)

func TestDefaultConfigIsValid(t *testing.T) {
	if err := ledger.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestConfigReportsAllErrors(t *testing.T) {
	bad := ledger.Config{MaxAge: time.Second, MaxBytes: 1, MaxEvents: 0, MaxQueued: 0, MinFreeBytes: -1, SweepInterval: time.Microsecond}
	err := bad.Validate()
	if err == nil {
		t.Fatal("no error was found")
	}
	for _, name := range []string{"max_age", "max_bytes", "max_events", "max_queued", "min_free_bytes", "min_age", "remember_max", "sweep_interval"} {
		if !strings.Contains(err.Error(), name+" must be ") {
			t.Errorf("%q does not name %s", err, name)
		}
	}
}

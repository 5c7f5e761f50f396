package telemetry_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"edgelens"
	"edgelens/internal/telemetry"
)

func TestConfig(t *testing.T) {
	tests := map[string]struct {
		config telemetry.Config
		errs   int
	}{
		"default":           {telemetry.DefaultConfig(), 0},
		"quiet json":        {telemetry.Config{LogLevel: "error", LogFormat: "json"}, 0},
		"no such level":     {telemetry.Config{LogLevel: "loud", LogFormat: "json"}, 1},
		"level in capitals": {telemetry.Config{LogLevel: "INFO", LogFormat: "json"}, 1},
		"no such format":    {telemetry.Config{LogLevel: "info", LogFormat: "xml"}, 1},
		"nothing is set":    {telemetry.Config{}, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.config.Validate()
			errs := 0
			if joined, ok := err.(interface{ Unwrap() []error }); ok {
				errs = len(joined.Unwrap())
			}
			if errs != test.errs {
				t.Errorf("%d errors, want %d: %v", errs, test.errs, err)
			}
		})
	}
}

func TestReadiness(t *testing.T) {
	r := telemetry.NewReadiness()
	steps := []struct {
		name string
		do   func()
		want []string
	}{
		{"at first", func() {}, []string{}},
		{"a part is not ready", func() { r.NotReady("model", "loading") }, []string{"model: loading"}},
		{"another, in order", func() { r.NotReady("disk", "full") }, []string{"disk: full", "model: loading"}},
		{"the reason changes", func() { r.NotReady("model", "warming up") }, []string{"disk: full", "model: warming up"}},
		{"one is ready", func() { r.Ready("disk") }, []string{"model: warming up"}},
		{"ready twice", func() { r.Ready("disk") }, []string{"model: warming up"}},
		{"all are ready", func() { r.Ready("model") }, []string{}},
		{"stopping", func() { r.NotReady("service", "stopping") }, []string{"service: stopping"}},
	}
	for _, step := range steps {
		step.do()
		if got := r.Waiting(); !slices.Equal(got, step.want) {
			t.Errorf("%s: %v, want %v", step.name, got, step.want)
		}
	}
}

// One table of conditions: set ones and those of checks, the worst first.
func TestConditions(t *testing.T) {
	r := telemetry.NewReadiness()
	if got := r.Conditions(); len(got) != 0 {
		t.Errorf("at first: %v", got)
	}
	behind := edgelens.Condition{Name: "clock", Severity: edgelens.SeverityDegraded, Reason: "behind"}
	full := edgelens.Condition{Name: "disk", Severity: edgelens.SeverityUnavailable, Reason: "full"}
	slow := edgelens.Condition{Name: "kernel", Severity: edgelens.SeverityDegraded, Reason: "slow"}
	checked := []edgelens.Condition{slow}
	r.AddCheck(func() []edgelens.Condition { return checked })
	r.Set(behind)
	r.Set(full)
	if got, want := r.Conditions(), []edgelens.Condition{full, behind, slow}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := r.Waiting(); !slices.Equal(got, []string{"disk: full"}) {
		t.Errorf("waiting %v", got)
	}
	checked = nil
	r.Clear("disk")
	r.Clear("clock")
	if got := r.Conditions(); len(got) != 0 {
		t.Errorf("at the end: %v", got)
	}
}

func TestReadinessForManyGoroutines(t *testing.T) {
	r := telemetry.NewReadiness()
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for range 100 {
				r.NotReady(fmt.Sprint(g), "loading")
				r.Waiting()
				r.Ready(fmt.Sprint(g))
			}
		})
	}
	group.Wait()
	if got := r.Waiting(); len(got) != 0 {
		t.Errorf("waits for %v, want nothing", got)
	}
}

func TestBuildInfo(t *testing.T) {
	registry := telemetry.NewRegistry("v1.2.3")
	got := series(t, registry, "edgelens_build_info")
	want := fmt.Sprintf("arch=%s go=%s version=v1.2.3", runtime.GOARCH, runtime.Version())
	if got[want] != 1 || len(got) != 1 {
		t.Errorf("build info %v, want %q at 1", got, want)
	}
	for _, name := range []string{"go_goroutines", "process_open_fds"} {
		if len(series(t, registry, name)) != 1 {
			t.Errorf("%s is missing", name)
		}
	}
}

package app

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"edgelens"
	"edgelens/internal/testutil"
)

// What systemd is sent in ten minutes, where it ends a service after two without a sign of life.
func TestWatchdog(t *testing.T) {
	const timeout, duration = 2 * time.Minute, 10 * time.Minute
	busy := &edgelens.Busy{RetryAfter: time.Minute, Reason: "no slot"}
	hangs := func(ctx context.Context) error { <-ctx.Done(); return edgelens.ErrDeadline }
	for name, test := range map[string]struct {
		every time.Duration // between two recognitions that clients ask for and get; 0: none
		try   func(context.Context) error
		ended bool // by systemd
		own   bool // recognitions of its own go on after the first
		warns bool
	}{
		"idle":                         {try: func(context.Context) error { return nil }, own: true},
		"idle and slow":                {try: func(context.Context) error { time.Sleep(25 * time.Second); return nil }, own: true},
		"used":                         {every: time.Second, try: func(context.Context) error { return nil }},
		"used now and then":            {every: 100 * time.Second, try: func(context.Context) error { return nil }, own: true},
		"overloaded: own refused":      {every: 31 * time.Second, try: func(context.Context) error { return busy }, own: true, warns: true},
		"overloaded: own waits":        {every: 40 * time.Second, try: hangs, own: true, warns: true},
		"only refusals, nothing works": {try: func(context.Context) error { return busy }, ended: true, own: true, warns: true},
		"recognitions hang":            {try: hangs, ended: true, own: true, warns: true},
		"the model fails":              {try: func(context.Context) error { return edgelens.ErrInference }, ended: true, own: true, warns: true},
		"no model":                     {try: func(context.Context) error { return fmt.Errorf("x: %w", edgelens.ErrNoModel) }, own: true},
		"a model that does not load":   {try: func(context.Context) error { return edgelens.ErrModel }, own: true},
		"stopping":                     {try: func(context.Context) error { return edgelens.ErrStopping }, own: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), duration)
				defer cancel()
				var completed, tries atomic.Uint64
				if test.every > 0 {
					go func() {
						for tick := time.Tick(test.every); ; completed.Add(1) {
							select {
							case <-tick:
							case <-ctx.Done():
								return
							}
						}
					}()
				}
				last, longest := time.Now(), time.Duration(0)
				alive := func() { longest, last = max(longest, time.Since(last)), time.Now() }
				log := &testutil.LogBuffer{}
				w := watchdog{interval: timeout / watchdogChecks, completed: completed.Load, alive: alive, log: log.Logger(), try: func(ctx context.Context) error {
					tries.Add(1)
					return test.try(ctx)
				}}
				w.run(ctx)
				longest = max(longest, time.Since(last))
				if ended := longest >= timeout; ended != test.ended || (tries.Load() > 1) != test.own {
					t.Errorf("%v without a sign of life, %d own recognitions; want ended: %v, own: %v", longest, tries.Load(), test.ended, test.own)
				}
				if warned := strings.Contains(log.String(), "watchdog_check_failed"); warned != test.warns {
					t.Errorf("warned: %v\n%s", warned, log)
				}
				if !test.ended && longest > timeout*3/4 {
					t.Errorf("%v without a sign of life leaves no room on a busy machine", longest)
				}
			})
		})
	}
}

func TestTrialImages(t *testing.T) {
	at := time.Unix(1, 0)
	first, err := trialImage(at)
	if err != nil {
		t.Fatal(err)
	}
	second, err := trialImage(at.Add(time.Nanosecond))
	if err != nil || bytes.Equal(first, second) {
		t.Errorf("two times, one image: %v", err)
	}
	if size, err := jpeg.DecodeConfig(bytes.NewReader(first)); err != nil || size.Width != 640 || size.Height != 480 {
		t.Errorf("%+v, %v", size, err)
	}
}

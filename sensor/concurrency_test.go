package sensor_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"edgelens/internal/testutil"
	"edgelens/sensor"
)

// Everything at once, for the race detector; what was sent is counted, stored and delivered.
func TestUseByManyGoroutines(t *testing.T) {
	config := sensor.DefaultConfig()
	config.MaxSeries, config.Rules = 50, "defaults; odd threshold above=60 cooldown=1ms"
	kept := &store{}
	monitor, err := sensor.New(config, sensor.Parts{Store: kept, Publisher: &publisher{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running, sending, reading sync.WaitGroup
	running.Go(func() { _ = monitor.Run(ctx) })
	const senders, each = 4, 500
	for n := range senders {
		sending.Go(func() {
			for i := range each {
				if err := monitor.Receive(fmt.Sprintf("sensors/d%d/t", (i+n)%20), fmt.Appendf(nil, "%d", i%70), false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	for range 2 {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				all, err := monitor.Series("")
				if err != nil {
					t.Error(err)
				}
				for _, s := range all[:min(3, len(all))] {
					if follow, err := monitor.Subscribe([]string{s.ID}, 1); err == nil {
						_, _ = monitor.Points(s.ID, 0)
						follow.Close()
					}
				}
				monitor.Active()
				monitor.Insights()
				monitor.Status()
				monitor.Connected(true)
				time.Sleep(time.Millisecond)
			}
		})
	}
	sending.Wait()
	testutil.Eventually(t, "all points are stored", func() bool { return len(kept.saved()) == senders*each })
	close(done)
	reading.Wait()
	cancel()
	running.Wait()
	if got := monitor.Status(); got.Points != senders*each || got.Series != 20 {
		t.Errorf("%+v", got)
	}
}

package notify_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgelens"
	"edgelens/internal/notify"
	"edgelens/internal/testutil"
)

// The first event of a device waits for a page of each other device, not for all that these have.
func TestDevicesTakeTurns(t *testing.T) {
	const devices, entries = 10, 100
	o := newOutbox()
	var mu sync.Mutex
	var order []string
	s := &sink{name: "s", do: func(_ context.Context, d *edgelens.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, d.Record.Device)
		return nil
	}}
	keys := make([]string, entries)
	for n := range keys {
		keys[n] = fmt.Sprint(n)
	}
	for device := range devices {
		o.add("s", fmt.Sprint("d", device), keys...)
	}
	config := quick()
	config.Workers = 1
	start(t, o, config, s)
	testutil.Eventually(t, "all delivered", func() bool { return o.left() == 0 })
	first := map[string]int{}
	for n, device := range order {
		if _, seen := first[device]; !seen {
			first[device] = n
		}
	}
	for device, n := range first {
		if n > devices*16 {
			t.Errorf("the first event of %s was delivered after %d others", device, n)
		}
	}
}

// A receiver that was down for long gets its first event within two seconds of its return.
func TestReturnOfReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		const outage = 3 * time.Hour
		o := newOutbox()
		var delivered time.Duration
		s := &sink{name: "s", do: func(context.Context, *edgelens.Delivery) error {
			if time.Since(begun) < outage {
				return errors.New("down")
			}
			if delivered == 0 {
				delivered = time.Since(begun)
			}
			return nil
		}}
		for device := range 20 {
			o.add("s", fmt.Sprint("d", device), "1", "2")
		}
		start(t, o, notify.DefaultConfig(), s)
		time.Sleep(outage + time.Minute) // of the bubble
		synctest.Wait()
		if o.left() != 0 || delivered > outage+2*time.Second {
			t.Errorf("%d are left; the first was delivered %v after the return", o.left(), delivered-outage)
		}
	})
}

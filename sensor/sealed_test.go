package sensor_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgelens"
	"edgelens/sensor"
	"edgelens/sensor/payload"
)

// envelopes are texts: sealed DEVICE ID SECONDS PAYLOAD.
type envelopes struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (*envelopes) IsSealed(payload []byte) bool { return strings.HasPrefix(string(payload), "sealed ") }

func (e *envelopes) Open(_ context.Context, text []byte) (edgelens.Opened, error) {
	parts := strings.SplitN(string(text), " ", 5)
	seconds, err := strconv.ParseInt(parts[3], 10, 64)
	if err != nil {
		return edgelens.Opened{}, &edgelens.EnvelopeRefusal{Reason: "form", Detail: "The envelope is cut off."}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.seen[parts[2]] {
		return edgelens.Opened{}, &edgelens.EnvelopeRefusal{Reason: edgelens.EnvelopeReplay, Detail: "The envelope is a replay."}
	}
	opened := edgelens.Opened{Device: parts[1], Payload: []byte(parts[4]), Done: func(_ context.Context, processed bool) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		if parts[2] == "unsaved" {
			return errors.New("disk full")
		}
		e.seen[parts[2]] = processed
		return nil
	}}
	if seconds > 0 {
		opened.SentAt = time.Unix(seconds, 0)
	}
	return opened, nil
}

// What a device seals counts for its own series alone, once, and at the time of sealing; what must be sealed and is not is
// refused, each with a reason that is counted.
func TestSealedValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := sensor.DefaultConfig()
		config.SealedOnly = []string{"boiler*"}
		m, err := sensor.New(config, sensor.Parts{Envelopes: &envelopes{seen: map[string]bool{}}, MustSeal: func(device string) bool { return device == "F1" }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = m.Run(ctx) })
		now := time.Now()
		seal := func(device, id string, at time.Time, value string) string {
			return fmt.Sprintf("sealed %s %s %d %s", device, id, at.Unix(), value)
		}
		for _, test := range []struct {
			topic, message string
			refused        payload.Reason // "" for none
		}{
			{"sensors/boiler_1/pressure", seal("boiler_1", "a", now, "1.5"), ""},
			{"sensors/boiler_1/pressure", seal("boiler_1", "b", time.Unix(0, 0), "1.6"), ""}, // a counter
			{"sensors/boiler_1/pressure", seal("boiler_1", "c", now.Add(-time.Hour), "9"), ""},
			{"sensors/hall/temperature", "21.5", ""},
			{"sensors/hall/temperature", seal("hall", "d", now, "21.6"), ""},
			{"sensors/boiler_1/pressure", seal("boiler_1", "a", now, "1.5"), payload.Replay},
			{"sensors/boiler_1/pressure", "1.5", payload.Unsealed},
			{"sensors/F1/temperature", "20", payload.Unsealed},
			{"sensor/data", `{"device_id":"boiler_2","pressure":1}`, payload.Unsealed},
			{"sensors/boiler_1/pressure", seal("hall", "e", now, "1.5"), payload.OtherDevice},
			{"sensors/boiler_1/pressure", "sealed boiler_1 f x 1.5", payload.Envelope},
			{"sensors/boiler_1/pressure", seal("boiler_1", "unsaved", now, "1.5"), payload.Envelope},
			{"sensors/boiler_1/pressure", seal("boiler_1", "g", now, "many"), payload.NoNumber},
			{"sensors/boiler_1/pressure", "sealed " + strings.Repeat("x", 1<<20), payload.TooLarge},
		} {
			before := m.Status().Refused[string(test.refused)]
			_ = m.Receive(test.topic, []byte(test.message), false) // counted
			synctest.Wait()
			if after := m.Status().Refused[string(test.refused)]; test.refused != "" && after != before+1 {
				t.Errorf("%.60s: %d refused for %s, and %d before", test.message, after, test.refused, before)
			}
		}
		all, err := m.Series("")
		if err != nil || len(all) != 2 || all[0].Device != "boiler_1" || all[1].Device != "hall" {
			t.Fatalf("%+v, %v", all, err)
		}
		if w := all[0].Window; w.Count != 2 || w.Max != 1.6 {
			t.Errorf("an hour-old value counts, or a fresh one does not: %+v", w)
		}
		if w := all[1].Window; w.Count != 2 {
			t.Errorf("plain and sealed: %+v", w)
		}
		cancel()
		running.Wait()
	})
}

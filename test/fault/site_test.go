//go:build fault

package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgelens/internal/testutil"
	"edgelens/terminal/session"
)

// fresh is the default of terminal.fresh.
const fresh = time.Minute

// site is a service with a broker, a business server and a listener to the events. Terminals are added to it.
type site struct {
	*service
	broker   string // host:port
	business *business
	received *book // by the listener
	devices  []*device
	// deaths are when the broker was killed: records that it had acknowledged just before may be lost.
	deaths []time.Time
	key    atomic.Int64 // of the last record
}

// newSite starts one with a private broker, which has saved its subscriptions.
func newSite(t *testing.T, args ...string) *site {
	t.Helper()
	broker := testutil.FreeAddress(t)
	s := newSiteAt(t, broker, append([]string{"--mqtt-listen", broker}, args...)...)
	s.until("the subscriptions are on the broker's disk", startWithin, func() bool {
		kept, _ := os.ReadFile(filepath.Join(s.data, "mosquitto", "data", "mosquitto.db")) // perhaps not there yet
		return subscriptionsIn(kept)
	})
	return s
}

func subscriptionsIn(kept []byte) bool {
	return bytes.Contains(kept, []byte(listenerID)) && bytes.Contains(kept, []byte("mqtt/face/heartbeat"))
}

// newSiteAt starts one with the broker that args choose.
func newSiteAt(t *testing.T, broker string, args ...string) *site {
	t.Helper()
	s := &site{broker: broker, business: newBusiness(t), received: newBook()}
	s.service = newService(t, append([]string{
		"--terminal-zone", "UTC", "--webhook-records", "all", "--webhook-url", s.business.URL,
	}, args...)...)
	s.key.Store(time.Now().Unix() * 1000)
	s.start()
	s.listen()
	return s
}

// listenerID gives the listener a persistent session.
const listenerID = "the-listener"

func (s *site) listen() {
	s.t.Helper()
	s.connect(session.Config{
		ClientID: listenerID, Lasting: time.Hour, AckAtOnce: true,
		Subscriptions: []session.Subscription{{Filter: "edgelens/v1/events/#", QoS: 1}},
		OnMessage: func(m session.Message) {
			var event struct {
				ID   string
				Data delivered
			}
			err := json.Unmarshal(m.Payload, &event)
			event.Data.ID = event.ID
			s.received.add(event.Data, err)
		},
	})
}

// connect returns a connected session.
func (s *site) connect(config session.Config) *session.Session {
	s.t.Helper()
	address, err := session.ParseAddress("mqtt://"+s.broker, "")
	if err != nil {
		s.t.Fatal(err)
	}
	config.Address = address
	connection, err := session.Start(config, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = connection.Stop(ctx) // the broker may be gone
	})
	s.until(config.ClientID+" is connected", startWithin, connection.Up)
	return connection
}

var brokerUp = regexp.MustCompile(`child=mosquitto pid=(\d+)`)

// killBroker kills the private broker, by its pid in the log.
func (s *site) killBroker() {
	s.t.Helper()
	ups := brokerUp.FindAllSubmatch(s.logSince(s.life.logged), -1)
	if len(ups) == 0 {
		s.t.Fatal("the broker was never up")
	}
	pid, _ := strconv.Atoi(string(ups[len(ups)-1][1])) // digits
	s.deaths = append(s.deaths, time.Now())
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
}

// sent is the number of sent records.
func (s *site) sent() int {
	n := 0
	for _, d := range s.devices {
		n += len(d.all())
	}
	return n
}

// settle waits until both sinks have received every record, and returns the duration. Records that may be lost extend
// it only as long as any arrive; and it gives up after endWithin without any: compare reports the missing ones.
func (s *site) settle() (took time.Duration) {
	s.t.Helper()
	start, last, before := time.Now(), time.Now(), -1
	for {
		certain, perhaps := s.missing()
		if n := certain + perhaps; n != before {
			last, before = time.Now(), n
		}
		quiet := time.Since(last)
		if certain+perhaps == 0 || certain == 0 && quiet > stake || quiet > endWithin {
			return last.Sub(start)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// missing counts the records that the sinks have not received, certain or perhaps lost.
func (s *site) missing() (certain, perhaps int) {
	if all := s.sent(); s.business.count() >= all && s.received.count() >= all {
		return 0, 0
	}
	for _, d := range s.devices {
		for _, r := range d.all() {
			switch {
			case s.business.has(r.id) && s.received.has(r.id):
			case !s.business.has(r.id) && s.mayBeLost(d, &r):
				perhaps++
			default:
				certain++
			}
		}
	}
	return certain, perhaps
}

// compare checks the events of both sinks against the sent records, and returns how many records of terminals without
// acknowledgement are lost that the broker had acknowledged just before it was killed.
func (s *site) compare() (lost int) {
	s.t.Helper()
	for _, d := range s.devices {
		// A record that the broker lost can arrive nevertheless, when it was sent again much later: it is then out of
		// order.
		loose := map[string]bool{}
		var want []string
		for _, r := range d.all() {
			posted := s.business.has(r.id)
			switch {
			case s.mayBeLost(d, &r):
				loose[r.id] = true
				if !posted {
					lost++
				}
				if posted != s.received.has(r.id) {
					s.t.Errorf("%s: record %s reached only one sink", d.serial, r.id)
				}
			case posted:
				want = append(want, r.id)
			default:
				s.t.Errorf("%s: record %s, captured %v and confirmed %v, never reached the business server; the events have it: %v",
					d.serial, r.id, r.captured, r.confirmed, s.received.has(r.id))
			}
		}
		for sink, b := range map[string]*book{"business server": s.business.book, "listener": s.received} {
			got := slices.DeleteFunc(b.ids(d.serial), func(id string) bool { return loose[id] })
			if problem := inOrder(got, want); problem != "" {
				s.t.Errorf("%s, events of the %s: %s", d.serial, sink, problem)
			}
		}
	}
	for sink, b := range map[string]*book{"business server": s.business.book, "listener": s.received} {
		for _, problem := range b.errs() {
			s.t.Errorf("the %s got %s", sink, problem)
		}
	}
	return lost
}

// stake is for how long acknowledged records may not be on the broker's disk.
const stake = 2 * time.Second

// mayBeLost reports whether only the broker had a record, and was killed.
func (s *site) mayBeLost(d *device, r *sent) bool {
	if d.acked || r.confirmed.IsZero() {
		return false
	}
	for _, death := range s.deaths {
		if before := death.Sub(r.confirmed); before > -stake/4 && before < stake {
			return true
		}
	}
	return false
}

// inOrder returns how the received events differ from the expected ones.
func inOrder(got, want []string) string {
	at := map[string]int{}
	for i, id := range want {
		at[id] = i
	}
	previous := -1
	for _, id := range got {
		i, known := at[id]
		if !known {
			return fmt.Sprintf("%s, which was never sent so, or is lost for the other", id)
		}
		if i < previous {
			return fmt.Sprintf("record %d (%s) after record %d", i, id, previous)
		}
		previous = i
		delete(at, id)
	}
	if len(at) > 0 {
		return fmt.Sprintf("%d of %d, and not %v", len(got), len(want), at)
	}
	return ""
}

package simulate_test

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"edgelens"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/terminal/dialect"
	"edgelens/terminal/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// broker starts a mosquitto that stops with the test.
func broker(t testing.TB) (session.Address, *supervisetest.Mosquitto) {
	t.Helper()
	m := supervisetest.StartMosquitto(t)
	address, err := session.ParseAddress(m.OpenURL(), "")
	if err != nil {
		t.Fatal(err)
	}
	return address, m
}

// responder receives like edgelens: it decodes, answers and acknowledges, and counts the
// records.
type responder struct {
	*session.Session
	dialect dialect.Dialect
	work    chan func()

	mu        sync.Mutex
	ids       map[string]int
	malformed int
	outcomes  []dialect.Outcome
	keys      map[string][]int // of records by device, in the order of arrival
	ignore    int              // number of records that are not acknowledged
}

func respond(t testing.TB, address session.Address, d dialect.Dialect) *responder {
	t.Helper()
	r := &responder{dialect: d, work: make(chan func(), 10_000), ids: map[string]int{}, keys: map[string][]int{}}
	var working sync.WaitGroup
	working.Go(func() {
		for work := range r.work {
			work()
		}
	})
	config := session.Config{Address: address, ClientID: "responder", Lasting: time.Minute, ReceiveMaximum: 32, OnMessage: r.onMessage}
	for _, s := range d.Subscriptions() {
		config.Subscriptions = append(config.Subscriptions, session.Subscription{Filter: s.Filter, QoS: 1})
	}
	var err error
	if r.Session, err = session.Start(config, quiet); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.Stop(context.Background())
		close(r.work)
		working.Wait()
	})
	testutil.Eventually(t, "the responder is connected", r.Up)
	return r
}

func (r *responder) onMessage(m session.Message) {
	defer m.Ack()
	if _, ok := r.dialect.Match(m.Topic); !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	message, err := r.dialect.Decode(m.Topic, m.Payload, dialect.Hints{ReceivedAt: time.Now()})
	if err != nil {
		r.malformed++
		return
	}
	if message.Outcome != nil {
		r.outcomes = append(r.outcomes, *message.Outcome)
	}
	r.send(message.Answers)
	for _, entry := range message.Entries {
		sha := digest(entry.Image)
		id := edgelens.RecordID(r.dialect.Name(), message.Device, entry.Record.Kind, entry.Record.Key, sha)
		r.ids[id]++
		if n, err := strconv.Atoi(entry.Record.Person.ID); err == nil {
			r.keys[message.Device] = append(r.keys[message.Device], n)
		}
		if r.ignore > 0 {
			r.ignore--
			continue
		}
		r.send(entry.Acks)
	}
}

func (r *responder) send(messages []dialect.Outgoing) {
	for _, m := range messages {
		r.work <- func() {
			_ = r.Publish(context.Background(), session.Outgoing{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS}) // the test notices a lost answer
		}
	}
}

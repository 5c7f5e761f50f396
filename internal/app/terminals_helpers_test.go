//go:build cgo

package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/config"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/models/modeltest"
	"edgelens/recognize"
	"edgelens/terminal/dialect"
	"edgelens/terminal/fungxi"
	"edgelens/terminal/session"
)

// withTerminals gives a private broker a port of its own.
func withTerminals(t testing.TB, c *config.Config) {
	t.Helper()
	supervisetest.FindMosquitto(t)
	c.Mosquitto.Listen = testutil.FreeAddress(t)
	c.Dialects.Zone = "UTC"
	c.Recognize.Quality = recognize.QualityOff // the images of the tests are of one color, so blank
}

var fungxis = fungxi.NewSimulator(func(string) *time.Location { return time.UTC })

// peer is a client of the broker: a terminal, or a subscriber to events.
type peer struct {
	*session.Session
	t        testing.TB
	mu       sync.Mutex
	received []session.Message
}

func connect(t testing.TB, c *config.Config, name string, filters ...string) *peer {
	t.Helper()
	address, err := session.ParseAddress("mqtt://"+c.Mosquitto.Listen, "")
	if err != nil {
		t.Fatal(err)
	}
	return connectTo(t, address, name, filters...)
}

// connectTo connects to a broker. Its session is persistent: it also receives messages from while it was offline.
func connectTo(t testing.TB, address session.Address, name string, filters ...string) *peer {
	t.Helper()
	p := &peer{t: t}
	settings := session.Config{Address: address, ClientID: name, Lasting: time.Hour, OnMessage: func(m session.Message) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.received = append(p.received, m)
		m.Ack()
	}}
	for _, filter := range filters {
		settings.Subscriptions = append(settings.Subscriptions, session.Subscription{Filter: filter, QoS: 1})
	}
	var err error
	if p.Session, err = session.Start(settings, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = p.Stop(ctx) // the broker may be gone
	})
	testutil.Eventually(t, name+" is connected", p.Up)
	return p
}

// publish publishes until the broker confirms, as terminals do.
func (p *peer) publish(m dialect.Outgoing) {
	p.t.Helper()
	testutil.Eventually(p.t, "it is confirmed", func() bool {
		err := p.Publish(context.Background(), session.Outgoing{Topic: m.Topic, Payload: m.Payload, QoS: 1})
		return err == nil || errors.Is(err, session.ErrNoSubscriber)
	})
}

func (p *peer) on(topic string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var payloads []string
	for _, m := range p.received {
		if m.Topic == topic {
			payloads = append(payloads, string(m.Payload))
		}
	}
	return payloads
}

// happening is an event as a subscriber parses it.
type happening struct {
	ID   string
	Data struct {
		Outcome, Kind    string
		Passed, Replayed bool
		Record           struct{ Num string }
		Predictions      []struct{ Label string }
		Image            *struct{ SHA256, URL string }
		Cached           bool
		CapturedAt       *time.Time `json:"captured_at"`
		AgeMS            int64      `json:"age_ms"`
		ReceivedAt       time.Time  `json:"received_at"`
		Device, Reason   string
	}
}

func (p *peer) events(device string) []happening {
	p.t.Helper()
	var all []happening
	for _, payload := range p.on("edgelens/v1/events/" + device) {
		var e happening
		if err := json.Unmarshal([]byte(payload), &e); err != nil {
			p.t.Error(err)
		}
		all = append(all, e)
	}
	return all
}

// posted is the body for the reference business server.
type posted struct {
	UserID       string `json:"user_id"`
	Name         string
	Img          string
	VerifiedCode json.RawMessage `json:"verifiedCode"`
	BotTime      string          `json:"bot_time"`
	PersonType   string          `json:"personType"`
	Recognition  struct {
		ID, Device, Outcome string
		Predictions         []struct{ Label string }
	}
}

// receiver is the business server, with failure modes.
type receiver struct {
	*httptest.Server
	mode  atomic.Value // "ok", "500", "hang", "reset"
	mu    sync.Mutex
	taken []posted
	tries map[string]int // by mode
	head  http.Header
}

func newReceiver(t testing.TB, c *config.Config) *receiver {
	r := &receiver{tries: map[string]int{}}
	r.mode.Store("ok")
	hung := make(chan struct{})
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		mode := r.mode.Load().(string)
		var p posted
		body, err := io.ReadAll(request.Body)
		if err == nil {
			err = json.Unmarshal(body, &p)
		}
		r.mu.Lock()
		r.tries[mode]++
		if mode == "ok" && err == nil {
			r.taken, r.head = append(r.taken, p), request.Header
		}
		r.mu.Unlock()
		switch mode {
		case "500":
			http.Error(w, "broken", http.StatusInternalServerError)
		case "hang":
			select {
			case <-request.Context().Done():
			case <-hung:
			}
		case "reset":
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.(*net.TCPConn).SetLinger(0)
				_ = conn.Close()
			}
		}
	}))
	t.Cleanup(func() { close(hung); r.Close() })
	c.Webhook.URL = r.URL
	return r
}

func (r *receiver) all() []posted {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.taken)
}

func (r *receiver) tried(mode string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tries[mode]
}

// passed is the nth record of an admitted person, with an image of its own.
func passed(n int) (edgelens.Record, []byte) {
	names := []string{"red", "green", "blue"}
	return edgelens.Record{
		Kind: edgelens.RecordVerified, Key: strconv.Itoa(n), Passed: true, CapturedAt: time.Now(), Person: edgelens.Person{Name: "Ann"},
	}, modeltest.Image(colors[names[n%3]], 20+n%7, 20+n%11)
}

// killBroker kills the private broker of a service, by its log.
func killBroker(t testing.TB, log *output) {
	t.Helper()
	ups := regexp.MustCompile(`child=mosquitto pid=(\d+)`).FindAllStringSubmatch(log.String(), -1)
	if len(ups) == 0 {
		t.Fatal("the broker was never ready")
	}
	pid, _ := strconv.Atoi(ups[len(ups)-1][1])
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func first[A, B any](a A, _ B) A  { return a }
func second[A, B any](_ A, b B) B { return b }

func unique(all []posted) map[string]bool {
	ids := map[string]bool{}
	for _, p := range all {
		ids[p.Recognition.ID] = true
	}
	return ids
}

func numbered(n int) []string {
	var numbers []string
	for i := range n {
		numbers = append(numbers, strconv.Itoa(i))
	}
	return numbers
}

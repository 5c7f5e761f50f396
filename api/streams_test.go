package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"edgelens"
	"edgelens/api"
	"edgelens/internal/testutil"
)

// ledger has events, which can be added, and counts how often they are read.
type ledger struct {
	mu    sync.Mutex
	all   []edgelens.Event
	wakes map[chan struct{}]bool
	reads int
	err   error
}

func newLedger() *ledger { return &ledger{wakes: map[chan struct{}]bool{}} }

func (l *ledger) Events(_ context.Context, after int64, limit int) ([]edgelens.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	if l.err != nil {
		return nil, l.err
	}
	rest := l.all[min(after, int64(len(l.all))):]
	return rest[:min(limit, len(rest))], nil
}

func (l *ledger) OldestEvent(context.Context) (int64, error) { return 1, nil }

func (l *ledger) LastEvent(context.Context) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.all)), nil
}

func (l *ledger) Subscribe() (wake <-chan struct{}, cancel func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := make(chan struct{}, 1)
	l.wakes[c] = true
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.wakes, c)
	}
}

// add adds n events, and an error from then on.
func (l *ledger) add(n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		seq := int64(len(l.all) + 1)
		l.all = append(l.all, edgelens.Event{Seq: seq, Type: "job", Data: fmt.Appendf(nil, `{"n":%d}`, seq)})
	}
	l.err = err
	for wake := range l.wakes {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// streamOf is a client of the events, which it reads without the framing of HTTP.
func streamOf(t *testing.T, address, last string) connection {
	t.Helper()
	c := dial(t, address)
	if last != "" {
		last = "Last-Event-ID: " + last + "\r\n"
	}
	c.send("GET /api/events HTTP/1.1\r\nHost: localhost\r\n" + last + "\r\n")
	response, err := http.ReadResponse(c.Reader, nil)
	if err != nil || response.StatusCode != 200 {
		t.Fatal(response, err)
	}
	c.Reader = bufio.NewReader(response.Body) // it ends with the connection
	c.until(": hello")
	return c
}

// until reads up to a text.
func (c connection) until(text string) string {
	c.t.Helper()
	var got strings.Builder
	for !strings.Contains(got.String(), text) {
		line, err := c.ReadString('\n')
		if err != nil {
			c.t.Fatalf("%v after %q, want %q", err, got.String(), text)
		}
		got.WriteString(line)
	}
	return got.String()
}

// The ledger is read once for all streams, each of which has every event once and in order.
func TestStreamsShareOneReader(t *testing.T) {
	l := newLedger()
	_, address := serve(t, func(_ *api.Config, p *api.Parts) { p.Events = l })
	l.add(3, nil)
	const n, rounds, each = 40, 10, 20
	streams := make([]connection, n)
	for i := range streams {
		streams[i] = streamOf(t, address, "")
	}
	for range rounds {
		l.add(each, nil)
	}
	for _, c := range streams {
		got := c.until(fmt.Sprintf(`"n":%d}`, 3+rounds*each))
		at := 0
		for seq := 4; seq <= 3+rounds*each; seq++ {
			next := strings.Index(got[at:], fmt.Sprintf("id: %d\n", seq))
			if next < 0 {
				t.Fatalf("event %d is missing or not in order", seq)
			}
			at += next
		}
		if strings.Contains(got, "id: 3\n") || strings.Count(got, "id: 4\n") != 1 {
			t.Error("an event from before, or one twice")
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reads > 3*rounds {
		t.Errorf("the ledger was read %d times for %d batches and %d streams", l.reads, rounds, n)
	}
}

// A client that resumes gets what it has missed, also what the shared reader does not have.
func TestStreamResumes(t *testing.T) {
	l := newLedger()
	_, address := serve(t, func(_ *api.Config, p *api.Parts) { p.Events = l })
	l.add(250, nil)
	newest := streamOf(t, address, "")
	resumed := streamOf(t, address, "17")
	got := resumed.until(`"n":250}`)
	if strings.Contains(got, "id: 17\n") || strings.Count(got, "id: ") != 250-17 {
		t.Errorf("%d events, want 233 after number 17", strings.Count(got, "id: "))
	}
	l.add(2000, nil) // more than are kept
	for _, c := range []connection{newest, resumed} {
		if got := c.until(`"n":2250}`); strings.Count(got, "id: ") != 2000 {
			t.Errorf("%d events, want 2000", strings.Count(got, "id: "))
		}
	}
}

// Streams end where the ledger cannot be read: their clients resume.
func TestStreamsEndWithTheLedger(t *testing.T) {
	l := newLedger()
	_, address := serve(t, func(_ *api.Config, p *api.Parts) { p.Events = l })
	c := streamOf(t, address, "")
	l.add(1, edgelens.ErrStorage)
	if _, err := io.Copy(io.Discard, c.Reader); err != nil {
		t.Errorf("its end: %v", err)
	}
	l.add(0, nil)
	if got := streamOf(t, address, "0").until(`"n":1}`); !strings.Contains(got, "id: 1\n") {
		t.Errorf("resumed: %q", got)
	}
}

// A client has a number of streams, and more once it closes some.
func TestStreamLimit(t *testing.T) {
	_, address := serve(t, func(_ *api.Config, p *api.Parts) { p.Events = newLedger() })
	var all []connection
	for range 64 {
		all = append(all, streamOf(t, address, ""))
	}
	ask := func() (int, string) {
		c := dial(t, address)
		c.send("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		line, err := c.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, " 200 ") {
			return 200, ""
		}
		response, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader(line), c.Reader)), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	if status, body := ask(); status != 503 || !strings.Contains(body, "64 event streams") {
		t.Errorf("got %d %s", status, body)
	}
	if err := all[0].SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := all[0].TCPConn.Close(); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, "one may open another", func() bool { status, _ := ask(); return status == 200 })
}

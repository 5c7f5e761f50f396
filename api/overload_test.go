package api_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"edgelens"
	"edgelens/api"
	"edgelens/internal/testutil"
)

// head begins a request for a recognition with a body of that length.
func head(length int) string {
	return fmt.Sprintf("POST /api/recognize HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", length)
}

// Clients that claim large bodies and send next to nothing take next to no memory from others.
func TestClaimedBodiesTakeNoMemory(t *testing.T) {
	_, address := serve(t, nil) // 192 MiB
	for range 40 {
		c := dial(t, address)
		c.send(head(20 << 20))
		c.send("\xff\xd8\xff")
	}
	for range 5 {
		c := dial(t, address)
		c.send(head(300<<10) + strings.Repeat("x", 300<<10))
		if response, body := c.answer("POST"); response.StatusCode != 200 {
			t.Fatalf("got %v %s", response, body)
		}
	}
}

// Where large bodies have used up the memory, small ones and calls about devices still get in,
// and an upload that has stalled makes way for the next.
func TestSmallBodiesGetIn(t *testing.T) {
	const large = 1 << 20
	s, address := serve(t, func(c *api.Config, _ *api.Parts) {
		c.MaxImageBytes, c.MaxUploadBytes = large, 3<<20
	})
	arrive := func(bytes int) connection {
		c := dial(t, address)
		c.send(head(large) + strings.Repeat("x", bytes))
		return c
	}
	stalled := []connection{arrive(large - 1), arrive(large - 1)} // a third does not fit beside the floor
	testutil.Eventually(t, "both have arrived", func() bool { return s.uploading() >= 2*large })
	if response, _ := arrive(large).answer("POST"); response.StatusCode != 503 || response.Header.Get("Retry-After") == "" {
		t.Errorf("a third large one: %v, want it refused", response)
	}
	small := dial(t, address)
	small.send(head(1000) + strings.Repeat("x", 1000))
	if response, body := small.answer("POST"); response.StatusCode != 200 {
		t.Errorf("a small one: %v %s", response, body)
	}
	small.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
	if response, body := small.answer("POST"); response.StatusCode == 503 {
		t.Errorf("a command: %v %s", response, body)
	}
	testutil.Eventually(t, "the stalled ones make way", func() bool {
		response, _ := arrive(large).answer("POST")
		return response.StatusCode == 200
	})
	cut := 0
	for _, c := range stalled {
		if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if response, err := http.ReadResponse(c.Reader, nil); err == nil && response.StatusCode == 503 {
			cut++
		}
	}
	if cut == 0 {
		t.Error("neither of the stalled uploads was answered by 503")
	}
}

// uploading is how many bytes are reserved.
func (s *server) uploading() float64 {
	return testutil.Metrics(s.t, s.metrics)["edgelens_uploads_in_memory_bytes"]
}

// withGrace serves with a shorter time in which a body may arrive slowly.
func withGrace(grace time.Duration) func(*api.Server, net.Listener) error {
	return func(s *api.Server, l net.Listener) error {
		s.SetUploadGrace(grace)
		return s.Serve(l)
	}
}

// A body that arrives too slowly is given up, with a sentence.
func TestSlowBody(t *testing.T) {
	_, address := serveBy(t, withGrace(200*time.Millisecond), nil)
	c := dial(t, address)
	c.send(head(100_000) + "\xff\xd8\xff")
	response, body := c.answer("POST")
	if response.StatusCode != 408 || !strings.Contains(body, "upload_too_slow") || !strings.Contains(body, "too slowly") || !response.Close {
		t.Errorf("got %v %s", response, body)
	}
	c.closed(5 * time.Second)

	steady := dial(t, address)
	steady.send(head(50_000))
	for range 10 { // half a second, at 100 kB a second
		steady.send(strings.Repeat("x", 5000))
		time.Sleep(50 * time.Millisecond) // the pace is what is tested
	}
	if response, body := steady.answer("POST"); response.StatusCode != 200 {
		t.Errorf("at a sufficient rate: %v %s", response, body)
	}
}

// After its body was read, a request may take longer than a slow body may.
func TestGraceEndsWithBody(t *testing.T) {
	g := newGate()
	_, address := serveBy(t, withGrace(100*time.Millisecond), func(_ *api.Config, p *api.Parts) { p.Recognizer = g })
	c := dial(t, address)
	c.send(recognizeByHand)
	<-g.entered
	time.Sleep(300 * time.Millisecond) // beyond the grace
	close(g.open)
	if response, body := c.answer("POST"); response.StatusCode != 200 {
		t.Errorf("got %v %s", response, body)
	}
}

// refusing is an admission that refuses everything, and counts.
type refusing struct {
	calls atomic.Int64
	err   error
}

func (r *refusing) Refusal(time.Duration) error { r.calls.Add(1); return r.err }

// What could not be answered in time is refused before its body is read. The connection can be used again where the
// body is small.
func TestRefusedBeforeReading(t *testing.T) {
	admission := &refusing{err: &edgelens.Busy{RetryAfter: 3 * time.Second, Reason: "a crowd"}}
	s, address := serve(t, func(_ *api.Config, p *api.Parts) { p.Admission = admission })
	c := dial(t, address)
	for range 3 {
		c.send(recognizeByHand)
		response, body := c.answer("POST")
		if again := response.Header.Get("Retry-After"); response.StatusCode != 503 || again < "3" || again > "6" || !strings.Contains(body, `"busy"`) {
			t.Errorf("got %v %s", response, body)
		}
	}
	c.send(head(10 << 20)) // and no body
	if response, _ := c.answer("POST"); response.StatusCode != 503 || !response.Close {
		t.Errorf("a large one: %v", response)
	}
	if s.recognizer.last != nil {
		t.Error("it was recognized")
	}
	before := admission.calls.Load()
	job := dial(t, address)
	job.send("POST /api/recognize HTTP/1.1\r\nHost: localhost\r\nPrefer: respond-async\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")
	if response, body := job.answer("POST"); response.StatusCode != 400 || admission.calls.Load() != before {
		t.Errorf("a job: %v %s", response, body)
	}
	if lines := strings.Count(s.log.String(), "refused because of the load"); lines < 1 || lines > 3 {
		t.Errorf("%d lines about refusals, want one a second:\n%s", lines, s.log)
	}
	if n := testutil.Metrics(t, s.metrics)["edgelens_http_refusals_total admission"]; n != 4 {
		t.Errorf("%v refusals counted, want 4", n)
	}
}

// When the service stops, an upload is answered at once, and a client that does not read holds up
// nothing.
func TestStopWithUploads(t *testing.T) {
	s := newServer(t, func(c *api.Config, p *api.Parts) { c.Listen, p.Events = "127.0.0.1:0", happened(nil) })
	l, err := s.built.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.built.Serve(l) }()
	address := l.Addr().String()
	half := dial(t, address)
	half.send(head(10<<20) + "\xff\xd8\xff")
	slow := dial(t, address)
	slow.send("POST /api/recogn") // its headers do not end
	idle := dial(t, address)
	idle.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	idle.answer("GET")
	stream := dial(t, address)
	stream.send("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if line, err := stream.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("%q, %v", line, err)
	}
	testutil.Eventually(t, "the upload is read", func() bool { return s.uploading() > 0 })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	begun := time.Now()
	if err := errors.Join(s.built.Shutdown(ctx), <-ended); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if response, body := half.answer("POST"); response.StatusCode != 503 || response.Header.Get("Retry-After") == "" || !response.Close {
		t.Errorf("the upload: %v %s", response, body)
	}
	slow.closed(time.Second)
	idle.closed(time.Second)
	if _, err := io.Copy(io.Discard, stream.Reader); err != nil {
		t.Errorf("the stream: %v", err)
	}
}

// withConnections serves with another limit of connections.
func withConnections(n int) func(*api.Server, net.Listener) error {
	return func(s *api.Server, l net.Listener) error {
		s.SetMaxConnections(n)
		return s.Serve(l)
	}
}

// A full table of connections closes the one that is idle for the longest time; where none is, a client
// is told.
func TestConnectionLimit(t *testing.T) {
	g := newGate()
	_, address := serveBy(t, withConnections(0), func(_ *api.Config, p *api.Parts) { p.Recognizer = g })
	const limit = 16 // for this machine alone
	var all []connection
	for range limit {
		c := dial(t, address)
		c.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		c.answer("GET")
		all = append(all, c)
	}
	for range limit {
		c := dial(t, address)
		c.send(recognizeByHand)
		<-g.entered
		all = append(all, c)
	}
	for _, c := range all[:limit] {
		c.closed(5 * time.Second)
	}
	refused := dial(t, address)
	refused.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if response, body := refused.answer("GET"); response.StatusCode != 503 || response.Header.Get("Retry-After") == "" || !strings.Contains(body, "connections") {
		t.Errorf("got %v %s", response, body)
	}
	close(g.open)
	for _, c := range all[limit:] {
		if response, body := c.answer("POST"); response.StatusCode != 200 {
			t.Errorf("got %v %s", response, body)
		}
	}
	again := dial(t, address)
	again.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if response, _ := again.answer("GET"); response.StatusCode != 200 {
		t.Errorf("then: %v", response)
	}
}

// Each address has its own limit, of which this machine is excepted.
func TestConnectionsOfAnAddress(t *testing.T) {
	own, g := ownAddress(t), newGate()
	s, address := serveBy(t, withConnections(100), func(c *api.Config, p *api.Parts) {
		c.Listen, c.MaxConnectionsPerAddress, p.Recognizer = "0.0.0.0:0", 2, g
	})
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	get := func(c connection) int {
		c.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		response, _ := c.answer("GET")
		return response.StatusCode
	}
	for range 3 {
		if status := get(dial(t, net.JoinHostPort("127.0.0.1", port))); status != 200 {
			t.Errorf("this machine: %d", status)
		}
	}
	outside := net.JoinHostPort(own, port)
	first, second := dial(t, outside), dial(t, outside)
	for _, c := range []connection{first, second} {
		c.send(recognizeByHand)
		<-g.entered
	}
	if status := get(dial(t, outside)); status != 503 {
		t.Errorf("a third: %d, want it refused while both others have a request", status)
	}
	close(g.open)
	for _, c := range []connection{first, second} {
		if response, body := c.answer("POST"); response.StatusCode != 200 {
			t.Errorf("got %v %s", response, body)
		}
		if status := get(c); status != 200 { // so the first one is idle for longer
			t.Errorf("got %d", status)
		}
	}
	if status := get(dial(t, outside)); status != 200 {
		t.Errorf("instead of one that is idle: %d", status)
	}
	open := 0
	for _, c := range []connection{first, second} {
		if _, err := io.WriteString(c.TCPConn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			continue
		}
		if _, err := http.ReadResponse(c.Reader, nil); err == nil {
			open++
		}
	}
	if open != 1 {
		t.Errorf("%d of the others are open, want one", open)
	}
	if n := testutil.Metrics(t, s.metrics)["edgelens_http_refusals_total address"]; n != 1 {
		t.Errorf("%v refusals counted, want 1", n)
	}
}

// ownAddress is an IPv4 address of this machine other than the loopback one.
func ownAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && !network.IP.IsLoopback() && network.IP.To4() != nil {
			return network.IP.String()
		}
	}
	t.Skip("this machine has the loopback address alone")
	return ""
}

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

// A request whose end two readers could see at different places ends its connection: what follows is not taken for
// another request.
func TestSmuggling(t *testing.T) {
	const hidden = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	const chunked = "5\r\n12345\r\n0\r\n\r\n"
	for name, c := range map[string]struct{ version, headers, body string }{
		"length, then chunked":       {"1.1", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunked},
		"chunked, then length":       {"1.1", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunked},
		"chunked in capitals":        {"1.1", "Content-Length: 5\r\nTransfer-Encoding: CHUNKED\r\n", chunked},
		"chunked twice":              {"1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunked},
		"chunked with another":       {"1.1", "Transfer-Encoding: gzip, chunked\r\n", chunked},
		"chunked with a blank":       {"1.1", "Content-Length: 5\r\nTransfer-Encoding : chunked\r\n", chunked},
		"chunked after a tab":        {"1.1", "Content-Length: 5\r\nTransfer-Encoding:\tchunked\r\n", chunked},
		"chunked in quotes":          {"1.1", "Content-Length: 5\r\nTransfer-Encoding: \"chunked\"\r\n", chunked},
		"chunked on a further line":  {"1.1", "Content-Length: 5\r\nTransfer-Encoding:\r\n chunked\r\n", chunked},
		"an unknown coding":          {"1.1", "Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n", chunked},
		"two lengths":                {"1.1", "Content-Length: 5\r\nContent-Length: 6\r\n", "12345"},
		"a length with a sign":       {"1.1", "Content-Length: +5\r\n", "12345"},
		"a length that is negative":  {"1.1", "Content-Length: -5\r\n", "12345"},
		"a length in a list":         {"1.1", "Content-Length: 5, 6\r\n", "12345"},
		"chunked in HTTP/1.0":        {"1.0", "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", "12345"},
		"a chunk's length is signed": {"1.1", "Transfer-Encoding: chunked\r\n", "+5\r\n12345\r\n0\r\n\r\n"},
		"a chunk ends by a newline":  {"1.1", "Transfer-Encoding: chunked\r\n", "5\r\n12345\n0\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, address := serve(t, nil)
			client := dial(t, address)
			client.send("POST /api/recognize HTTP/" + c.version + "\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n" + c.headers + "\r\n" + c.body + hidden)
			got, err := io.ReadAll(client.Reader)
			if err != nil && !errors.Is(err, net.ErrClosed) && isTimeout(err) {
				t.Errorf("the connection stays open: %v", err)
			}
			if n := bytes.Count(got, []byte("HTTP/1.1 ")) + bytes.Count(got, []byte("HTTP/1.0 ")); n != 1 || bytes.Contains(got, []byte(`"status":"ok"`)) {
				t.Errorf("%d responses:\n%s", n, got)
			}
		})
	}
}

// benchServer starts a server with that admission.
func benchServer(b *testing.B, admission api.Admission) (address string, stop func()) {
	b.Helper()
	registry := prometheus.NewRegistry()
	config := api.DefaultConfig()
	config.Listen = "127.0.0.1:0"
	s, err := api.New(config, api.Parts{
		Recognizer: &recognizer{}, Readiness: waiting(nil), Events: happened(nil), Admission: admission,
		Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), Registerer: registry, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	l, err := s.Listen()
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	return l.Addr().String(), func() {
		if err := errors.Join(s.Shutdown(context.Background()), <-ended); err != nil {
			b.Error(err)
		}
	}
}

// What a refusal costs, on a kept connection: run with -benchmem, and -cpuprofile.
func BenchmarkRefusedRequest(b *testing.B) {
	for _, size := range []int{100, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			admission := &refusing{err: &edgelens.Busy{RetryAfter: 3 * time.Second, Reason: "a crowd"}}
			address, stop := benchServer(b, admission)
			defer stop()
			c, err := net.Dial("tcp", address)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			request := []byte(head(size) + strings.Repeat("x", size))
			reader := bufio.NewReader(c)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(request); err != nil {
					b.Fatal(err)
				}
				response, err := http.ReadResponse(reader, nil)
				if err != nil || response.StatusCode != 503 {
					b.Fatal(response, err)
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

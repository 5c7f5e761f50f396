package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
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

// refusing is an admission that refuses everything, and counts.
type refusing struct {
	calls atomic.Int64
	err   error
}

func (r *refusing) Admit(time.Duration) (arrived func(), err error) {
	r.calls.Add(1)
	return func() {}, r.err
}

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

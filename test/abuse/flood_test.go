package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"edgelens/benchmarks/load"
	"edgelens/internal/testutil"
)

// trial is a flood against a server: so many requests, all due at the same time unless every is set.
type trial struct {
	address           string
	clients, requests int
	every, timeout    time.Duration
	body              []byte
}

func (a trial) run(t *testing.T) map[string]int {
	t.Helper()
	r, err := a.flood(t.Context())
	if err != nil || len(r.Samples) != a.requests {
		t.Fatalf("%d samples of %d, %v", len(r.Samples), a.requests, err)
	}
	statuses := map[string]int{}
	for _, s := range r.Samples {
		statuses[s.Status]++
		if s.Due > s.Sent || s.Sent > s.Done {
			t.Errorf("%+v", s)
		}
	}
	if int(r.Latency.TotalCount()) != statuses[load.Good] {
		t.Errorf("%d latencies, %v", r.Latency.TotalCount(), statuses)
	}
	return statuses
}

func (a trial) flood(ctx context.Context) (*load.Result, error) {
	if a.timeout == 0 {
		a.timeout = 10 * time.Second
	}
	schedule := make([]time.Duration, a.requests)
	for i := range schedule {
		schedule[i] = time.Duration(i) * a.every
	}
	c := &client{address: a.address, key: "k"}
	serial := 0
	return flood(ctx, a.address, a.clients, a.timeout, schedule, time.Second, func() [][]byte {
		serial++
		return c.request("POST", "/path", "X-N: "+strconv.Itoa(serial)+"\r\n", a.body, []byte(strconv.Itoa(serial)))
	})
}

// site is a server that counts its connections, by their addresses.
type site struct {
	address     string
	mu          sync.Mutex
	connections map[string]int
}

// from is how many connections came from each address.
func (s *site) from() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.connections)
}

func siteOf(t *testing.T, handler http.HandlerFunc) *site {
	t.Helper()
	s := &site{connections: map[string]int{}}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateNew {
			host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
			s.mu.Lock()
			defer s.mu.Unlock()
			s.connections[host]++
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	s.address = server.Listener.Addr().String()
	return s
}

// Requests arrive as they are meant, on connections that are kept and all used.
func TestFlood(t *testing.T) {
	var wrong atomic.Int32
	s := siteOf(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		number := r.Header.Get("X-N")
		if string(body) != "salt"+number || r.URL.Path != "/path" || r.Header.Get("Authorization") != "Bearer k" {
			wrong.Add(1)
		}
		if n, _ := strconv.Atoi(number); n%5 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, "answer")
	})
	r, err := trial{address: s.address, clients: 5, requests: 50, every: 2 * time.Millisecond, body: []byte("salt")}.flood(t.Context())
	if err != nil || wrong.Load() != 0 {
		t.Fatal(err, wrong.Load())
	}
	statuses, workers := map[string]int{}, map[int]int{}
	for _, sample := range r.Samples {
		statuses[sample.Status]++
		workers[sample.Worker]++
	}
	if statuses[load.Good] != 40 || statuses["503"] != 10 || len(statuses) != 2 || r.Window != time.Second {
		t.Errorf("%v", statuses)
	}
	for n := range 5 {
		if s.from()[addressOf(n).String()] != 1 || workers[n] < 5 {
			t.Errorf("client %d: %d requests; connections %v", n, workers[n], s.from())
		}
	}
}

// A client beyond the bound is opened only for a request that has no other.
func TestFloodOpensConnectionsWhenNeeded(t *testing.T) {
	s := siteOf(t, func(http.ResponseWriter, *http.Request) {})
	if statuses := (trial{address: s.address, clients: 100, requests: 3}).run(t); statuses[load.Good] != 3 {
		t.Errorf("%v", statuses)
	}
	if len(s.from()) != 3 {
		t.Errorf("%v", s.from())
	}
}

func TestFloodConnectsAgain(t *testing.T) {
	s := siteOf(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	if statuses := (trial{address: s.address, clients: 2, requests: 20}).run(t); statuses[load.Good] != 20 {
		t.Errorf("%v", statuses)
	}
	if s.from()[addressOf(0).String()]+s.from()[addressOf(1).String()] != 20 {
		t.Errorf("%v", s.from())
	}
}

// rawServer serves each connection by a function, and closes it then.
func rawServer(t *testing.T, serve func(conn net.Conn, in *bufio.Reader)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	t.Cleanup(group.Wait)
	t.Cleanup(func() { _ = listener.Close() })
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer conn.Close()
				serve(conn, bufio.NewReader(conn))
			})
		}
	})
	return listener.Addr().String()
}

// readRequest reads a whole request, and reports whether there was one.
func readRequest(in *bufio.Reader) bool {
	r, err := http.ReadRequest(in)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r.Body)
	return err == nil
}

const emptyAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

func TestFloodOfClosedConnections(t *testing.T) {
	for name, c := range map[string]struct {
		every time.Duration
		serve func(conn net.Conn, in *bufio.Reader)
		want  string
	}{
		"idle": {5 * time.Millisecond, func(conn net.Conn, in *bufio.Reader) {
			readRequest(in)
			_, _ = io.WriteString(conn, emptyAnswer)
		}, load.Good},
		"with the next request": {0, func(conn net.Conn, in *bufio.Reader) {
			readRequest(in)
			_, _ = io.WriteString(conn, emptyAnswer)
			readRequest(in)
		}, load.Good},
		"without an answer":       {0, func(_ net.Conn, in *bufio.Reader) { readRequest(in) }, "no answer"},
		"at once":                 {0, func(net.Conn, *bufio.Reader) {}, "no answer"},
		"in the middle of a head": {0, func(conn net.Conn, in *bufio.Reader) { readRequest(in); _, _ = io.WriteString(conn, emptyAnswer[:30]) }, "no answer"},
		"in the middle of a body": {0, func(conn net.Conn, in *bufio.Reader) {
			readRequest(in)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody")
		}, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			statuses := trial{address: rawServer(t, c.serve), clients: 1, requests: 8, every: c.every}.run(t)
			if statuses[c.want] != 8 {
				t.Errorf("%v", statuses)
			}
		})
	}
}

// Requests that find no client free wait, and their latency counts the wait.
func TestFloodWaitsForFreeClient(t *testing.T) {
	var now, most atomic.Int32
	s := siteOf(t, func(http.ResponseWriter, *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(20 * time.Millisecond) // the work
		now.Add(-1)
	})
	r, err := trial{address: s.address, clients: 2, requests: 8}.flood(t.Context())
	if err != nil || most.Load() != 2 || len(s.from()) != 2 || r.Latency.TotalCount() != 8 {
		t.Fatal(err, most.Load(), s.from())
	}
	if last := r.Samples[7]; last.Done < 80*time.Millisecond || last.Sent < 60*time.Millisecond || r.Latency.Max() < 80_000 {
		t.Errorf("%+v", last)
	}
}

// A body that the kernel does not take at once arrives whole.
func TestFloodSendsLargeBodies(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 64<<10) // 1 MB
	s := siteOf(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ := io.ReadAll(r.Body)
		if !bytes.Equal(got, append(slices.Clip(body), r.Header.Get("X-N")...)) {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	if statuses := (trial{address: s.address, clients: 2, requests: 4, body: body}).run(t); statuses[load.Good] != 4 {
		t.Errorf("%v", statuses)
	}
}

// An answer before the end of the request counts, and its client goes on.
func TestFloodReceivesEarlyAnswer(t *testing.T) {
	const early = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 2\r\n%s\r\nno"
	for name, serve := range map[string]func(conn net.Conn, in *bufio.Reader){
		"and the server reads on": func(conn net.Conn, in *bufio.Reader) {
			for {
				r, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				fmt.Fprintf(conn, early, "")
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					return
				}
			}
		},
		"and the server reads no more": func(conn net.Conn, in *bufio.Reader) {
			if _, err := http.ReadRequest(in); err == nil {
				fmt.Fprintf(conn, early, "")
				time.Sleep(5 * writeGrace) // the client gives up
			}
		},
		"and the server closes": func(conn net.Conn, in *bufio.Reader) {
			if _, err := http.ReadRequest(in); err == nil {
				fmt.Fprintf(conn, early, "Connection: close\r\n")
				_ = conn.(*net.TCPConn).CloseWrite()
				time.Sleep(writeGrace) // as net/http does, so that the answer is not lost
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			statuses := trial{address: rawServer(t, serve), clients: 2, requests: 6, body: make([]byte, 12<<20)}.run(t)
			if statuses["503"] != 6 {
				t.Errorf("%v", statuses)
			}
		})
	}
}

func TestFloodReadsAnswerInPieces(t *testing.T) {
	whole := "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + strings.Repeat("x", 100_000)
	address := rawServer(t, func(conn net.Conn, in *bufio.Reader) {
		for readRequest(in) {
			for i := range 70 {
				_, _ = io.WriteString(conn, whole[i:i+1])
			}
			_, _ = io.WriteString(conn, whole[70:])
		}
	})
	if statuses := (trial{address: address, clients: 1, requests: 5}).run(t); statuses[load.Good] != 5 {
		t.Errorf("%v", statuses)
	}
}

func TestFloodErrors(t *testing.T) {
	garbage := rawServer(t, func(conn net.Conn, in *bufio.Reader) {
		readRequest(in)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
		_, _ = in.ReadByte() // the client closes it
	})
	silent := rawServer(t, func(_ net.Conn, in *bufio.Reader) { _, _ = io.Copy(io.Discard, in) })
	for name, c := range map[string]struct{ address, want string }{
		"nothing listens":  {testutil.FreeAddress(t), "no connection"},
		"another encoding": {garbage, "bad answer"},
		"no answer":        {silent, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			statuses := trial{address: c.address, clients: 2, requests: 4, timeout: 50 * time.Millisecond}.run(t)
			if statuses[c.want] != 4 {
				t.Errorf("%v", statuses)
			}
		})
	}
	if _, err := (trial{address: "localhost:1", clients: 1}).flood(t.Context()); err == nil {
		t.Error("a name is no address")
	}
}

// An interrupt ends a flood that waits for answers or for the next request, and no descriptor is left.
func TestFloodEndsWithContext(t *testing.T) {
	silent := rawServer(t, func(_ net.Conn, in *bufio.Reader) { _, _ = io.Copy(io.Discard, in) })
	before := descriptors(t)
	for _, a := range []trial{{clients: 3, requests: 5}, {clients: 3, requests: 5, every: time.Hour}, {clients: 3, requests: 5, body: make([]byte, 40<<20)}} {
		a.address = silent
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		r, err := a.flood(ctx)
		cancel()
		if !load.IsInterrupt(err) || len(r.Samples) != 0 {
			t.Errorf("%v, %+v", err, r)
		}
	}
	if after := descriptors(t); slices.Compare(after, before) != 0 {
		testutil.Eventually(t, "the server's end of the connections is closed", func() bool { return len(descriptors(t)) == len(before) })
	}
}

func descriptors(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// When an answer has arrived is the kernel's word, however late it is read.
func TestVisitorNotesArrival(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(epoll)
	v := visitor{from: netip.MustParseAddr("127.0.0.1"), fd: -1}
	defer v.close()
	if err := v.open(epoll, netip.MustParseAddrPort(listener.Addr().String())); err != nil {
		t.Fatal(err)
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var before, written time.Time
	testutil.Eventually(t, "the kernel notes times, as it does a moment after the first connection that wants them", func() bool {
		before = time.Now()
		if _, err := io.WriteString(conn, emptyAnswer); err != nil {
			t.Fatal(err)
		}
		written = time.Now()              // over loopback, it has arrived then
		time.Sleep(20 * time.Millisecond) // the delay that must not count
		if n, err := v.read(make([]byte, 1000)); err != nil || n != len(emptyAnswer) {
			t.Fatal(n, err)
		}
		return !v.arrived.IsZero()
	})
	const tolerated = 5 * time.Millisecond // of the two clocks
	if v.arrived.Before(before.Add(-tolerated)) || v.arrived.After(written.Add(tolerated)) {
		t.Errorf("arrived at %v, want between %v and %v", v.arrived, before, written)
	}
}

func TestParseHead(t *testing.T) {
	for text, want := range map[string]answerHead{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc":                                    {200, 41, true},
		"HTTP/1.1 503\r\ncontent-LENGTH:\t0 \r\nRetry-After: 1\r\nCONNECTION: Close\r\n\r\n": {503, 71, false},
		"HTTP/1.1 204 \r\n\r\n": {204, 17, true},
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 \r\n\r\nHTTP/1.1 400 No\r\nContent-Length: 9\r\n\r\n": {400, 89, true},
	} {
		if got, err := parseHead([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 20 OK\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 2000\r\nContent-Length: 3\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nno header\r\n\r\n", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 101 Switching\r\n\r\n",
		"HTTP/1.1 099 No\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 600 No\r\nContent-Length: 3\r\n\r\n", "garbage\r\n\r\n", "\r\n\r\n", strings.Repeat("x", maxHead+1),
	} {
		if got, err := parseHead([]byte(text)); err == nil || class(err) != "bad answer" {
			t.Errorf("%.80q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n"} {
		if _, err := parseHead([]byte(text)); class(err) != errIncomplete.Error() {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What a flood accepts, net/http reads alike.
func FuzzParseHead(f *testing.F) {
	for _, text := range []string{emptyAnswer, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", "HTTP/1.1 204 \r\n\r\n", "x"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		head, err := parseHead(data)
		if err != nil || head.length > len(data) {
			return
		}
		in := bufio.NewReader(bytes.NewReader(data[:head.length]))
		for {
			r, err := http.ReadResponse(in, nil)
			if err != nil {
				return // stricter, which is no error of the service's
			}
			if r.StatusCode < 200 {
				continue
			}
			body, err := io.ReadAll(r.Body)
			if rest, _ := io.ReadAll(in); err != nil || r.StatusCode != head.status || len(rest) > 0 || len(body) != int(max(0, r.ContentLength)) {
				t.Fatalf("%+v, but net/http reads %d, %d bytes, %v; %d are left", head, r.StatusCode, len(body), err, len(rest))
			}
			return
		}
	})
}

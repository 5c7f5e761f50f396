package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edgelens/benchmarks/hostile"
	"edgelens/benchmarks/load"
	"edgelens/internal/testutil"
)

// clientOf is a client of a test server.
func clientOf(t *testing.T, handler http.HandlerFunc) *client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c := &client{address: server.Listener.Addr().String(), timeout: 10 * time.Second}
	t.Cleanup(c.close)
	return c
}

func TestClientSendsAndReceives(t *testing.T) {
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization") + " " + r.Header.Get("X-A") + " " + string(body)))
	})
	c.key = "k"
	for range 3 { // on one connection
		a, err := c.do(t.Context(), "POST", "/path", "X-A: b\r\n", []byte("one"), []byte("two"))
		if err != nil || a.status != 503 || a.retryAfter != 3*time.Second || string(a.body) != "POST /path Bearer k b onetwo" {
			t.Fatalf("%+v, %v", a, err)
		}
	}
}

// A server may answer before it has read the body: that answer counts, and the next request works.
func TestClientReceivesEarlyAnswer(t *testing.T) {
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 1000 {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})
	for range 3 {
		if a, err := c.do(t.Context(), "POST", "/", "", make([]byte, 30<<20)); err != nil || a.status != 413 {
			t.Fatalf("%+v, %v", a, err)
		}
		if a, err := c.do(t.Context(), "POST", "/", "", []byte("x")); err != nil || a.status != 200 {
			t.Fatalf("%+v, %v", a, err)
		}
	}
}

// An idle connection that the server has closed is no failure of the service.
func TestClientConnectsAgain(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() { // one answer for each connection
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
			_ = conn.Close()
		}
	}()
	c := &client{address: listener.Addr().String(), timeout: 10 * time.Second}
	defer c.close()
	for range 3 {
		if a, err := c.do(t.Context(), "GET", "/", ""); err != nil || a.status != 200 {
			t.Fatalf("%+v, %v", a, err)
		}
	}
}

func TestClientErrors(t *testing.T) {
	c := &client{address: testutil.FreeAddress(t), timeout: 10 * time.Second}
	if _, err := c.do(t.Context(), "GET", "/", ""); !errors.Is(err, errNoConnection) {
		t.Errorf("without a server: %v", err)
	}
	dropped := clientOf(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := dropped.do(t.Context(), "GET", "/", ""); !errors.Is(err, errNoAnswer) {
		t.Errorf("a closed connection: %v", err)
	}
	hanging := clientOf(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	hanging.timeout = 50 * time.Millisecond
	if _, err := hanging.do(t.Context(), "GET", "/", ""); !errors.Is(err, errTimeout) {
		t.Errorf("no answer in time: %v", err)
	}
}

func TestWholeRequestMayBeClosed(t *testing.T) {
	c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for request, status := range map[string]int{"GET / HTTP/1.1\r\nHost: a\r\n\r\n": 418, "GET / HTTP/1.1\r\nHo": 0, "": 0} {
		a, err := c.whole(t.Context(), []byte(request))
		if err != nil || a.status != status && (status != 0 || a.status < 400) {
			t.Errorf("%q: %+v, %v", request, a, err)
		}
	}
}

// The request of every light input arrives as it is meant.
func TestRequestsOfInputs(t *testing.T) {
	bodies := make(chan []byte, 1)
	c := clientOf(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- body
	})
	tried := 0
	for input := range hostile.Inputs(1, 1) {
		if input.Heavy || input.Request {
			continue
		}
		data := input.Bytes()
		if len(data) > 1<<20 {
			continue // no other code sends it
		}
		a, err := c.send(t.Context(), built{input, data}.request(c, 7))
		want := data
		if strings.HasPrefix(input.ContentType, "image/") && input.Chunk == 0 && len(data) > 2 {
			want = join(hostile.Salted(data, 7))
		}
		if err != nil || a.status != 200 {
			t.Fatalf("%s: %+v, %v", input.Name, a, err)
		}
		if body := <-bodies; !bytes.Equal(body, want) {
			t.Fatalf("%s: %d of %d bytes arrived", input.Name, len(body), len(want))
		}
		tried++
	}
	if tried < 100 {
		t.Errorf("%d inputs", tried)
	}
}

func TestBombsExist(t *testing.T) {
	var names []string
	for input := range hostile.Inputs(1, 0) {
		if input.Heavy {
			names = append(names, input.Name)
		}
	}
	for _, name := range bombNames {
		if !slices.Contains(names, name) {
			t.Errorf("there is no heavy input %s", name)
		}
	}
}

func TestHoldEndsWithTheConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(conn, make([]byte, 3))
			_ = conn.Close()
		}
	}()
	c := &client{address: listener.Addr().String(), timeout: 10 * time.Second}
	if err := hold(t.Context(), c, []byte("GET"), nil); err == nil {
		t.Error("a closed connection is no error")
	}
}

func TestAddressesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for n := range 6000 {
		seen[addressOf(n).String()] = true
	}
	if len(seen) != 6000 || seen["127.0.0.1"] {
		t.Errorf("%d addresses", len(seen))
	}
}

func TestFlags(t *testing.T) {
	c, err := parse([]string{"--only", "idle,stop", "--short", "--serve-flag=--log-level=warn", "--serve-flag", "--listen=:1"})
	if err != nil || !slices.Equal(c.only, []string{"idle", "stop"}) || c.plan != shortPlan() || len(c.serveFlags) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := parse([]string{"--check"}); err != nil || !slices.Equal(c.only, checkRows) || c.plan != checkPlan() {
		t.Errorf("%+v, %v", c, err)
	}
	for _, args := range [][]string{{"--only", "none"}, {"idle"}, {"--nothing"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

func TestFiguresDecide(t *testing.T) {
	r := &results{}
	r.atMost("a", "exact", seconds, 2.5, 2.5, "")
	r.atLeast("a", "exact", percent, 99.9, 99.9, "")
	if r.missed() != 0 {
		t.Errorf("%+v", r.Figures)
	}
	r.atMost("b", "more", seconds, 2.6, 2.5, "")
	r.atLeast("b", "less", percent, 99.8, 99.9, "")
	r.atMost("b", "nothing", times, math.NaN(), 2, "")
	r.failed("c", errors.New("no service"))
	if r.missed() != 4 {
		t.Errorf("%d missed", r.missed())
	}
	text := r.markdown()
	for _, want := range []string{"| a: exact | 2.50 s | at most 2.50 s | met |", "| b: less | 99.8% | at least 99.9% | MISSED |", "NOT MEASURED: there was nothing to measure", "NOT MEASURED: no service"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// In a check, what does not depend on the machine's speed decides, and whether everything was measured.
func TestNoTimesDecideACheck(t *testing.T) {
	r := &results{Check: true}
	r.atMost("a", "slow", seconds, 9, 1, "")
	r.atMost("a", "slower", times, 9, 1, "")
	r.atMost("a", "large", megabytes, 9, 1, "")
	if r.missed() != 0 || !strings.Contains(r.markdown(), "| a: slow | 9 s | at most 1 s | shown only |") {
		t.Errorf("%d missed:\n%s", r.missed(), r.markdown())
	}
	r.atMost("b", "wrong answers", count, 1, 0, "")
	r.atLeast("b", "served", percent, 10, 90, "")
	r.atMost("b", "nothing", seconds, math.NaN(), 2, "")
	if r.missed() != 3 {
		t.Errorf("%d missed", r.missed())
	}
}

func TestResultsAreWritten(t *testing.T) {
	r := &results{Version: "v1", Model: "m", Inputs: []outcome{{Name: "x", Status: 500, Want: "2xx"}, {Name: "y", Right: true, Status: 200, Seconds: 3}}, Waves: []wave{{Name: "z", Bytes: 7 << 20}}}
	r.load("goodput", "8 connections", &load.Result{Window: time.Second, Samples: []load.Sample{
		{Done: 10 * time.Millisecond, Status: load.Good}, {Due: time.Millisecond, Sent: 2 * time.Millisecond, Done: 5 * time.Millisecond, Status: "503"}}}, time.Second)
	r.atMost("idle", "CPU", percent, math.Inf(1), 1, "")
	folder := t.TempDir()
	var out bytes.Buffer
	if err := r.write(folder, &out); err != nil {
		t.Fatal(err)
	}
	var read results
	data, err := os.ReadFile(filepath.Join(folder, "abuse.json"))
	if err == nil {
		err = json.Unmarshal(data, &read)
	}
	if err != nil || len(read.Loads) != 1 || read.Loads[0].Refused != 3 || read.Loads[0].Goodput != 1 || len(read.Inputs) != 2 {
		t.Errorf("%v: %s", err, data)
	}
	text, err := os.ReadFile(filepath.Join(folder, "abuse.md"))
	if err != nil || !bytes.Equal(text, out.Bytes()) || !strings.Contains(string(text), "| x | 500 | 2xx |") {
		t.Errorf("%v:\n%s", err, text)
	}
}

func TestGeneratedInputs(t *testing.T) {
	folder := t.TempDir()
	manifest := `[{"file":"a.jpeg","why":"w","want":"4xx","type":"jpeg"},{"file":"b.bin","why":"w","want":"any","type":"other"},{"file":"c.bin","want":"odd"}]`
	for name, text := range map[string]string{"manifest.json": manifest, "a.jpeg": "A", "b.bin": "B", "c.bin": "C"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := &bench{results: &results{}}
	inputs := b.generated(folder)
	if len(inputs) != 2 || inputs[0].ContentType != "image/jpeg" || inputs[0].Want != hostile.Any || string(inputs[1].Bytes()) != "B" || len(b.results.Notes) != 1 {
		t.Errorf("%+v, %q", inputs, b.results.Notes)
	}
}

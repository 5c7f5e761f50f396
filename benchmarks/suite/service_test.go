package suite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgelens"
	"edgelens/benchmarks/suite"
	"edgelens/internal/testutil"
)

// The test binary is also the service that Start starts.
func TestMain(m *testing.M) {
	if mode := os.Getenv("SUITE_TEST_SERVICE"); mode != "" {
		serve(mode)
		return
	}
	os.Exit(m.Run())
}

func serve(mode string) {
	if mode == "dies" {
		fmt.Fprintln(os.Stderr, "no model here")
		os.Exit(1)
	}
	if mode == "model" {
		measureForParent()
		return
	}
	if mode == "peer" {
		servePeer()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(os.Stderr, "{\"msg\":\"edgelens started\",\"address\":\"http://%s\"}\n", listener.Addr())
	server := &http.Server{Handler: newFake()}
	go server.Serve(listener)
	for sum := 0; sum < 300_000_000; sum++ { // measurable CPU time
	}
	<-ctx.Done()
	server.Close()
}

// fake answers like the service.
type fake struct {
	http.ServeMux
	seen, jobs, asked atomic.Int64
	status            atomic.Int64 // of the answers, where it is set
}

func newFake() *fake {
	f := &fake{}
	answer := func(w http.ResponseWriter, r *http.Request, cache string) {
		if body, _ := io.ReadAll(r.Body); string(body) != "image" {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		if status := f.status.Load(); status != 0 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(int(status))
			return
		}
		w.Header().Set("X-Cache", cache)
		fmt.Fprint(w, "{}")
	}
	f.HandleFunc("POST /api/recognize", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("cache") != "false" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		answer(w, r, "BYPASS")
	})
	f.HandleFunc("POST /api/recognize_cached", func(w http.ResponseWriter, r *http.Request) {
		if f.seen.Add(1) == 1 {
			answer(w, r, "MISS")
			return
		}
		answer(w, r, "HIT")
	})
	f.HandleFunc("POST /api/recognize_async", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, `{"task_id":"%d","status_url":"/api/jobs/%[1]d"}`, f.jobs.Add(1))
	})
	f.HandleFunc("GET /api/jobs/{id}", func(w http.ResponseWriter, _ *http.Request) {
		switch n := f.asked.Add(1); {
		case n%2 == 1:
			fmt.Fprint(w, `{"status":"running"}`)
		case n == 4:
			fmt.Fprint(w, `{"status":"failed"}`)
		default:
			fmt.Fprint(w, `{"status":"succeeded"}`)
		}
	})
	f.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	f.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "# HELP x\nprocess_cpu_seconds_total 1.25\nprocess_resident_memory_bytes 5e+07\n")
	})
	return f
}

func TestOwnServiceStartMeasureStop(t *testing.T) {
	t.Setenv("SUITE_TEST_SERVICE", "serves")
	var log bytes.Buffer
	own, err := suite.Start(t.Context(), os.Args[0], nil, &log)
	if err != nil {
		t.Fatal(err)
	}
	if own.Ready <= 0 || own.Idle < 1<<20 || !strings.HasPrefix(own.URL(), "http://127.0.0.1:") {
		t.Errorf("%+v", own)
	}
	testutil.Eventually(t, "its CPU time is seen", func() bool {
		cpu, err := own.CPU(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return cpu > 0
	})
	if err := own.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := own.CPU(t.Context()); err == nil {
		t.Error("its CPU time is still known after its end")
	}
	if !strings.Contains(log.String(), "edgelens started") {
		t.Errorf("log %q", log.String())
	}
}

func TestServiceThatExitsIsReported(t *testing.T) {
	t.Setenv("SUITE_TEST_SERVICE", "dies")
	var log bytes.Buffer
	_, err := suite.Start(t.Context(), os.Args[0], nil, &log)
	if err == nil || !strings.Contains(err.Error(), "ended at once") || !strings.Contains(log.String(), "no model here") {
		t.Errorf("%v, log %q", err, log.String())
	}
	if _, err := suite.Start(t.Context(), "/no/such/program", nil, &log); err == nil {
		t.Error("a program that is not there was started")
	}
}

// A service that needs a key gets the one given, in every request.
func TestKeyOfRemoteService(t *testing.T) {
	fake := newFake()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer elk_x" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fake.ServeHTTP(w, r)
	}))
	defer server.Close()
	if r, err := measure(t, 1, suite.HTTP(httpConfig(), suite.Remote{Base: server.URL, Key: "elk_x"})); err != nil || len(r.Run.Cases) == 0 {
		t.Errorf("with the key: %v", err)
	}
	without := suite.Remote{Base: server.URL}
	if _, err := measure(t, 1, suite.HTTP(httpConfig(), without)); !errors.Is(err, edgelens.ErrUnauthorized) || !strings.Contains(err.Error(), "--key-file") {
		t.Errorf("without: %v", err)
	}
	if _, err := without.CPU(t.Context()); !errors.Is(err, edgelens.ErrUnauthorized) {
		t.Errorf("its metrics without: %v", err)
	}
}

func TestRemoteServiceMetrics(t *testing.T) {
	server := httptest.NewServer(newFake())
	defer server.Close()
	remote := suite.Remote{Base: server.URL + "/"}
	cpu, err := remote.CPU(t.Context())
	if err != nil || cpu != 1250*time.Millisecond {
		t.Errorf("%v, %v", cpu, err)
	}
	if bytes, err := remote.Resident(t.Context()); err != nil || bytes != 5e7 {
		t.Errorf("%v, %v", bytes, err)
	}
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	if _, err := (suite.Remote{Base: other.URL}).CPU(t.Context()); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("no edgelens: %v", err)
	}
}

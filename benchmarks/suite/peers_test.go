package suite_test

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"edgelens"
	"edgelens/benchmarks/record"
	"edgelens/benchmarks/suite"
	"edgelens/internal/testutil"
)

// servePeer is another service, in a separate process: with a worker, as gunicorn has them.
func servePeer() {
	worker := exec.Command("sleep", "60")
	if err := worker.Start(); err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", os.Getenv("PEER_ADDRESS"))
	if err != nil {
		panic(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	server := &http.Server{Handler: newPeer(286)}
	go server.Serve(listener)
	<-ctx.Done()
	_ = worker.Process.Kill()
	_ = worker.Wait()
	server.Close()
}

// peer answers forms, and counts them.
type peer struct {
	http.ServeMux
	asked  atomic.Int64
	status atomic.Int64
	cache  atomic.Value
}

func newPeer(class int) *peer {
	p := &peer{}
	p.cache.Store("")
	p.HandleFunc("POST /api/recognize", func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		file, _, err := r.FormFile("file")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if data, _ := io.ReadAll(file); string(data) != "image" {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		if status := p.status.Load(); status != 0 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(int(status))
			return
		}
		w.Header().Set("X-Cache", p.cache.Load().(string))
		fmt.Fprintf(w, `{"predictions":[{"class_id":%d,"label":"a cat","probability":0.5}]}`, class)
	})
	p.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"service":"made of %s %s %s %s %s %s"}`, os.Getenv("PEER_MODEL"), os.Getenv("PEER_LABELS"), os.Getenv("PEER_TFLITE"),
			os.Getenv("PEER_DELEGATE"), os.Getenv("PEER_THREADS"), os.Getenv("PEER_WORKERS"))
	})
	p.HandleFunc("GET /api/models/m", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"delegate":"xnnpack"}`) })
	p.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "process_cpu_seconds_total 1\nprocess_resident_memory_bytes 5e+07\n")
	})
	return p
}

// peerFolder has a `serve` that is this program.
func peerFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nexec %q\n", os.Args[0])
	if err := os.WriteFile(filepath.Join(folder, "serve"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestPeerEnvironmentAndStop(t *testing.T) {
	t.Setenv("SUITE_TEST_SERVICE", "peer")
	settings := suite.PeerSettings{Folder: peerFolder(t), Address: testutil.FreeAddress(t), Model: "model", Labels: "labels", Library: "library", Delegate: "none", Threads: 1, Workers: 2}
	own, madeOf, err := suite.StartPeer(t.Context(), settings, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if want := "made of model labels library none 1 2"; madeOf != want || own.URL() != "http://"+settings.Address {
		t.Errorf("%q at %s, want %q", madeOf, own.URL(), want)
	}
	tree, err := suite.Tree{Own: own}.Resident(t.Context())
	if err != nil || tree < 1<<20 {
		t.Errorf("memory %d, %v", tree, err)
	}
	if err := own.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := (suite.Tree{Own: own}).Resident(t.Context()); err == nil {
		t.Error("its memory is still known after its end")
	}
}

func TestPeerThatExitsIsReported(t *testing.T) {
	t.Setenv("SUITE_TEST_SERVICE", "dies")
	var log bytes.Buffer
	_, _, err := suite.StartPeer(t.Context(), suite.PeerSettings{Folder: peerFolder(t), Address: testutil.FreeAddress(t)}, &log)
	if err == nil || !strings.Contains(err.Error(), "ended at once") || !strings.Contains(log.String(), "no model here") {
		t.Errorf("%v, log %q", err, log.String())
	}
}

// contenders are edgelens and another, with those top classes.
func contenders(t *testing.T, ours, other int) (*peer, *peer, []*suite.Contender) {
	t.Helper()
	var peers [2]*peer
	var list []*suite.Contender
	for i, class := range []int{ours, other} {
		peers[i] = newPeer(class)
		server := httptest.NewServer(peers[i])
		t.Cleanup(server.Close)
		list = append(list, &suite.Contender{Service: suite.Remote{Base: server.URL}, Who: []string{"edgelens", "other"}[i], Model: "m", Delegate: "none"})
	}
	list[1].Beside = list[0]
	return peers[0], peers[1], list
}

var peerImages = []suite.Image{{Name: "p", Data: []byte("image")}}

func TestPeersAlternate(t *testing.T) {
	ours, other, list := contenders(t, 286, 286)
	r, err := measure(t, 2, suite.Peers(peerImages, list, 2))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Run.Cases) != 2 || r.Run.Cases[0].Beside != "" || r.Run.Cases[1].Beside != r.Run.Cases[0].Name || r.Run.Cases[1].Service != "other" {
		t.Fatalf("cases %+v", r.Run.Cases)
	}
	for _, c := range r.Run.Cases {
		if counts := statuses(r, c.Name); counts[record.Good] == 0 || len(counts) != 1 {
			t.Errorf("%s: %v", c.Name, counts)
		}
		if _, ok := figure(r, c.Name, record.FigureCPU, 2); !ok {
			t.Errorf("%s: the CPU time is missing", c.Name)
		}
	}
	if ours.asked.Load() == 0 || other.asked.Load() == 0 {
		t.Error("one was not asked")
	}

	other.status.Store(http.StatusServiceUnavailable)
	ours.cache.Store("HIT") // no work was done
	if r, err = measure(t, 1, suite.Peers(peerImages, list, 2)); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"X-Cache HIT", "503"} {
		if counts := statuses(r, r.Run.Cases[i].Name); counts[want] == 0 || len(counts) != 1 {
			t.Errorf("%v, want %s alone", counts, want)
		}
	}
}

func TestPeersMustAgree(t *testing.T) {
	_, other, same := contenders(t, 286, 286)
	if err := suite.Agree(t.Context(), peerImages, same[0], same[1]); err != nil {
		t.Error(err)
	}
	other.status.Store(http.StatusInternalServerError)
	if err := suite.Agree(t.Context(), peerImages, same[0], same[1]); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("%v", err)
	}
	_, _, unlike := contenders(t, 286, 283)
	err := suite.Agree(t.Context(), peerImages, unlike[0], unlike[1])
	if err == nil || !strings.Contains(err.Error(), "286") || !strings.Contains(err.Error(), "283") || !strings.Contains(err.Error(), "clearer") {
		t.Errorf("%v", err)
	}
}

func TestDelegateInUse(t *testing.T) {
	_, _, list := contenders(t, 1, 1)
	if delegate, err := suite.DelegateInUse(t.Context(), list[0].Service, "m"); err != nil || delegate != "xnnpack" {
		t.Errorf("%q, %v", delegate, err)
	}
	if _, err := suite.DelegateInUse(t.Context(), list[0].Service, "unheard-of"); err == nil {
		t.Error("a model that is not there has a delegate")
	}
}

func TestResized(t *testing.T) {
	small, err := suite.Resized(suite.MadeImages()[0], 512, 384)
	if err != nil {
		t.Fatal(err)
	}
	config, err := jpeg.DecodeConfig(bytes.NewReader(small.Data))
	if err != nil || config.Width != 512 || config.Height != 384 || small.Name != "made_512x384.jpg" {
		t.Errorf("%s: %+v, %v", small.Name, config, err)
	}
	if _, err := suite.Resized(peerImages[0], 512, 384); err == nil || !strings.Contains(err.Error(), edgelens.ErrInvalid.Error()) {
		t.Errorf("%v", err)
	}
}

//go:build cgo

package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/benchmarks/record"
)

// asPeer makes the test binary another service, whose top class is the given one for all images.
const asPeer = "EDGELENS_TEST_AS_PEER"

func init() {
	class := os.Getenv(asPeer)
	if class == "" {
		return
	}
	http.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"PEER_MODEL", "PEER_LABELS", "PEER_TFLITE"} {
			if _, err := os.Stat(os.Getenv(name)); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		fmt.Fprintf(w, `{"service":"a fake with %s"}`, os.Getenv("PEER_WORKERS"))
	})
	http.HandleFunc("POST /api/recognize", func(w http.ResponseWriter, r *http.Request) {
		if _, _, err := r.FormFile("file"); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, `{"predictions":[{"class_id":%s}]}`, class)
	})
	fmt.Fprintln(os.Stderr, http.ListenAndServe(os.Getenv("PEER_ADDRESS"), nil))
	os.Exit(1)
}

// fakePeer is a folder with a service of that top class.
func fakePeer(t *testing.T, class string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "fake")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nexec env -u %s %s=%s %q\n", asProgram, asPeer, class, os.Args[0])
	if err := os.WriteFile(filepath.Join(folder, "serve"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestBenchPeersCommand(t *testing.T) {
	environ, out, image := benchEnvironment(t)
	bench := func(peer string) (int, string, string) {
		return runCommand(t, environ, "bench", "peers", "--peer", peer, "--peer-model", "colors", "--out", out, "--images", image, "--runs", "1",
			"--duration", "100ms", "--warm-up", "50ms", "--inference-interpreters", "1")
	}
	status, _, stderr := bench(fakePeer(t, "7"))
	if status != 1 || !strings.Contains(stderr, "class 7") || len(runs(t, out)) != 0 {
		t.Errorf("another answer: status %d, %s", status, stderr)
	}
	status, _, stderr = bench(t.TempDir())
	if status != 1 || !strings.Contains(stderr, "serve") || len(runs(t, out)) != 0 {
		t.Errorf("no service: status %d, %s", status, stderr)
	}
	status, stdout, stderr := bench(fakePeer(t, "0"))
	if status != 0 || !strings.Contains(stdout, "Comparison with another service") || !strings.Contains(stdout, "fake: a fake with 1") || !strings.Contains(stdout, "Invoke alone, colors") {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	r, err := record.Read(runs(t, out)[0])
	if err != nil {
		t.Fatal(err)
	}
	beside := 0
	for _, c := range r.Run.Cases {
		if c.Suite != "peers" || c.Model != "colors" {
			t.Errorf("%+v", c)
		}
		if c.Beside != "" {
			beside++
		}
	}
	if beside < 4 {
		t.Errorf("%d comparisons: %+v", beside, r.Run.Cases)
	}
	for _, s := range r.Samples {
		if s.Status != record.Good && s.Status != "503" {
			t.Errorf("%+v", s)
		}
	}
}

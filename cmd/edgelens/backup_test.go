//go:build cgo

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A data folder without a service is backed up, checked and restored; the keys come with secrets alone.
func TestBackupCommands(t *testing.T) {
	environ := []string{"EDGELENS_DATA_DIR=" + t.TempDir()}
	if status, _, note := runCommand(t, environ, "key", "create", "--name", "app", "--scopes", "jobs"); status != 0 {
		t.Fatal(note)
	}
	file := filepath.Join(t.TempDir(), "a.tar")
	status, out, note := runCommand(t, environ, "backup", "--with-secrets", file)
	if status != 0 || !strings.Contains(out, "is written and checked") || !strings.Contains(out, "0 jobs") {
		t.Fatalf("status %d %s%s", status, out, note)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	status, out, note = runCommand(t, environ, "backup", "--verify", "--json", file)
	var report struct {
		Manifest struct {
			Format  int
			Secrets bool
		}
	}
	if err := json.Unmarshal([]byte(out), &report); status != 0 || err != nil || report.Manifest.Format != 2 || !report.Manifest.Secrets {
		t.Errorf("status %d %s%s, %v", status, out, note, err)
	}
	restored := []string{"EDGELENS_DATA_DIR=" + filepath.Join(t.TempDir(), "new")}
	status, out, note = runCommand(t, restored, "restore", file)
	if status != 0 || !strings.Contains(out, "is restored to") || !strings.Contains(out, "Start the service now") || strings.Contains(out, "edgelens key create") {
		t.Errorf("status %d %s%s", status, out, note)
	}
	if _, out, _ := runCommand(t, restored, "key", "list"); !strings.Contains(out, "app") {
		t.Errorf("no key in %s", out)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"it is there":       {[]string{"backup", file}, "--replace"},
		"no file":           {[]string{"backup"}, "1 arg"},
		"no folder":         {[]string{"backup", filepath.Join(file, "..", "none", "a.tar")}, "make it first"},
		"nothing to verify": {[]string{"backup", "--verify", file + ".none"}, "no such file"},
		"no data folder":    {[]string{"backup", "--data-dir", filepath.Join(file, "..", "none"), file + "2"}, "no ledger"},
		"onto a ledger":     {[]string{"restore", file}, "--move-aside"},
	} {
		if status, out, err := runCommand(t, environ, c.args...); status == 0 || out != "" || !strings.Contains(err, c.want) {
			t.Errorf("%s: status %d %s%s", name, status, out, err)
		}
	}
	if status, out, note := runCommand(t, environ, "restore", "--move-aside", filepath.Join(t.TempDir(), "before"), file); status != 0 {
		t.Errorf("moved aside: %s%s", out, note)
	}
}

func TestResultsDelete(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path+"?"+r.URL.RawQuery)
		fmt.Fprintf(w, `{"dry_run":%v,"complete":%v,"results":2,"records":1,"jobs":2,"images":1,"image_bytes":1500000,"undelivered_events":3}`,
			r.URL.Query().Get("dry_run") == "true", len(asked) > 1)
	}))
	defer server.Close()
	for name, test := range map[string]struct {
		args   []string
		status int
		want   string
		asked  string
	}{
		"dry run":    {[]string{"--person", "4711"}, 0, "2 results, 1 records, 2 jobs, 0 examples, 1 images (1.5 MB) and 3 undelivered events would be erased; --yes erases them", "DELETE /api/results?dry_run=true&person=4711"},
		"in two":     {[]string{"--device", "door", "--yes"}, 0, "4 results, 2 records, 4 jobs, 0 examples, 2 images (3.0 MB) and 6 undelivered events erased", "DELETE /api/results?device=door|DELETE /api/results?device=door"},
		"times":      {[]string{"--since", "2026-05-01T00:00:00+02:00", "--until", "2026-06-01T00:00:00Z"}, 0, "would be", "DELETE /api/results?dry_run=true&since=2026-04-30T22%3A00%3A00Z&until=2026-06-01T00%3A00%3A00Z"},
		"no filter":  {[]string{"--yes"}, 1, "--device", ""},
		"no time":    {[]string{"--since", "soon"}, 1, "2026-06-01", ""},
		"no service": {[]string{"--device", "door", "--server", "http://127.0.0.1:1"}, 1, "--server", ""},
	} {
		t.Run(name, func(t *testing.T) {
			asked = nil
			status, out, err := runCommand(t, nil, append([]string{"results", "delete", "--server", server.URL}, test.args...)...)
			if status != test.status || !strings.Contains(out+err, test.want) {
				t.Errorf("status %d %s%s, want %q", status, out, err, test.want)
			}
			if got := strings.Join(asked, "|"); got != test.asked {
				t.Errorf("asked %q, want %q", got, test.asked)
			}
		})
	}
}

func TestJobRelease(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/api/restore/release" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		fmt.Fprint(w, `{"released":3}`)
	}))
	defer server.Close()
	if status, out, err := runCommand(t, nil, "job", "release", "--server", server.URL); status != 0 || out != "3 released\n" {
		t.Errorf("status %d %s%s", status, out, err)
	}
}

//go:build cgo

package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/config"
	"edgelens/internal/control"
	"edgelens/internal/testutil"
	"edgelens/models/modeltest"
)

// backUp writes a backup as `edgelens backup` does.
func backUp(t testing.TB, c *config.Config, o control.BackupOptions) (file string, report BackupReport) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "backup.tar")
	report, err := WriteBackup(t.Context(), c, "test", o, file, false, nil, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	return file, report
}

// jobsOf returns every job of a service as it is in a list, by id.
func jobsOf(t testing.TB, s *service) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{}
	for cursor := ""; ; {
		var page struct {
			Jobs []map[string]any
			Next string
		}
		if err := json.Unmarshal(s.get("/api/jobs?limit=1000&cursor="+cursor).body, &page); err != nil {
			t.Fatal(err)
		}
		for _, job := range page.Jobs {
			all[job["id"].(string)] = job
		}
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

// A backup of a service under load, restored on an empty machine, has every job, record, device and image as they were; and
// nothing is sent again, to neither sink, until someone asks for it.
func TestBackupUnderLoadIsRestored(t *testing.T) {
	testutil.SkipIfShort(t, "it starts servers")
	c := settings(t)
	withColors(t, c)
	withTerminals(t, c)
	c.Ledger.KeepImages = true
	receiver := newReceiver(t, c)
	c.Webhook.Timeout = 500 * time.Millisecond
	s, _, stop := serving(t, c)
	terminal := connect(t, c, "F1")
	listener := connect(t, c, "listener", "edgelens/v1/events/#")
	for i := range 5 {
		terminal.publish(fungxis.Record("F1", first(passed(i)), second(passed(i))))
	}
	testutil.Eventually(t, "five events are delivered", func() bool { return len(unique(receiver.all())) == 5 && len(listener.events("F1")) == 5 })
	receiver.mode.Store("500") // what follows is undelivered
	for i := range 5 {
		terminal.publish(fungxis.Record("F1", first(passed(i+5)), second(passed(i+5))))
	}
	testutil.Eventually(t, "ten events are published", func() bool { return len(listener.events("F1")) == 10 })

	// Load: what was accepted before the backup must be in it.
	ctx, end := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var mu sync.Mutex
	var accepted []string
	for worker := range 3 {
		load.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				image := modeltest.Image(modeltest.Red, 20+worker, 20+n%50)
				job := s.async(t, "/api/recognize_async", image, nil)
				mu.Lock()
				accepted = append(accepted, job.TaskID)
				mu.Unlock()
			}
		})
	}
	testutil.Eventually(t, "jobs are accepted", func() bool { mu.Lock(); defer mu.Unlock(); return len(accepted) > 50 })
	mu.Lock()
	before := slices.Clone(accepted)
	mu.Unlock()
	file, report := backUp(t, c, control.BackupOptions{})
	end()
	load.Wait()
	if report.Problem() != "" || report.Manifest.Counts.Undelivered < 5 || report.Manifest.Counts.Records != 10 {
		t.Errorf("%+v: %s", report.Manifest.Counts, report.Problem())
	}
	verified, err := VerifyBackup(t.Context(), file)
	if err != nil || fmt.Sprint(verified.Manifest) != fmt.Sprint(report.Manifest) {
		t.Errorf("verified: %+v, %v", verified, err)
	}
	wasJobs := jobsOf(t, s)
	wasDevice := s.get("/api/devices/F1").body
	images := map[string]string{}
	for _, id := range before {
		if image, err := storedImage(c.DataDir, id); err == nil {
			images[id] = string(image)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}

	// Another machine, with a broker and a business server that work.
	restored := settings(t)
	withColors(t, restored)
	withTerminals(t, restored)
	restored.Ledger.KeepImages = true
	again := newReceiver(t, restored)
	told, err := Restore(t.Context(), restored, file, RestoreOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if told.HeldEvents < 5 || told.DamagedImages != 0 {
		t.Errorf("%+v", told)
	}
	s, log, _ := serving(t, restored)
	log.waitFor(t, "event=restore_waits")
	listener = connect(t, restored, "listener2", "edgelens/v1/events/#")
	jobs := jobsOf(t, s)
	for _, id := range before {
		job, was := jobs[id], wasJobs[id]
		if job == nil {
			t.Errorf("job %s is missing", id)
			continue
		}
		if job["held"] == nil && fmt.Sprint(job) != fmt.Sprint(was) {
			t.Errorf("job %s is\n%v, and was\n%v", id, job, was)
		}
		if image, err := storedImage(restored.DataDir, id); err != nil || string(image) != images[id] {
			t.Errorf("the image of %s has %d bytes, and had %d: %v", id, len(image), len(images[id]), err)
		}
	}
	for _, field := range []string{`"id":"F1"`, `"dialect":"fungxi"`, `"state":"accepted"`} {
		if is := s.get("/api/devices/F1").body; bytes.Contains(is, []byte(field)) != bytes.Contains(wasDevice, []byte(field)) {
			t.Errorf("the device is %s, and was %s", is, wasDevice)
		}
	}
	ready := string(s.get("/readyz").body)
	if !strings.Contains(ready, `"restore"`) || !strings.Contains(ready, "edgelens outbox retry") || strings.Contains(ready, "events for webhook") {
		t.Errorf("/readyz: %s", ready)
	}

	// A record that arrives now is delivered at once, and is all that is.
	terminal = connect(t, restored, "F1")
	terminal.publish(fungxis.Record("F1", first(passed(100)), second(passed(100))))
	testutil.Eventually(t, "the new record is delivered", func() bool { return len(again.all()) > 0 && len(listener.events("F1")) > 0 })
	if n, m := len(again.all()), len(listener.events("F1")); n != 1 || m != 1 {
		t.Errorf("%d and %d events after the restore, want the new one alone", n, m)
	}
	// On request, the rest follows, marked as replayed.
	if a := s.send("POST", "/api/outbox/retry", "application/json", strings.NewReader("{}")); a.status != 200 || !bytes.Contains(a.body, fmt.Appendf(nil, `"retried":%d`, told.HeldEvents)) {
		t.Errorf("%d %s", a.status, a.body)
	}
	testutil.Eventually(t, "the events are delivered", func() bool { return len(unique(again.all())) == 6 })
	released := s.send("POST", "/api/restore/release", "", nil)
	if !bytes.Contains(released.body, fmt.Appendf(nil, `"released":%d`, told.HeldJobs)) {
		t.Errorf("%s, want %d", released.body, told.HeldJobs)
	}
	testutil.Eventually(t, "every job is done", func() bool {
		for _, job := range jobsOf(t, s) {
			if job["status"] != "succeeded" {
				return false
			}
		}
		return true
	})
	testutil.Eventually(t, "nothing waits", func() bool { return !strings.Contains(string(s.get("/readyz").body), `"restore"`) })
}

// The options decide on the node's name, and on secrets; a restore without the name makes another node.
func TestIdentityAndSecretsInBackup(t *testing.T) {
	testutil.SkipIfShort(t, "it starts servers")
	c := settings(t)
	withColors(t, c)
	_, _, stop := serving(t, c)
	_, header := makeKey(t, c, scopedKey("operator", edgelens.ScopeAdmin))
	if err := stop(); err != nil {
		t.Error(err)
	}
	for name, content := range map[string]string{"session.key": "secret\n", "tls/key.pem": "private\n", "identity/ca.key": "authority\n"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(c.DataDir, filepath.Dir(name)), 0o700), os.WriteFile(filepath.Join(c.DataDir, name), []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	node, err := os.ReadFile(filepath.Join(c.DataDir, "node"))
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]control.BackupOptions{"neither": {}, "identity": {Identity: true}, "secrets": {Secrets: true}, "both": {Identity: true, Secrets: true}} {
		t.Run(name, func(t *testing.T) {
			file, report := backUp(t, c, o) // of the files: no service runs
			if report.Manifest.Secrets != o.Secrets || report.Manifest.Has("node") != o.Identity || report.Manifest.Has("tls") != o.Secrets || report.Manifest.Has("identity") != o.Secrets {
				t.Errorf("%+v", report.Manifest)
			}
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"secret\n", "private\n", "authority\n", "operator"} {
				if bytes.Contains(content, []byte(secret)) != o.Secrets {
					t.Errorf("%q is in the backup: %v", secret, !o.Secrets)
				}
			}
			restored := settings(t)
			withColors(t, restored)
			if _, err := Restore(t.Context(), restored, file, RestoreOptions{}, nil); err != nil {
				t.Fatal(err)
			}
			s, _, stop := serving(t, restored)
			if a := s.exchange("GET", "/api/outbox", header.Clone(), nil); (a.status == 200) != o.Secrets {
				t.Errorf("the key: %d %s", a.status, a.body)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
			if got, err := os.ReadFile(filepath.Join(restored.DataDir, "node")); err != nil || bytes.Equal(got, node) != o.Identity {
				t.Errorf("the node is %s, and was %s: %v", got, node, err)
			}
			for name, content := range map[string]string{"tls/key.pem": "private\n", "identity/ca.key": "authority\n"} {
				key, err := os.ReadFile(filepath.Join(restored.DataDir, name))
				if (err == nil && string(key) == content) != o.Secrets {
					t.Errorf("%s: %s, %v", name, key, err)
				}
			}
		})
	}
}

// A restore refuses what would lose something, and leaves the folder as it was.
func TestRestoreRefuses(t *testing.T) {
	testutil.SkipIfShort(t, "it starts a server")
	c := settings(t)
	withColors(t, c)
	_, _, stop := serving(t, c)
	file, _ := backUp(t, c, control.BackupOptions{})
	if _, err := Restore(t.Context(), c, file, RestoreOptions{}, nil); !errors.Is(err, edgelens.ErrInUse) {
		t.Errorf("beside the service: %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := Restore(t.Context(), c, file, RestoreOptions{}, nil); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("onto a ledger: %v", err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"cut off":          {content[:len(content)/2], "ends in the middle"},
		"another file":     {[]byte("text"), "cannot be used"},
		"a newer format":   {regexp.MustCompile(`"format": 2`).ReplaceAll(content, []byte(`"format": 9`)), "format 9"},
		"a newer schema":   {regexp.MustCompile(`"schema": \d\d`).ReplaceAll(content, []byte(`"schema": 99`)), "newer edgelens"},
		"a damaged ledger": {bytes.Replace(content, []byte("CREATE TABLE jobs"), []byte("CREATE TABLE bobs"), 1), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			empty := settings(t)
			bad := filepath.Join(t.TempDir(), "bad.tar")
			if err := os.WriteFile(bad, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Restore(t.Context(), empty, bad, RestoreOptions{}, nil); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("restore: %v, want %q", err, test.want)
			}
			if _, err := VerifyBackup(t.Context(), bad); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("verify: %v, want %q", err, test.want)
			}
			left, err := filepath.Glob(filepath.Join(empty.DataDir, "*"))
			if err != nil || len(slices.DeleteFunc(left, func(name string) bool { return filepath.Base(name) == "ledger.lock" })) != 0 {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}

// A backup that is canceled leaves no file, neither here nor in the data folder, and the next one is taken.
func TestCanceledBackupLeavesNothing(t *testing.T) {
	testutil.SkipIfShort(t, "it starts a server")
	c := settings(t)
	withColors(t, c)
	serving(t, c)
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := WriteBackup(ctx, c, "test", control.BackupOptions{}, filepath.Join(folder, "a.tar"), false, func(int64, int64) { cancel() }, io.Discard)
	if !errors.Is(err, edgelens.ErrCanceled) && !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	testutil.Eventually(t, "the copy is removed", func() bool {
		_, err := os.Stat(filepath.Join(c.DataDir, "backup.tmp"))
		return os.IsNotExist(err)
	})
	backUp(t, c, control.BackupOptions{})
	if _, err := WriteBackup(t.Context(), settings(t), "test", control.BackupOptions{}, filepath.Join(folder, "b.tar"), false, nil, io.Discard); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("a folder without a ledger: %v", err)
	}
}

// storedImage returns an image in a data folder, wherever it is there.
func storedImage(dir, id string) ([]byte, error) {
	files, err := filepath.Glob(filepath.Join(dir, "images", "*", id))
	if err != nil || len(files) != 1 {
		return nil, errors.Join(fmt.Errorf("%d files of %s", len(files), id), err)
	}
	return os.ReadFile(files[0])
}

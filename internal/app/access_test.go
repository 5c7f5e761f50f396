//go:build cgo

package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens"
	"edgelens/internal/config"
	"edgelens/internal/control"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/models/modeltest"
)

// makeKey makes a key as `edgelens key create` does, and returns its header.
func makeKey(t testing.TB, c *config.Config, key edgelens.Key) (edgelens.Key, http.Header) {
	t.Helper()
	var created edgelens.Key
	var token string
	err := UseKeys(t.Context(), c, &bytes.Buffer{}, func(keys control.KeyStore) (err error) {
		created, token, err = keys.CreateKey(t.Context(), key)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return created, http.Header{"Authorization": {"Bearer " + token}}
}

func scopedKey(name string, scopes ...edgelens.Scope) edgelens.Key {
	return edgelens.Key{Name: name, Scopes: scopes}
}

// The life of keys with the whole service: no key on this machine, then the first one from another process, ownership of
// jobs and results, revocation at once.
func TestKeysOfService(t *testing.T) {
	testutil.SkipIfShort(t, "it starts a server")
	c := settings(t)
	withColors(t, c)
	c.Ledger.KeepImages = true
	s, log, stop := serving(t, c)
	if a := s.get("/api/jobs"); a.status != 200 {
		t.Fatalf("before there is a key: %d %s", a.status, a.body)
	}
	image := modeltest.Image(modeltest.Red, 32, 32)
	nobody := s.wait(t, s.async(t, "/api/recognize_async", image, nil))

	all := []edgelens.Scope{edgelens.ScopeRecognize, edgelens.ScopeJobs, edgelens.ScopeResults}
	key, header := makeKey(t, c, edgelens.Key{Name: "app", Scopes: all})
	_, other := makeKey(t, c, edgelens.Key{Name: "other", Scopes: all})
	_, admin := makeKey(t, c, scopedKey("admin", edgelens.ScopeAdmin))
	if a := s.get("/api/jobs"); a.status != 401 || a.Code != "unauthorized" {
		t.Errorf("once there is a key: %d %s", a.status, a.body)
	}
	as := func(header http.Header, method, target string) *answer {
		return s.exchange(method, target, header.Clone(), nil)
	}

	job := s.async(t, "/api/recognize_async", image, header.Clone())
	done := as(header, "GET", job.URL+"?wait=30s").job(t)
	if done.Status != "succeeded" {
		t.Fatalf("%+v", done)
	}
	results := as(header, "GET", "/api/results").job(t).Results
	if len(results) != 1 || results[0].JobID != job.TaskID {
		t.Fatalf("the results of the app: %+v", results)
	}
	image404 := map[bool]int{true: 200, false: 404}
	for name, client := range map[string]struct {
		header http.Header
		sees   bool
		jobs   int
	}{"app": {header, true, 1}, "other": {other, false, 0}, "admin": {admin, true, 2}} {
		for _, target := range []string{job.URL, "/api/results/" + results[0].ID, "/api/results/" + results[0].ID + "/image"} {
			if a := as(client.header, "GET", target); a.status != image404[client.sees] {
				t.Errorf("%s at %s: %d, want %d", name, target, a.status, image404[client.sees])
			}
		}
		if list := as(client.header, "GET", "/api/jobs").job(t).Jobs; len(list) != client.jobs {
			t.Errorf("%s sees %d jobs, want %d", name, len(list), client.jobs)
		}
	}
	if a := as(header, "GET", "/api/jobs/"+nobody.ID); a.status != 404 {
		t.Errorf("a job without an owner: %d", a.status)
	}
	if a := as(other, "DELETE", job.URL); a.status != 404 {
		t.Errorf("cancel another's job: %d", a.status)
	}

	// The recognizer's line has the key's id, no line has a token.
	if a := s.sendWith("POST", "/api/recognize", header.Clone(), image); a.status != 200 {
		t.Fatal(a.status)
	}
	log.waitFor(t, `msg=recognize .*source=http.* key=(`+key.ID+`)`)

	err := UseKeys(t.Context(), c, &bytes.Buffer{}, func(keys control.KeyStore) error {
		_, err := keys.RevokeKey(t.Context(), "app")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if a := as(header, "GET", "/api/jobs"); a.status != 401 || !strings.Contains(a.Detail, "revoked") {
		t.Errorf("a revoked key: %d %s", a.status, a.body)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	for _, header := range []http.Header{header, other, admin} {
		if _, secret, _ := strings.Cut(header.Get("Authorization"), "_"); log.Contains(secret[9:]) {
			t.Error("a token is in the log")
		}
	}
	// Without the service, the ledger has the keys.
	err = UseKeys(t.Context(), c, &bytes.Buffer{}, func(keys control.KeyStore) error {
		list, err := keys.Keys(t.Context())
		if len(list) != 3 || list[0].Name != "app" || list[0].Revoked.IsZero() || list[0].LastUsed.IsZero() {
			t.Errorf("%+v", list)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// An address of the network is refused until there is a key, and serves only clients with one.
func TestPublicAddressNeedsKey(t *testing.T) {
	supervisetest.FindRedis(t)
	c := settings(t)
	withColors(t, c)
	c.HTTP.Listen = "0.0.0.0:0"
	err := Serve(t.Context(), c, "test", &bytes.Buffer{}, Reload{})
	if !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), "edgelens key create") || !strings.Contains(err.Error(), "http.open") {
		t.Fatalf("without a key: %v", err)
	}
	_, header := makeKey(t, c, scopedKey("app", edgelens.ScopeMetrics))
	s, _, stop := serving(t, c)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + net.JoinHostPort(ownAddress(t), port)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/login": 200, "/metrics": 401, "/docs": 401, "/": 401, "/api/models": 401, "/cats": 401} {
		if a := s.get(path); a.status != want {
			t.Errorf("%s: %d, want %d", path, a.status, want)
		}
	}
	if a := s.exchange("GET", "/metrics", header, nil); a.status != 200 {
		t.Errorf("with a key: %d", a.status)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// ownAddress is an address of this machine that is not of the loopback interface.
func ownAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && !network.IP.IsLoopback() && !network.IP.IsLinkLocalUnicast() {
			return network.IP.String()
		}
	}
	t.Skip("this machine has only the loopback interface")
	return ""
}

func TestOpenServiceWarns(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	c.HTTP.Open = true
	_, log, stop := serving(t, c)
	if !log.Contains("event=http_open") {
		t.Errorf("the log: %s", log)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestListensOnLoopback(t *testing.T) {
	for listen, want := range map[string]bool{
		"127.0.0.1:8080": true, "127.8.8.8:1": true, "[::1]:8080": true, "localhost:80": true, "[::ffff:127.0.0.1]:1": true,
		":8080": false, "0.0.0.0:8080": false, "[::]:8080": false, "192.168.1.9:80": false, "edge.local:80": false, "localhost.example:80": false, "x": false,
	} {
		if got := listensOnLoopback(listen); got != want {
			t.Errorf("%s: %v", listen, got)
		}
	}
}

// A keys file gives a service its keys, and a broken one stops the start.
func TestKeysFileOfService(t *testing.T) {
	supervisetest.FindRedis(t)
	c := settings(t)
	withColors(t, c)
	c.Access.KeysFile = filepath.Join(t.TempDir(), "keys.yaml")
	for _, text := range []string{"", "- broken: yes\n"} {
		if text != "" {
			if err := os.WriteFile(c.Access.KeysFile, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := Serve(t.Context(), c, "test", &bytes.Buffer{}, Reload{}); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), c.Access.KeysFile) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A command waits for no service: where another process has the ledger without a socket, it says so.
func TestCommandsWithoutSocket(t *testing.T) {
	c := settings(t)
	list := func() error {
		return UseKeys(t.Context(), c, &bytes.Buffer{}, func(keys control.KeyStore) error {
			_, err := keys.Keys(t.Context())
			return err
		})
	}
	if err := list(); err != nil {
		t.Errorf("an unused folder: %v", err)
	}
	err := UseKeys(context.Background(), c, &bytes.Buffer{}, func(control.KeyStore) error {
		if err := list(); !errors.Is(err, edgelens.ErrInUse) || !strings.Contains(err.Error(), c.DataDir) {
			return fmt.Errorf("while the ledger is in use: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

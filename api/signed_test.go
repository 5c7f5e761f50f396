package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"edgelens"
	"edgelens/api"
	"edgelens/identity/signing"
)

func withIdentity(t *testing.T, node **signing.Node) func(*api.Config, *api.Parts) {
	return func(_ *api.Config, parts *api.Parts) {
		var err error
		if *node, err = signing.Open(t.TempDir(), signing.DefaultConfig()); err != nil {
			t.Fatal(err)
		}
		parts.Identity = *node
	}
}

// keysOf returns the keys that the server publishes.
func keysOf(t *testing.T, s *server) signing.Keys {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, request("GET", "/.well-known/jwks.json", "", nil))
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/jwk-set+json" {
		t.Fatalf("%d, %v", w.Code, w.Header())
	}
	keys, err := signing.ParseJWKS(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestSignedAnswers(t *testing.T) {
	var node *signing.Node
	s := newServer(t, withIdentity(t, &node))
	keys := keysOf(t, s)
	ask := func(method, path, prefer string) *httptest.ResponseRecorder {
		r := request(method, path, "", nil)
		if method == "POST" {
			r = request(method, path, "image/png", strings.NewReader("\x89PNG an image"))
		}
		if prefer != "" {
			r.Header.Set("Prefer", prefer)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	for name, test := range map[string]struct {
		method, path, prefer, applied string
	}{
		"list":         {"GET", "/api/models", "signed", "signed"},
		"recognition":  {"POST", "/api/recognize", "wait=5, signed", "wait=5, signed"},
		"not asked":    {"GET", "/api/models", "", ""},
		"an error":     {"GET", "/api/models/none", "signed", ""},
		"text":         {"GET", "/openapi.yaml", "signed", ""},
		"another wish": {"GET", "/api/models", "signature", ""},
	} {
		w := ask(test.method, test.path, test.prefer)
		signature := w.Header().Get("Edgelens-Signature")
		if w.Header().Get("Preference-Applied") != test.applied || (signature != "") != strings.Contains(test.applied, "signed") {
			t.Errorf("%s: %d, %v", name, w.Code, w.Header())
		}
		if signature == "" {
			continue
		}
		body := w.Body.String()
		if _, err := keys.Verify(signature, []byte(body)); err != nil {
			t.Errorf("%s: %v\n%s", name, err, body)
		}
		plain := ask(test.method, test.path, "").Body.String()
		var a, b any
		if json.Unmarshal([]byte(body), &a) != nil || json.Unmarshal([]byte(plain), &b) != nil {
			t.Errorf("%s: %s, plain %s", name, body, plain)
		}
		if test.method == "GET" && fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%s: signed %s, plain %s", name, body, plain)
		}
	}
}

// A server without a key is as before.
func TestAnswersWithoutAKey(t *testing.T) {
	s := newServer(t, nil)
	r := request("GET", "/api/models", "", nil)
	r.Header.Set("Prefer", "signed")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != 200 || w.Header().Get("Edgelens-Signature") != "" || w.Header().Get("Preference-Applied") != "" {
		t.Errorf("%d, %v", w.Code, w.Header())
	}
	for _, path := range []string{"/.well-known/jwks.json", "/api/devices/door/chain"} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, request("GET", path, "", nil))
		if w.Code != 404 || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d, %v", path, w.Code, w.Header())
		}
	}
}

// exports writes so many bytes, and then fails.
type exports struct {
	bytes int
	err   error
}

func (e exports) Export(_ context.Context, device string, w io.Writer) error {
	if device != "door" {
		return fmt.Errorf("%w: the device has no chain", edgelens.ErrNotFound)
	}
	if _, err := w.Write([]byte(strings.Repeat("x", e.bytes))); err != nil {
		return err
	}
	return e.err
}

func TestChainExport(t *testing.T) {
	for name, test := range map[string]struct {
		chains exports
		path   string
		status int
		bytes  int
	}{
		"whole":      {exports{100_000, nil}, "/api/devices/door/chain", 200, 100_000},
		"small":      {exports{10, nil}, "/api/devices/door/chain", 200, 10},
		"unknown":    {exports{}, "/api/devices/gate/chain", 404, 0},
		"no such id": {exports{}, "/api/devices/a b/chain", 400, 0},
		"fails":      {exports{10, edgelens.ErrDiskFull}, "/api/devices/door/chain", 507, 0},
	} {
		s := newServer(t, func(_ *api.Config, parts *api.Parts) { parts.Chains = test.chains })
		w := httptest.NewRecorder()
		s.ServeHTTP(w, request("GET", strings.ReplaceAll(test.path, " ", "%20"), "", nil))
		if w.Code != test.status || test.status == 200 && (w.Body.Len() != test.bytes || w.Header().Get("Content-Type") != "application/x-ndjson") {
			t.Errorf("%s: %d, %d bytes, %v", name, w.Code, w.Body.Len(), w.Header())
		}
	}
	// One that fails half way is cut off.
	s := newServer(t, func(_ *api.Config, parts *api.Parts) { parts.Chains = exports{100_000, edgelens.ErrDiskFull} })
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("it ends with %v", p)
		}
	}()
	s.ServeHTTP(httptest.NewRecorder(), request("GET", "/api/devices/door/chain", "", nil))
}

package client_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/internal/client"
)

func TestReadKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("elk_of_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"OTHER=1", "NAME=elk_of_environment", "NAMES=2"}
	for want, c := range map[string]struct {
		file    string
		environ []string
	}{"elk_of_file": {file, environ}, "elk_of_environment": {"", environ}, "": {"", nil}} {
		if got, err := client.ReadKey(c.file, c.environ, "NAME"); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	for name, text := range map[string]string{"empty": "\n", "two lines": "elk_a\nelk_b\n", "long": strings.Repeat("x", 600)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := client.ReadKey(file, environ, "NAME"); err == nil || strings.Contains(err.Error(), "elk_a") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := client.ReadKey(file+".none", environ, "NAME"); err == nil {
		t.Error("a missing file is no error")
	}
}

func TestKeyIsSent(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
		_, _ = w.Write([]byte(`{"status":"ok"}`))
	}))
	defer server.Close()
	for key, want := range map[string]string{"elk_x": "Bearer elk_x", "": ""} {
		got = nil
		if _, err := (client.Client{Server: server.URL, Key: key}).Jobs(t.Context(), "", 1); err != nil {
			t.Error(err)
		}
		if _, err := client.Health(t.Context(), server.URL, key, nil); err != nil {
			t.Error(err)
		}
		if len(got) != 2 || got[0] != want || got[1] != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

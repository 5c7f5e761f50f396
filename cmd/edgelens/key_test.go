//go:build cgo

package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"edgelens/internal/ledger"
)

var tokenForm = regexp.MustCompile(`^elk_[a-z2-7]{8}_[a-z2-7]{52}\n$`)

func TestKeyCommands(t *testing.T) {
	environ := []string{"EDGELENS_DATA_DIR=" + t.TempDir()}
	status, token, note := runCommand(t, environ, "key", "create", "--name", "front door", "--scopes", "results,commands", "--devices", "1026700", "--expires", "90d")
	if status != 0 || !tokenForm.MatchString(token) || !strings.Contains(note, "shown only now") || strings.Contains(note, strings.TrimSpace(token)) {
		t.Fatalf("status %d\n%s%s", status, token, note)
	}
	id := token[len("elk_") : len("elk_")+8]
	status, out, _ := runCommand(t, environ, "key", "list")
	for _, want := range []string{id, "front door", "results,commands", "devices 1026700", "LAST USED"} {
		if status != 0 || !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	_, out, _ = runCommand(t, environ, "key", "list", "--json")
	var keys []map[string]any
	if err := json.Unmarshal([]byte(out), &keys); err != nil || len(keys) != 1 || keys[0]["id"] != id || keys[0]["revoked"] != nil || keys[0]["expires"] == nil {
		t.Errorf("%s: %v", out, err)
	}
	if strings.Contains(out, "hash") || strings.Contains(out, token[13:65]) {
		t.Errorf("a secret is shown: %s", out)
	}
	if status, out, err := runCommand(t, environ, "key", "revoke", "front door"); status != 0 || !strings.Contains(out, id) {
		t.Errorf("status %d %s%s", status, out, err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown key":   {[]string{"revoke", "nobody"}, "edgelens key list"},
		"no key":        {[]string{"revoke"}, "1 arg"},
		"no name":       {[]string{"create", "--scopes", "jobs"}, "name of a key"},
		"no scope":      {[]string{"create", "--name", "x"}, "at least one scope"},
		"unknown scope": {[]string{"create", "--name", "x", "--scopes", "everything"}, "there is no scope"},
		"expired":       {[]string{"create", "--name", "x", "--scopes", "jobs", "--expires", "2020-01-01"}, "passed"},
		"no date":       {[]string{"create", "--name", "x", "--scopes", "jobs", "--expires", "soon"}, "90d"},
	} {
		if status, out, err := runCommand(t, environ, append([]string{"key"}, c.args...)...); status == 0 || out != "" || !strings.Contains(err, c.want) {
			t.Errorf("%s: status %d %s%s", name, status, out, err)
		}
	}
}

func TestKeyForKeysFile(t *testing.T) {
	data, file := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "keys.yaml")
	status, token, note := runCommand(t, []string{"EDGELENS_DATA_DIR=" + data}, "key", "create", "--name", "app", "--scopes", "admin", "--keys-file", file)
	text, err := os.ReadFile(file)
	if status != 0 || !tokenForm.MatchString(token) || err != nil || !strings.Contains(string(text), "hash: sha256:") || !strings.Contains(note, file) {
		t.Errorf("status %d %s\n%s%v", status, note, text, err)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("the data folder was made: %v", err)
	}
}

// A ledger in ./data, the default of earlier versions, is not forgotten.
func TestDataOfEarlierVersionStopsStart(t *testing.T) {
	if ledger.Exists("/var/lib/edgelens") {
		t.Skip("this machine has a service, whose data root uses")
	}
	t.Chdir(t.TempDir())
	if err := os.Mkdir("data", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("data", "ledger.db"), []byte("rows"), 0o600); err != nil {
		t.Fatal(err)
	}
	former, err := filepath.Abs("data")
	if err != nil {
		t.Fatal(err)
	}
	environ := []string{"HOME=" + t.TempDir()}
	for _, args := range [][]string{{"serve", "--listen=127.0.0.1:0", "--mqtt-listen="}, {"key", "list"}} {
		status, _, text := runCommand(t, environ, args...)
		if status != 1 || !strings.Contains(text, " "+former+" ") || !strings.Contains(text, "run: ") || !strings.Contains(text, "or set data_dir to "+former) {
			t.Errorf("%v: status %d, %s", args, status, text)
		}
	}
}

// Commands that call a service send the key of the file or the environment, which is no setting.
func TestCommandsSendKey(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		_, _ = w.Write([]byte(`{"status":"ok","jobs":[],"events":[]}`))
	}))
	defer server.Close()
	path := file(t, "key", []byte("elk_file\n"))
	for _, args := range [][]string{{"job", "list", "--server", server.URL}, {"outbox", "list", "--server", server.URL}, {"health", "--url", server.URL}} {
		for want, c := range map[string]struct{ environ, flags []string }{
			"Bearer elk_file": {[]string{"EDGELENS_KEY=elk_environment"}, []string{"--key-file", path}},
			"Bearer elk_env":  {[]string{"EDGELENS_KEY=elk_env"}, nil},
			"":                {nil, nil},
		} {
			got = "nothing"
			if status, _, err := runCommand(t, c.environ, append(args, c.flags...)...); status != 0 || got != want {
				t.Errorf("%v: status %d %s, sent %q, want %q", args, status, err, got, want)
			}
		}
	}
	// It is no setting, and no fault of one.
	if status, out, err := runCommand(t, []string{"EDGELENS_KEY=elk_secret"}, "config"); status != 0 || strings.Contains(out, "elk_secret") {
		t.Errorf("status %d %s", status, err)
	}
}

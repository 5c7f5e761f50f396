//go:build cgo

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/identity/keys"
	"edgelens/identity/signing"
)

// writeFile writes a file into a folder and returns its path.
func writeFile(t *testing.T, folder, name, content string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestIdentityAndVerifyCommands(t *testing.T) {
	dir, folder := t.TempDir(), t.TempDir()
	environ := []string{"EDGELENS_DATA_DIR=" + dir}
	node, err := signing.Open(dir, signing.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	event := string(node.SignObject([]byte(`{"id":"e","data":{"outcome":"recognized"}}`)))
	file := writeFile(t, folder, "event.json", event)
	changed := writeFile(t, folder, "changed.json", strings.Replace(event, "recognized", "uncertain", 1))
	body := writeFile(t, folder, "body.json", `{"a":1}`)
	signature := node.SignBytes([]byte(`{"a":1}`))

	status, set, _ := runCommand(t, environ, "identity", "jwks")
	if status != 0 || !strings.Contains(set, `"use":"sig"`) || strings.Contains(set, `"d":`) {
		t.Fatalf("status %d\n%s", status, set)
	}
	jwks := writeFile(t, folder, "jwks.json", set)
	status, out, _ := runCommand(t, environ, "identity", "rotate")
	if status != 0 || !strings.Contains(out, "signs from now on") {
		t.Errorf("status %d %s", status, out)
	}
	status, out, _ = runCommand(t, environ, "identity", "list")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if status != 0 || len(lines) != 3 {
		t.Fatalf("status %d\n%s", status, out)
	}
	former := strings.Fields(lines[1])[0]
	for name, c := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"an event":           {[]string{file, "--keys", jwks}, 0, "proved"},
		"a changed event":    {[]string{changed, "--keys", jwks}, 1, "NOT PROVED: Of this object: The signature does not match"},
		"a body":             {[]string{body, "--keys", jwks, "--signature", signature}, 0, "signed these bytes"},
		"a body of another":  {[]string{file, "--keys", jwks, "--signature", signature}, 1, "does not match"},
		"without a key":      {[]string{file}, 2, "keys"},
		"with two":           {[]string{file, "--keys", jwks, "--server", "http://127.0.0.1:1"}, 2, "keys"},
		"no file":            {[]string{filepath.Join(folder, "none"), "--keys", jwks}, 1, "no such file"},
		"no keys":            {[]string{file, "--keys", body}, 1, "no P-256 key"},
		"no server answers":  {[]string{file, "--server", "http://127.0.0.1:1"}, 1, "--server"},
		"nothing to verify":  {nil, 2, "arg"},
		"a file of no event": {[]string{body, "--keys", jwks}, 1, `no member "signature"`},
	} {
		status, out, problem := runCommand(t, environ, append([]string{"verify"}, c.args...)...)
		if status != c.status || !strings.Contains(out+problem, c.want) {
			t.Errorf("%s: status %d\n%s%s", name, status, out, problem)
		}
	}
	if status, out, problem := runCommand(t, environ, "identity", "remove", former); status != 0 {
		t.Errorf("status %d %s%s", status, out, problem)
	}
	if status, _, problem := runCommand(t, environ, "identity", "remove", former); status != 1 || !strings.Contains(problem, "edgelens identity list") {
		t.Errorf("status %d %s", status, problem)
	}
	_, set, _ = runCommand(t, environ, "identity", "jwks")
	if status, _, _ := runCommand(t, environ, "verify", file, "--keys", writeFile(t, folder, "later.json", set)); status != 1 {
		t.Errorf("what a removed key signed: status %d", status)
	}
}

// storeKeyWithDash stores a private key whose id begins with -, as one in 64 does, and returns the id.
func storeKeyWithDash(t *testing.T, path string) string {
	t.Helper()
	for {
		key, err := keys.New()
		if err != nil {
			t.Fatal(err)
		}
		id, err := keys.ID(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(id, "-") {
			continue
		}
		if err := keys.Store(path, key); err != nil {
			t.Fatal(err)
		}
		return id
	}
}

func TestDeviceKeyCommands(t *testing.T) {
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl on PATH")
	}
	dir, folder := t.TempDir(), t.TempDir()
	environ := []string{"EDGELENS_DATA_DIR=" + dir}
	private, public := filepath.Join(folder, "door.key"), filepath.Join(folder, "door.pub")
	id := storeKeyWithDash(t, private)
	if out, err := exec.Command(program, "pkey", "-in", private, "-pubout", "-out", public).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	status, out, problem := runCommand(t, environ, "device", "key", "add", "1026700", public)
	if status != 0 || !strings.Contains(out, "1026700") {
		t.Fatalf("status %d %s%s", status, out, problem)
	}
	for _, args := range [][]string{{"device", "key", "list"}, {"device", "key", "list", "--json"}} {
		if status, out, problem := runCommand(t, environ, args...); status != 0 || !strings.Contains(out, id) {
			t.Errorf("%v: status %d %s%s", args, status, out, problem)
		}
	}
	_, set, _ := runCommand(t, environ, "identity", "jwks")
	jwks, message := writeFile(t, folder, "jwks.json", set), writeFile(t, folder, "message", `{"cmd":"heartU"}`)
	status, sealed, problem := runCommand(t, environ, "device", "seal", message, "--key", private, "--keys", jwks)
	if status != 0 || strings.Count(sealed, ".") != 4 {
		t.Fatalf("status %d %s%s", status, sealed, problem)
	}
	envelope := writeFile(t, folder, "sealed", sealed)
	if status, out, problem := runCommand(t, environ, "device", "open", envelope, "--device-key", public); status != 0 || out != `{"cmd":"heartU"}` {
		t.Errorf("status %d %s%s", status, out, problem)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a private key":       {[]string{"key", "add", "1026700", private}, "must stay on the device"},
		"the key of another":  {[]string{"key", "add", "1026701", public}, "another device has this key"},
		"no device":           {[]string{"key", "add", "a/b", public}, "A-Z a-z 0-9"},
		"no file":             {[]string{"key", "add", "1026700", "none.pem"}, "none.pem"},
		"an unknown key":      {[]string{"key", "remove", "x"}, "no device has this key"},
		"open what is plain":  {[]string{"open", message, "--device-key", public}, "five parts"},
		"seal without a key":  {[]string{"seal", message, "--keys", jwks}, "key"},
		"seal for no service": {[]string{"seal", message, "--key", private, "--keys", message}, "key"},
	} {
		if status, out, problem := runCommand(t, environ, append([]string{"device"}, c.args...)...); status == 0 || !strings.Contains(problem, c.want) {
			t.Errorf("%s: status %d %s%s", name, status, out, problem)
		}
	}
	if status, out, problem := runCommand(t, environ, "device", "key", "remove", id, "--json"); status != 0 || !strings.Contains(out, id) {
		t.Errorf("status %d %s%s", status, out, problem)
	}
}

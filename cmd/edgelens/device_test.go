//go:build cgo

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"edgelens/identity/keys"
	"edgelens/identity/pki"
)

var enrolmentTokenForm = regexp.MustCompile(`^ele_[a-z2-7]{52}\n$`)

// The five commands of docs/identity.md, without a service.
func TestDeviceCommands(t *testing.T) {
	data, folder := t.TempDir(), t.TempDir()
	environ := []string{"EDGELENS_DATA_DIR=" + data}
	if status, _, err := runCommand(t, environ, "device", "enroll", "door", "--folder", folder); status == 0 || !strings.Contains(err, "edgelens ca init") {
		t.Errorf("without an authority: %d %s", status, err)
	}
	status, out, err := runCommand(t, environ, "ca", "init", "--name", "school", "--host", "edge.example")
	for _, want := range []string{"authority:   school", "edge.example", "--mqtt-tls-cert " + filepath.Join(data, "identity", "node.pem"), "--mqtt-tls-client-auth require"} {
		if status != 0 || !strings.Contains(out, want) {
			t.Errorf("%d %s, no %q in\n%s", status, err, want, out)
		}
	}
	if status, _, err := runCommand(t, environ, "ca", "init"); status != 1 || !strings.Contains(err, "there is one") {
		t.Errorf("a second one: %d %s", status, err)
	}
	if status, pem, err := runCommand(t, environ, "ca", "show", "--pem"); status != 0 || !strings.HasPrefix(pem, "-----BEGIN CERTIFICATE-----") {
		t.Errorf("%d %s%s", status, pem, err)
	}

	status, out, err = runCommand(t, environ, "device", "enroll", "door", "--folder", folder)
	if status != 0 || !strings.Contains(out, "door.pem") || strings.Contains(out, "BEGIN") {
		t.Errorf("%d %s%s", status, out, err)
	}
	key, loaded := keys.Load(filepath.Join(folder, "door.key"))
	if loaded != nil {
		t.Fatal(loaded)
	}
	csr, made := pki.NewRequest(key, "door")
	if made != nil {
		t.Fatal(made)
	}
	if status, chain, err := runCommand(t, environ, "device", "renew", "door", "--csr", file(t, "door.csr", csr), "--days", "30"); status != 0 || strings.Count(chain, "BEGIN CERTIFICATE") != 2 {
		t.Errorf("%d %s%s", status, chain, err)
	}
	status, token, note := runCommand(t, environ, "device", "enroll", "gate", "--token", "--within", "5m")
	if status != 0 || !enrolmentTokenForm.MatchString(token) || strings.Contains(note, strings.TrimSpace(token)) {
		t.Errorf("%d %s%s", status, token, note)
	}
	if status, out, err := runCommand(t, environ, "device", "revoke", "door"); status != 0 || strings.Count(out, "is revoked") != 2 {
		t.Errorf("%d %s%s", status, out, err)
	}
	_, out, _ = runCommand(t, environ, "device", "list")
	for _, want := range []string{"door", "device", "revoked", "node", "EXPIRES"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	_, out, _ = runCommand(t, environ, "device", "list", "--json")
	var list []map[string]any
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 3 || list[0]["state"] != "revoked" {
		t.Errorf("%v\n%s", err, out)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a bad name":           {[]string{"enroll", "front door", "--folder", folder}, "A-Z"},
		"our name":             {[]string{"enroll", "edgelens-1", "--folder", folder}, "nodes"},
		"a request of nothing": {[]string{"enroll", "yard", "--csr", file(t, "none.csr", []byte("none"))}, "PEM"},
		"a revoked key":        {[]string{"enroll", "door", "--folder", folder}, "revoked"},
		"renew what is not":    {[]string{"renew", "door", "--folder", t.TempDir()}, "edgelens device enroll"},
		"revoke what is not":   {[]string{"revoke", "yard"}, "edgelens device list"},
		"a token and a file":   {[]string{"enroll", "yard", "--token", "--csr", "x"}, "token"},
	} {
		if status, out, err := runCommand(t, environ, append([]string{"device"}, c.args...)...); status == 0 || out != "" || !strings.Contains(err, c.want) {
			t.Errorf("%s: %d %s%s", name, status, out, err)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "front door.key")); err == nil {
		t.Error("a key was made for a bad name")
	}
}

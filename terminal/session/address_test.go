package session_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/terminal/session"
)

func TestParseAddress(t *testing.T) {
	noCertificates := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(noCertificates, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		url, ca     string
		shown, fail string
	}{
		"mqtt":                       {"mqtt://broker", "", "mqtt://broker", ""},
		"tcp with a port":            {"tcp://127.0.0.1:1884", "", "tcp://127.0.0.1:1884", ""},
		"IPv6":                       {"mqtt://[::1]:1883", "", "mqtt://[::1]:1883", ""},
		"TLS":                        {"mqtts://broker", "", "mqtts://broker", ""},
		"a login":                    {"mqtt://door:secret@broker", "", "mqtt://broker", ""},
		"a socket":                   {"unix:///run/m.sock", "", "unix:///run/m.sock", ""},
		"a trailing slash":           {"mqtt://broker/", "", "mqtt://broker/", ""},
		"nothing":                    {"", "", "", "must begin with"},
		"no scheme":                  {"broker:1883", "", "", "must begin with"},
		"HTTP":                       {"http://broker", "", "", "must begin with"},
		"no host":                    {"mqtt://", "", "", "must have a host"},
		"a path":                     {"mqtt://broker/topic", "", "", "must have a host"},
		"a socket's host":            {"unix://run/m.sock", "", "", "three slashes"},
		"a secret in an invalid URL": {"mqtt://door:secret@bro ker:99x", "", "", "is not a URL"},
		"a secret and a path":        {"mqtt://door:secret@broker/x", "", "", "must have a host"},
		"a secret, no scheme":        {"ftp://door:secret@broker", "", "", "must begin with"},
		"no file":                    {"mqtts://broker", "/no/such/file", "", "cannot be trusted"},
		"no certificates":            {"mqtts://broker", noCertificates, "", "no certificate in PEM"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			address, err := session.ParseAddress(test.url, test.ca)
			if (err == nil) != (test.fail == "") || err != nil && !strings.Contains(err.Error(), test.fail) {
				t.Fatalf("error %v, want %q", err, test.fail)
			}
			if err == nil && address.String() != test.shown {
				t.Errorf("shown as %s", address)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the password is in %v", err)
			}
		})
	}
}

package webhook_test

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/notify"
	"edgelens/internal/notify/event"
	"edgelens/internal/notify/webhook"
)

func TestHeaders(t *testing.T) {
	config := webhook.DefaultConfig()
	config.Headers = "Authorization: Bearer abc:def;ghi, jkl\n\nx-site:  north  \r\nX-Site: south"
	var got http.Header
	config.URL = receiver(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	if err := hook(t, config).Deliver(t.Context(), passed()); err != nil {
		t.Fatal(err)
	}
	if got.Get("Authorization") != "Bearer abc:def;ghi, jkl" || strings.Join(got.Values("X-Site"), "|") != "north|south" || got.Get("Content-Type") != "application/json" {
		t.Errorf("sent %v", got)
	}
	for name, bad := range map[string]string{
		"no colon": "Bearer geheim", "no name": ": geheim", "a space in the name": "My Key: geheim", "a control character": "X-Key: geheim\x01",
		"ours": "content-type: geheim", "the signature": "Webhook-Signature: geheim", "the host": "Host: geheim",
	} {
		config.Headers = bad
		if err := config.Validate(); err == nil || strings.Contains(err.Error(), "geheim") || !strings.Contains(err.Error(), "headers must") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCAFile(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	config := webhook.DefaultConfig()
	config.URL = server.URL
	if err := hook(t, config).Deliver(t.Context(), passed()); err == nil {
		t.Error("an unknown certificate is trusted")
	}
	config.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(config.CAFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := hook(t, config).Deliver(t.Context(), passed()); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{filepath.Join(t.TempDir(), "missing.pem"), "headers_test.go"} {
		config.CAFile = bad
		if _, err := webhook.New(config, event.Composer{}, images{}); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for name, test := range map[string]struct {
		value string
		min   time.Duration // 0: none
	}{
		"seconds": {"20", 20 * time.Second}, "a date": {time.Now().Add(time.Minute).UTC().Format(http.TimeFormat), 50 * time.Second},
		"a date that is past": {time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat), 0}, "nothing": {"", 0}, "nonsense": {"soon", 0}, "negative": {"-5", 0},
	} {
		t.Run(name, func(t *testing.T) {
			config := webhook.DefaultConfig()
			config.URL = receiver(t, func(w http.ResponseWriter, _ *http.Request) {
				if test.value != "" {
					w.Header().Set("Retry-After", test.value)
				}
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			err := hook(t, config).Deliver(t.Context(), passed())
			var later *notify.Later
			if err == nil || !strings.Contains(err.Error(), "503") || errors.As(err, &later) != (test.min > 0) {
				t.Fatal(err)
			}
			if later != nil && (later.After < test.min || later.After > test.min+20*time.Second) {
				t.Errorf("in %v", later.After)
			}
		})
	}
}

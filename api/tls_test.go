package api_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"edgelens/api"
	"edgelens/internal/certificate"
)

// serveTLS starts a server with a certificate for 127.0.0.1, and returns its address and what a client trusts.
func serveTLS(t *testing.T, edit func(*api.Config, *api.Parts)) (address string, trusted *tls.Config) {
	t.Helper()
	files, _, err := certificate.SelfSigned{Hosts: []string{"127.0.0.1", "localhost"}, Days: 90, Now: time.Now()}.Write(t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	_, address = serve(t, func(c *api.Config, p *api.Parts) {
		c.TLS = files
		if edit != nil {
			edit(c, p)
		}
	})
	text, err := os.ReadFile(files.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return address, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

func httpsClient(t *testing.T, trusted *tls.Config, http2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: trusted, ForceAttemptHTTP2: http2}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

func TestTLS(t *testing.T) {
	address, trusted := serveTLS(t, nil)
	for want, client := range map[string]*http.Client{
		"HTTP/2.0": httpsClient(t, trusted.Clone(), true),
		"HTTP/1.1": httpsClient(t, trusted.Clone(), false),
	} {
		response, err := client.Post("https://"+address+"/api/recognize", "image/jpeg", strings.NewReader("\xff\xd8\xff"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.Proto != want || response.StatusCode != http.StatusOK || !strings.Contains(string(body), "Egyptian cat") {
			t.Errorf("%s: %s %s %s (%v)", want, response.Proto, response.Status, body, err)
		}
	}
}

// A stream of events over HTTP/2 flushes each event.
func TestTLSEvents(t *testing.T) {
	address, trusted := serveTLS(t, nil)
	response, err := httpsClient(t, trusted, true).Get("https://" + address + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	first := make([]byte, len(": hello"))
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != ": hello" {
		t.Errorf("the stream begins with %q (%v)", first, err)
	}
}

func TestTLSRefuses(t *testing.T) {
	address, trusted := serveTLS(t, nil)
	t.Run("TLS 1.1", func(t *testing.T) {
		old := trusted.Clone()
		old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		if conn, err := tls.Dial("tcp", address, old); err == nil {
			_ = conn.Close()
			t.Error("it speaks TLS 1.1")
		}
	})
	t.Run("plain text", func(t *testing.T) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.Contains(string(answer), "HTTPS") {
			t.Errorf("the answer is %q (%v), and does not tell what to do", answer, err)
		}
	})
}

func TestCertificateIsMissing(t *testing.T) {
	config := api.DefaultConfig()
	config.TLS = certificate.Files{Certificate: "none.pem", Key: "none.pem"}
	if err := config.Validate(); err == nil || !strings.Contains(err.Error(), "tls.cert cannot be read") {
		t.Errorf("the error is %v", err)
	}
}

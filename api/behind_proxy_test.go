package api_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgelens/api"
	"edgelens/internal/certificate"
	"edgelens/internal/testutil"
)

// clientAddress is where the client is: not at the proxy's own address.
const clientAddress = "127.0.0.2"

// proxied is the host name in the configurations of examples/proxy.
const proxied = "edge.example.com"

// proxyOf describes how one of the proxies is started with the configuration that users copy.
type proxyOf struct {
	program string
	// configure returns the arguments, once it has written the configuration into folder.
	configure func(t *testing.T, folder, listen, backend string, files certificate.Files) []string
}

var proxyPrograms = map[string]proxyOf{
	"nginx": {"nginx", func(t *testing.T, folder, listen, backend string, files certificate.Files) []string {
		site := example(t, "nginx.conf", "listen 443", "listen "+listen, "/etc/ssl/edge.example.com.pem", files.Certificate,
			"/etc/ssl/edge.example.com.key", files.Key, "127.0.0.1:8080", backend)
		temporary := ""
		for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			temporary += fmt.Sprintf("%s_temp_path %s;\n", kind, filepath.Join(folder, kind))
		}
		main := filepath.Join(folder, "main.conf")
		write(t, main, fmt.Sprintf("daemon off;\npid %s;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n%s%s}\n", filepath.Join(folder, "pid"), temporary, site))
		return []string{"-p", folder, "-e", "stderr", "-c", main}
	}},
	"Caddy": {"caddy", func(t *testing.T, folder, listen, backend string, files certificate.Files) []string {
		_, port, err := net.SplitHostPort(listen)
		if err != nil {
			t.Fatal(err)
		}
		site := example(t, "Caddyfile", proxied+" {", fmt.Sprintf("https://%s:%s {\n\ttls %s %s", proxied, port, files.Certificate, files.Key), "127.0.0.1:8080", backend)
		path := filepath.Join(folder, "Caddyfile")
		write(t, path, "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"+site)
		return []string{"run", "--config", path, "--adapter", "caddyfile"}
	}},
}

// example returns a file of examples/proxy with some of its text replaced, each of which it must have.
func example(t *testing.T, name string, replacements ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "examples", "proxy", name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replacements); i += 2 {
		if !bytes.Contains(text, []byte(replacements[i])) {
			t.Fatalf("%s does not have %q", name, replacements[i])
		}
	}
	return strings.NewReplacer(replacements...).Replace(string(text))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startProxy runs a proxy before a backend until the test ends, and returns a client that reaches it by its name.
func startProxy(t *testing.T, p proxyOf, backend string) *http.Client {
	t.Helper()
	program, err := exec.LookPath(p.program)
	if err != nil {
		t.Skipf("there is no %s on PATH; Debian's packages nginx-light and caddy have both proxies", p.program)
	}
	folder, listen := t.TempDir(), testutil.FreeAddress(t)
	files, _, err := certificate.SelfSigned{Hosts: []string{proxied}, Days: 90, Now: time.Now()}.Write(folder, false)
	if err != nil {
		t.Fatal(err)
	}
	var log testutil.LogBuffer
	cmd := exec.Command(program, p.configure(t, folder, listen, backend, files)...)
	cmd.Env = append(os.Environ(), "HOME="+folder, "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it has nothing to keep
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the proxy's log:\n%s", log.String())
		}
	})
	text, err := os.ReadFile(files.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientAddress)}}
			return dialer.DialContext(ctx, network, listen)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	testutil.Eventually(t, p.program+" answers", func() bool {
		response, err := client.Get("https://" + proxied + "/healthz")
		if err != nil {
			return false
		}
		return response.Body.Close() == nil && response.StatusCode == http.StatusOK
	})
	return client
}

func TestBehindProxies(t *testing.T) {
	for name, p := range proxyPrograms {
		t.Run(name, func(t *testing.T) {
			var log testutil.LogBuffer
			_, backend := serve(t, func(c *api.Config, p *api.Parts) {
				c.PublicURL, c.TrustedProxies = "https://"+proxied, []string{"127.0.0.1"}
				p.Log = log.Logger()
			})
			client := startProxy(t, p, backend)

			// The largest image, as base64.
			image := append([]byte("\xff\xd8\xff"), bytes.Repeat([]byte{0}, int(api.DefaultConfig().MaxImageBytes)-3)...)
			for kind, post := range map[string]func() (*http.Response, error){
				"bytes": func() (*http.Response, error) {
					return client.Post("https://"+proxied+"/api/recognize", "image/jpeg", bytes.NewReader(image))
				},
				"base64": func() (*http.Response, error) {
					return client.Post("https://"+proxied+"/api/recognize", "application/json", jsonBody(base64Of(image)))
				},
			} {
				response, err := post()
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if err != nil || response.StatusCode != http.StatusOK || !bytes.Contains(body, []byte("Egyptian cat")) {
					t.Errorf("%s: %s %s (%v)", kind, response.Status, body, err)
				}
			}

			// Events come while the response is open.
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+proxied+"/api/events", nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			first := make([]byte, len(": hello"))
			if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != ": hello" {
				t.Errorf("the stream begins with %q (%v)", first, err)
			}

			// A header of the client's own does not hide where it is.
			forged, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+proxied+"/nothing", nil)
			if err != nil {
				t.Fatal(err)
			}
			forged.Header.Set("X-Forwarded-For", "203.0.113.7")
			answer, err := client.Do(forged)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if !log.Contains("client="+clientAddress) || log.Contains("client=203.0.113.7") {
				t.Errorf("the log names another client:\n%s", log.String())
			}
		})
	}
}

func base64Of(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

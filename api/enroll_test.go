package api_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens/api"
	"edgelens/identity/keys"
	"edgelens/identity/pki"
	"edgelens/identity/pki/pkitest"
	"edgelens/internal/atomicfile"
	"edgelens/internal/certificate"
	"edgelens/internal/testutil"
)

// certified is a server of HTTPS with a certificate authority.
type certified struct {
	t       *testing.T
	site    *pkitest.Site
	address string
	log     *testutil.LogBuffer
}

func serveCertified(t *testing.T, edit func(*api.Config, *api.Parts)) *certified {
	t.Helper()
	s := &certified{t: t, site: pkitest.New(t), log: &testutil.LogBuffer{}}
	_, s.address = serve(t, func(c *api.Config, p *api.Parts) {
		c.TLS, c.ClientCA, p.Certificates, p.Log = s.site.Node(), api.ClientCAOwn, s.site.Authority, s.log.Logger()
		if edit != nil {
			edit(c, p)
		}
	})
	return s
}

// client returns one that shows certificates.
func (s *certified) client(files ...certificate.Files) *http.Client {
	s.t.Helper()
	trusted := &tls.Config{RootCAs: s.site.Pool(), MinVersion: tls.VersionTLS12}
	for _, f := range files {
		pair, err := f.Load()
		if err != nil {
			s.t.Fatal(err)
		}
		trusted.Certificates = append(trusted.Certificates, *pair)
	}
	return httpsClient(s.t, trusted, false)
}

// send sends a request, and returns the status and the body; 0 where TLS fails.
func (s *certified) send(client *http.Client, method, path, token string, body []byte) (int, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "https://"+s.address+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func newRequest(t *testing.T, device string) []byte {
	t.Helper()
	key, err := keys.New()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := pki.NewRequest(key, device)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}

func TestEnrollByToken(t *testing.T) {
	s := serveCertified(t, nil)
	client := s.client()
	token, _, err := s.site.NewToken(t.Context(), "door", time.Hour, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		token  string
		body   []byte
		status int
		want   string
	}{
		"no token":       {"", newRequest(t, "door"), 401, "edgelens device enroll"},
		"a wrong one":    {"ele_" + strings.Repeat("a", 52), newRequest(t, "door"), 401, "was used"},
		"other device":   {token, newRequest(t, "gate"), 400, "gate"},
		"no request":     {token, []byte("x"), 400, "PEM"},
		"a long one":     {token, bytes.Repeat([]byte("x"), 10_000), 413, ""},
		"nothing at all": {token, nil, 400, "PEM"},
	} {
		if status, body := s.send(client, "POST", "/api/enroll", test.token, test.body); status != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	csr := newRequest(t, "door")
	status, chain := s.send(client, "POST", "/api/enroll", token, csr)
	if status != 200 || strings.Count(chain, "BEGIN CERTIFICATE") != 2 {
		t.Fatalf("%d %s", status, chain)
	}
	if status, body := s.send(client, "POST", "/api/enroll", token, csr); status != 401 {
		t.Errorf("a second time: %d %s", status, body)
	}
	if strings.Contains(s.log.String(), token) || !strings.Contains(s.log.String(), "certificate=door") {
		t.Errorf("the log has the token, or not the device:\n%s", s.log)
	}
	// Guesses make an address wait, also with a good token.
	statuses := map[int]int{}
	for range 15 {
		status, _ := s.send(client, "POST", "/api/enroll", "ele_"+strings.Repeat("b", 52), csr)
		statuses[status]++
	}
	if statuses[429] < 5 || statuses[401] > 10 {
		t.Errorf("%v", statuses)
	}
}

func TestPublishedAuthority(t *testing.T) {
	s := serveCertified(t, nil)
	client := s.client()
	if _, text := s.send(client, "GET", "/.well-known/edgelens/ca.pem", "", nil); !strings.HasPrefix(text, "-----BEGIN CERTIFICATE-----") {
		t.Errorf("%s", text)
	}
	_, der := s.send(client, "GET", "/.well-known/edgelens/crl.der", "", nil)
	_, text := s.send(client, "GET", "/.well-known/edgelens/crl.pem", "", nil)
	block, _ := pem.Decode([]byte(text))
	list, err := x509.ParseRevocationList([]byte(der))
	if err != nil || block == nil || string(block.Bytes) != der || len(list.RevokedCertificateEntries) != 0 {
		t.Errorf("%v, %+v", err, list)
	}
	without := serveCertified(t, func(c *api.Config, p *api.Parts) { c.ClientCA, p.Certificates = "", nil })
	for _, path := range []string{"/.well-known/edgelens/ca.pem", "/.well-known/edgelens/crl.der", "/.well-known/edgelens/crl.pem"} {
		if status, body := without.send(without.client(), "GET", path, "", nil); status != 404 {
			t.Errorf("%s without an authority: %d %s", path, status, body)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	for _, mode := range []string{api.ClientAuthOptional, api.ClientAuthRequire} {
		t.Run(mode, func(t *testing.T) {
			s := serveCertified(t, func(c *api.Config, _ *api.Parts) { c.ClientAuth = mode })
			revoked := s.site.Device("yard", 0)
			if _, err := s.site.Revoke(t.Context(), "yard"); err != nil {
				t.Fatal(err)
			}
			s.site.Ahead = -2 * time.Hour
			expired := s.site.Device("shed", time.Hour)
			s.site.Ahead = 0
			for name, test := range map[string]struct {
				show []certificate.Files
				ok   bool
			}{
				"none":       {nil, mode == api.ClientAuthOptional},
				"a device's": {[]certificate.Files{s.site.Device("door", 0)}, true},
				"revoked":    {[]certificate.Files{revoked}, false},
				"expired":    {[]certificate.Files{expired}, false},
			} {
				if status, body := s.send(s.client(test.show...), "GET", "/healthz", "", nil); (status == 200) != test.ok {
					t.Errorf("%s: %d %s", name, status, body)
				}
			}
			// Go's client shows no certificate of an authority that the server does not name; others do.
			pair, err := pkitest.New(t).Device("door", 0).Load()
			if err != nil {
				t.Fatal(err)
			}
			config := &tls.Config{RootCAs: s.site.Pool(), MinVersion: tls.VersionTLS12, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }}
			if status, body := s.send(httpsClient(t, config, false), "GET", "/healthz", "", nil); status != 0 {
				t.Errorf("of another authority: %d %s", status, body)
			}
		})
	}
}

// A certificate identifies a client in the log, and permits nothing that needs a key; once it is revoked, an open connection is
// of no use, and neither is the memory of TLS of an earlier one.
func TestRevokedWhileConnected(t *testing.T) {
	s := serveCertified(t, nil)
	files := s.site.Device("door", 0)
	pair, err := files.Load()
	if err != nil {
		t.Fatal(err)
	}
	client := httpsClient(t, &tls.Config{
		RootCAs: s.site.Pool(), MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*pair}, ClientSessionCache: tls.NewLRUClientSessionCache(4),
	}, false)
	if status, body := s.send(client, "GET", "/api/models/none", "", nil); status != 404 {
		t.Errorf("%d %s", status, body)
	}
	if !strings.Contains(s.log.String(), "certificate=door") {
		t.Errorf("%s", s.log)
	}
	stream, err := client.Get("https://" + s.address + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if _, err := s.site.Revoke(t.Context(), "door"); err != nil {
		t.Fatal(err)
	}
	if status, body := s.send(client, "GET", "/healthz", "", nil); status != 403 || !strings.Contains(body, "revoked") {
		if status != 0 { // a new connection, refused by TLS
			t.Errorf("on the open connection: %d %s", status, body)
		}
	}
	for range 2 {
		if status, body := s.send(client, "GET", "/healthz", "", nil); status != 0 {
			t.Errorf("on a new connection: %d %s", status, body)
		}
	}
	if _, err := io.Copy(io.Discard, stream.Body); err != nil {
		t.Errorf("the stream did not end: %v", err)
	}
}

func TestRenewByCertificate(t *testing.T) {
	s := serveCertified(t, nil)
	door := s.client(s.site.Device("door", 0))
	status, chain := s.send(door, "POST", "/api/enroll/renew", "", newRequest(t, "door"))
	if status != 200 || strings.Count(chain, "BEGIN CERTIFICATE") != 2 {
		t.Errorf("%d %s", status, chain)
	}
	if status, body := s.send(door, "POST", "/api/enroll/renew", "", newRequest(t, "gate")); status != 400 {
		t.Errorf("for another device: %d %s", status, body)
	}
	if status, body := s.send(s.client(), "POST", "/api/enroll/renew", "", newRequest(t, "door")); status != 401 {
		t.Errorf("without a certificate: %d %s", status, body)
	}
	if n := len(s.site.Certificates()); n != 3 {
		t.Errorf("%d certificates, want those of the node, and two of the device", n)
	}
}

// With a file of another authority, its certificates are accepted, and ours are not.
func TestClientsOfOtherAuthority(t *testing.T) {
	other := pkitest.New(t)
	s := serveCertified(t, func(c *api.Config, _ *api.Parts) { c.ClientCA, c.ClientAuth = other.CAFile(), api.ClientAuthRequire })
	if status, body := s.send(s.client(other.Device("app", 0)), "GET", "/api/models/none", "", nil); status != 404 || !strings.Contains(s.log.String(), "certificate=app") {
		t.Errorf("%d %s\n%s", status, body, s.log)
	}
	if status, body := s.send(s.client(s.site.Device("door", 0)), "GET", "/healthz", "", nil); status != 0 {
		t.Errorf("%d %s", status, body)
	}
}

// The revocation lists of other authorities are followed, also on connections that are open; without a list that is valid, their
// certificates are refused.
func TestRevokedByOtherAuthority(t *testing.T) {
	other, file := pkitest.New(t), filepath.Join(t.TempDir(), "other.crl")
	publish := func() {
		t.Helper()
		der, err := other.Authority.Revocations()
		if err == nil {
			err = atomicfile.Write(file, der, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	app, door := other.Device("app", 0), other.Device("door", 0)
	publish()
	s := serveCertified(t, func(c *api.Config, _ *api.Parts) {
		c.ClientCA, c.ClientAuth, c.ClientCRLs = other.CAFile(), api.ClientAuthRequire, []string{file}
	})
	open := s.client(door)
	for name, client := range map[string]*http.Client{"app": s.client(app), "door": open} {
		if status, body := s.send(client, "GET", "/api/models/none", "", nil); status != 404 {
			t.Fatalf("%s: %d %s", name, status, body)
		}
	}
	if _, err := other.Authority.Revoke(t.Context(), "door"); err != nil {
		t.Fatal(err)
	}
	publish()
	testutil.Eventually(t, "the open connection is refused", func() bool {
		status, _ := s.send(open, "GET", "/api/models/none", "", nil)
		return status == 403 || status == 0
	})
	if status, body := s.send(s.client(door), "GET", "/api/models/none", "", nil); status != 0 {
		t.Errorf("a new connection: %d %s", status, body)
	}
	if status, body := s.send(s.client(app), "GET", "/api/models/none", "", nil); status != 404 {
		t.Errorf("another device: %d %s", status, body)
	}
}

func TestClientAuthConfig(t *testing.T) {
	file := fmt.Sprint(t.TempDir(), "/none.pem")
	if err := os.WriteFile(file, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, edit := range map[string]func(*api.Config){
		"tls.client_auth must":         func(c *api.Config) { c.ClientAuth = "perhaps" },
		"tls.client_ca cannot be read": func(c *api.Config) { c.ClientCA = "/nowhere/ca.pem" },
		"has no certificate in PEM":    func(c *api.Config) { c.ClientCA = file },
	} {
		c := api.DefaultConfig()
		edit(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

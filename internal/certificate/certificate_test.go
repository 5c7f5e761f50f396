package certificate_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/certificate"
	"edgelens/internal/testutil"
)

// selfSigned writes a certificate for a host that is valid now, and returns its files.
func selfSigned(t *testing.T, folder, host string) certificate.Files {
	t.Helper()
	files, _, err := certificate.SelfSigned{Hosts: []string{host}, Days: 90, Now: time.Now()}.Write(folder, true)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSelfSigned(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "tls")
	s := certificate.SelfSigned{Hosts: []string{"Gate.local", "192.168.1.9", "fd00::1", "gate.local"}, Days: 825, Now: time.Now()}
	files, fingerprint, err := s.Write(folder, false)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(files.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	for _, host := range []string{"gate.local", "192.168.1.9", "fd00::1"} {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: pool}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if valid := leaf.NotAfter.Sub(leaf.NotBefore); valid > 825*24*time.Hour {
		t.Errorf("it is valid for %v, more than Apple's systems accept", valid)
	}
	if fingerprint != certificate.Fingerprint(text) || len(fingerprint) != 32*3-1 {
		t.Errorf("the fingerprint is %q", fingerprint)
	}
	info, err := os.Stat(files.Key)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v (%v), and others must not read it", info.Mode(), err)
	}
	if err := files.Validate(); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Write(folder, false); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("a second certificate in its place: %v", err)
	}
}

func TestSelfSignedRefuses(t *testing.T) {
	for name, s := range map[string]certificate.SelfSigned{
		"no host":    {Days: 10},
		"a URL":      {Hosts: []string{"https://gate.local"}, Days: 10},
		"a port":     {Hosts: []string{"gate.local:8080"}, Days: 10},
		"an empty":   {Hosts: []string{""}, Days: 10},
		"no day":     {Hosts: []string{"gate.local"}},
		"many years": {Hosts: []string{"gate.local"}, Days: 826},
	} {
		s.Now = time.Now()
		if _, _, err := s.Make(); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidate(t *testing.T) {
	folder := t.TempDir()
	files := selfSigned(t, filepath.Join(folder, "a"), "a.example")
	other := selfSigned(t, filepath.Join(folder, "b"), "b.example")
	text := filepath.Join(folder, "text.pem")
	if err := os.WriteFile(text, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		files certificate.Files
		want  string // in the error; "" for none
	}{
		"none":            {certificate.Files{}, ""},
		"both":            {files, ""},
		"no key":          {certificate.Files{Certificate: files.Certificate}, "needs its private key"},
		"no certificate":  {certificate.Files{Key: files.Key}, "needs its certificate"},
		"another's key":   {certificate.Files{Certificate: files.Certificate, Key: other.Key}, "is not the private key"},
		"swapped":         {certificate.Files{Certificate: files.Key, Key: files.Certificate}, `has a "PRIVATE KEY" where the certificate must be`},
		"text":            {certificate.Files{Certificate: text, Key: files.Key}, "has no certificate in PEM"},
		"a file is away":  {certificate.Files{Certificate: filepath.Join(folder, "none"), Key: files.Key}, "tls.cert cannot be read"},
		"the key is away": {certificate.Files{Certificate: files.Certificate, Key: filepath.Join(folder, "none")}, "tls.key cannot be read"},
	} {
		err := test.files.Validate()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// handshake returns the host of the certificate with which a server of that configuration answers.
func handshake(t *testing.T, server, client *tls.Config) (string, error) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.(*tls.Conn).HandshakeContext(t.Context()) // the client's side has the error
	}()
	conn, err := tls.Dial("tcp", listener.Addr().String(), client)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].DNSNames[0], nil
}

func TestFollow(t *testing.T) {
	folder := t.TempDir()
	files := selfSigned(t, folder, "old.example")
	log := &testutil.LogBuffer{}
	follower, err := certificate.Follow(files, "http.tls", slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	trustAll := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // what is presented is what is tested
	presented := func() string {
		host, err := handshake(t, follower.Config(), trustAll)
		if err != nil {
			t.Fatal(err)
		}
		return host
	}
	if got := presented(); got != "old.example" {
		t.Fatalf("it presents %q", got)
	}
	if problem := follower.Problem(); problem != "" {
		t.Errorf("there is a problem: %s", problem)
	}

	// A file that cannot be used changes nothing but the condition.
	if err := os.WriteFile(files.Certificate, []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, "the bad file is reported", func() bool { return strings.Contains(follower.Problem(), "the one before it stays") })
	if got := presented(); got != "old.example" {
		t.Errorf("with a bad file it presents %q", got)
	}
	if conditions := follower.Conditions("certificate"); len(conditions) != 1 || conditions[0].Severity != edgelens.SeverityDegraded {
		t.Errorf("the conditions are %v", conditions)
	}

	selfSigned(t, folder, "new.example")
	testutil.Eventually(t, "the new certificate is presented", func() bool { return presented() == "new.example" })
	if problem := follower.Problem(); problem != "" {
		t.Errorf("there is a problem: %s", problem)
	}

	// ACME clients may take the files away for a moment.
	if err := os.Remove(files.Certificate); err != nil {
		t.Fatal(err)
	}
	if got := presented(); got != "new.example" {
		t.Errorf("without a file it presents %q", got)
	}
	if text, err := os.ReadFile(files.Key); err != nil || strings.Contains(log.String(), strings.Split(string(text), "\n")[1]) {
		t.Errorf("the private key is in the log (%v)", err)
	}
}

func TestProblem(t *testing.T) {
	for name, test := range map[string]struct {
		made time.Time
		days int
		want string
	}{
		"valid":        {time.Now(), 90, ""},
		"expires soon": {time.Now(), 8, "expires on"},
		"expired":      {time.Now().AddDate(0, 0, -30), 8, "clients refuse it"},
		"not yet":      {time.Now().AddDate(0, 0, 30), 8, "check the clock"},
	} {
		files, _, err := certificate.SelfSigned{Hosts: []string{"a.example"}, Days: test.days, Now: test.made}.Write(t.TempDir(), false)
		if err != nil {
			t.Fatal(err)
		}
		follower, err := certificate.Follow(files, "mqtt.tls", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		problem := follower.Problem()
		if (problem == "") != (test.want == "") || !strings.Contains(problem, test.want) {
			t.Errorf("%s: %q, want %q", name, problem, test.want)
		}
	}
}

func TestFollowRefusesAtStart(t *testing.T) {
	_, err := certificate.Follow(certificate.Files{Certificate: "none.pem", Key: "none.pem"}, "http.tls", slog.New(slog.DiscardHandler))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
}

func TestPinned(t *testing.T) {
	files, other := selfSigned(t, t.TempDir(), "a.example"), selfSigned(t, t.TempDir(), "a.example")
	server, err := certificate.Follow(files, "http.tls", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	own, err := files.Pinned()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := handshake(t, server.Config(), own); err != nil {
		t.Errorf("its own certificate is refused: %v", err)
	}
	foreign, err := other.Pinned()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := handshake(t, server.Config(), foreign); err == nil {
		t.Error("another certificate for the same name is trusted")
	}
}

func TestWatch(t *testing.T) {
	folder := t.TempDir()
	files := selfSigned(t, folder, "old.example")
	ctx, stop := context.WithCancel(t.Context())
	changed, ended := make(chan struct{}, 10), make(chan struct{})
	go func() {
		defer close(ended)
		files.WatchEvery(ctx, 5*time.Millisecond, func() { changed <- struct{}{} })
	}()
	selfSigned(t, folder, "new.example")
	select {
	case <-changed:
	case <-time.After(10 * time.Second):
		t.Fatal("the change was not noticed")
	}
	stop()
	<-ended
}

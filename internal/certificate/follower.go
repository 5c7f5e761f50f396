package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"edgelens"
)

// lookInterval is how often the files are looked at, when a certificate is needed.
const lookInterval = time.Second

// Follower has the present certificate of files that are replaced now and then, as ACME clients do. New files that cannot
// be used are logged once, and the certificate before them stays. It needs no goroutine, and is safe for use by many.
type Follower struct {
	files Files
	// setting is what the names of the files' settings begin with, such as "http.tls".
	setting string
	log     *slog.Logger
	now     func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	read    version // what current was read from, or what could not be
	looked  time.Time
	problem error // of what was read last
}

// Follow reads the files, which are named by the settings that begin so (".cert" and ".key" follow). The error is that of
// Files.Validate.
func Follow(files Files, setting string, log *slog.Logger) (*Follower, error) {
	// The version comes first: what changes while it is read is read again.
	read, err := files.version()
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	current, err := files.load()
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	return &Follower{files: files, setting: setting, log: log, now: time.Now, current: current, read: read, looked: time.Now()}, nil
}

// Config returns the configuration of a server: TLS 1.2 or newer, with the present certificate.
func (f *Follower) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.Certificate(), nil },
	}
}

// Certificate returns the present certificate.
func (f *Follower) Certificate() *tls.Certificate {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look()
	return f.current
}

// Expires returns when the present certificate does.
func (f *Follower) Expires() time.Time { return f.Certificate().Leaf.NotAfter }

// Problem describes what an operator must do about the certificate, for example that it expires soon; "" for nothing.
func (f *Follower) Problem() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look()
	if f.problem != nil {
		return "the new certificate cannot be used, and the one before it stays: " + f.problem.Error()
	}
	leaf := f.current.Leaf // set by tls.X509KeyPair
	return f.problemOf(leaf, f.now())
}

// Conditions returns a condition with that name where there is a Problem.
func (f *Follower) Conditions(name string) []edgelens.Condition {
	problem := f.Problem()
	if problem == "" {
		return nil
	}
	return []edgelens.Condition{{Name: name, Severity: edgelens.SeverityDegraded, Reason: problem}}
}

// expiresSoon is how long before its end a certificate is reported. ACME clients renew 30 days before it.
const expiresSoon = 14 * 24 * time.Hour

func (f *Follower) problemOf(leaf *x509.Certificate, now time.Time) string {
	switch left := leaf.NotAfter.Sub(now); {
	case now.Before(leaf.NotBefore):
		return fmt.Sprintf("the certificate is valid from %s on; check the clock of this machine", leaf.NotBefore.Format(time.RFC3339))
	case left <= 0:
		return fmt.Sprintf("the certificate expired on %s, and clients refuse it; replace the files of %[2]s.cert and %[2]s.key, no restart is needed", leaf.NotAfter.Format(time.DateOnly), f.setting)
	case left < expiresSoon:
		return fmt.Sprintf("the certificate expires on %s; replace the files of %[2]s.cert and %[2]s.key, no restart is needed", leaf.NotAfter.Format(time.DateOnly), f.setting)
	}
	return ""
}

// look reads files that have changed. Files that are gone for a moment have not.
func (f *Follower) look() {
	now := f.now()
	if now.Sub(f.looked).Abs() < lookInterval {
		return
	}
	f.looked = now
	found, err := f.files.version()
	if err != nil || found == f.read {
		return
	}
	f.read = found
	fresh, err := f.files.load()
	if f.problem = err; err != nil {
		// Of two files, one is replaced before the other; then this is over at the next look.
		f.log.Warn("new certificate cannot be used; the one before it stays", "event", "certificate_refused", "setting", f.setting, "reason", err)
		return
	}
	f.current = fresh
	f.log.Info("certificate replaced", "event", "certificate_replaced", "setting", f.setting, "expires", fresh.Leaf.NotAfter.Format(time.DateOnly))
}

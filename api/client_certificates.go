package api

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"

	"github.com/labstack/echo/v4"

	"edgelens"
	"edgelens/internal/certificate"
)

// The values of Config.ClientCA and Config.ClientAuth.
const (
	// ClientCAOwn is the certificate authority of this site.
	ClientCAOwn = "own"
	// ClientAuthOptional verifies the certificate of a client that shows one; ClientAuthRequire refuses those without.
	ClientAuthOptional = "optional"
	ClientAuthRequire  = "require"
)

// validateClientAuth reports all errors about the certificates of clients.
func (c Config) validateClientAuth() (errs []error) {
	if !slices.Contains([]string{ClientAuthOptional, ClientAuthRequire}, c.ClientAuth) {
		errs = append(errs, fmt.Errorf("tls.client_auth must be %s or %s, not %q", ClientAuthOptional, ClientAuthRequire, c.ClientAuth))
	}
	if c.ClientCA != "" && c.ClientCA != ClientCAOwn {
		if _, err := readPool(c.ClientCA); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// readPool reads the certificates of a file, as roots of trust.
func readPool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("tls.client_ca cannot be read: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("tls.client_ca %s has no certificate in PEM", file)
	}
	return pool, nil
}

// useClientCertificates has clients identify themselves by certificates, where that is configured.
func (s *Server) useClientCertificates(log *slog.Logger) error {
	switch {
	case s.config.ClientCA == "" && s.config.ClientAuth == ClientAuthRequire:
		return fmt.Errorf("%w: http.tls.client_auth is %s, and needs http.tls.client_ca: set it to %s, or to a file", edgelens.ErrInvalid, ClientAuthRequire, ClientCAOwn)
	case len(s.config.ClientCRLs) > 0 && (s.config.ClientCA == "" || s.config.ClientCA == ClientCAOwn):
		return fmt.Errorf("%w: http.tls.client_crl has revocation lists for the authorities of a file, which http.tls.client_ca must name; that of the own authority is always in force", edgelens.ErrInvalid)
	case s.config.ClientCA == "":
		return nil
	}
	if s.http.TLSConfig == nil {
		return fmt.Errorf("%w: http.tls.client_ca is set, and needs HTTPS: set http.tls.cert and http.tls.key, too", edgelens.ErrInvalid)
	}
	config := s.http.TLSConfig
	config.ClientAuth = tls.VerifyClientCertIfGiven
	if s.config.ClientAuth == ClientAuthRequire {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if s.config.ClientCA != ClientCAOwn {
		return s.useOtherAuthorities(config, log)
	}
	if _, err := s.certificates.PEM(); err != nil {
		return fmt.Errorf("http.tls.client_ca is %s: %w", ClientCAOwn, err)
	}
	config.ClientCAs = s.certificates.Pool()
	// Called for each connection, also for one that resumes an earlier one.
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return nil
		}
		_, err := s.certificates.Check(state.PeerCertificates[0])
		return err
	}
	return nil
}

// useOtherAuthorities has clients show certificates of the authorities of a file, and their revocation lists followed.
func (s *Server) useOtherAuthorities(config *tls.Config, log *slog.Logger) (err error) {
	if config.ClientCAs, err = readPool(s.config.ClientCA); err != nil || len(s.config.ClientCRLs) == 0 {
		return err
	}
	if s.revocations, err = certificate.FollowRevocations(s.config.ClientCRLs, log); err != nil {
		return fmt.Errorf("%w: http.tls.client_crl: %w", edgelens.ErrInvalid, err)
	}
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return nil
		}
		return s.revocations.Check(state.VerifiedChains)
	}
	return nil
}

// identifyCertificate notes the certificate of a request's connection, and refuses one that was revoked or has expired since the
// connection began.
func (s *Server) identifyCertificate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		x := exchangeFrom(c.Request().Context())
		name, err := s.certificateOf(c.Request())
		if x.certificate = name; err != nil {
			c.Response().Header().Set("Connection", "close")
			return s.deny(c, anyKey, err)
		}
		return next(c)
	}
}

// certificateOf returns the name in the certificate of a request's client; "" where it has shown none. The error is an
// edgelens.ErrForbidden for one that cannot be used any more.
func (s *Server) certificateOf(r *http.Request) (name string, err error) {
	if s.config.ClientCA == "" || r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return "", nil
	}
	presented := r.TLS.PeerCertificates[0]
	if s.config.ClientCA != ClientCAOwn {
		if s.revocations != nil {
			err = s.revocations.Check(r.TLS.VerifiedChains)
		}
		return presented.Subject.CommonName, err
	}
	known, err := s.certificates.Check(presented)
	if err != nil {
		return presented.Subject.CommonName, err
	}
	return known.Name, nil
}

// errNoCertificate is the error of a request whose client has shown no certificate.
var errNoCertificate = fmt.Errorf("%w: this call needs the certificate that is to be renewed, by TLS, and http.tls.client_ca: own", edgelens.ErrUnauthorized)

// peerCertificate returns the certificate that a request's client has shown, which TLS has verified.
func peerCertificate(r *http.Request) (*x509.Certificate, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil, errNoCertificate
	}
	return r.TLS.PeerCertificates[0], nil
}

// certificateStands returns an error where a stream's client has shown a certificate that cannot be used any more.
func (s *Server) certificateStands(r *http.Request) error {
	_, err := s.certificateOf(r)
	if errors.Is(err, edgelens.ErrForbidden) {
		return err
	}
	return nil
}

package api

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"edgelens"
)

// Certificates is the certificate authority of the site. Its methods are quick.
type Certificates interface {
	// PEM returns its certificate, and Revocations its revocation list in DER. The error is an edgelens.ErrNotFound where there
	// is no authority.
	PEM() ([]byte, error)
	Revocations() ([]byte, error)
	// Pool has its certificate as the root of trust.
	Pool() *x509.CertPool
	// Check returns what is known of a certificate. Its error is an edgelens.ErrForbidden for one that cannot be used.
	Check(presented *x509.Certificate) (edgelens.Certificate, error)
	// EnrollByToken issues the certificate of the device that a token is for, by its certificate signing request in PEM. Errors:
	// edgelens.ErrUnauthorized for the token, ErrInvalid for the request, ErrConflict for a device that has another key.
	EnrollByToken(ctx context.Context, token string, csr []byte) (edgelens.Certificate, error)
	// RenewBy issues another certificate for the device that has shown one. Errors: those of Check and EnrollByToken.
	RenewBy(ctx context.Context, present *x509.Certificate, csr []byte) (edgelens.Certificate, error)
	// Chain returns a certificate in PEM, with that of the authority behind it.
	Chain(edgelens.Certificate) ([]byte, error)
}

// noCertificates is the authority of a server without one.
type noCertificates struct{}

var errNoAuthority = fmt.Errorf("%w: this service has no certificate authority", edgelens.ErrNotFound)

func (noCertificates) PEM() ([]byte, error)         { return nil, errNoAuthority }
func (noCertificates) Revocations() ([]byte, error) { return nil, errNoAuthority }
func (noCertificates) Pool() *x509.CertPool         { return x509.NewCertPool() }
func (noCertificates) Check(*x509.Certificate) (edgelens.Certificate, error) {
	return edgelens.Certificate{}, fmt.Errorf("%w: this service has no certificate authority", edgelens.ErrForbidden)
}
func (noCertificates) EnrollByToken(context.Context, string, []byte) (edgelens.Certificate, error) {
	return edgelens.Certificate{}, errNoAuthority
}
func (noCertificates) RenewBy(context.Context, *x509.Certificate, []byte) (edgelens.Certificate, error) {
	return edgelens.Certificate{}, errNoAuthority
}
func (noCertificates) Chain(edgelens.Certificate) ([]byte, error) { return nil, errNoAuthority }

const (
	// maxRequestBytes bounds a certificate signing request, of some 500 bytes.
	maxRequestBytes = 8 << 10
	// The media types of a chain in PEM (RFC 8555, 9.1), a certificate, and a revocation list (RFC 2585, 4.2).
	typeChain       = "application/pem-certificate-chain"
	typeRevocations = "application/pkix-crl"
)

// errEnrolments is the error for an address with too many failed enrolments.
var errEnrolments = fmt.Errorf("%w: too many failed enrolments from this address; try again after the seconds in Retry-After", edgelens.ErrUnauthorized)

// errNoToken is the error of an enrolment without a token.
var errNoToken = fmt.Errorf("%w: send the enrolment token as Authorization: Bearer ele_...; `edgelens device enroll NAME --token` makes one (docs/identity.md)", edgelens.ErrUnauthorized)

// serveEnroll issues the first certificate of a device.
func (s *Server) serveEnroll(c echo.Context) error {
	r := c.Request()
	client, now := s.proxies.client(r), time.Now()
	if wait := s.enrolments.wait(client, now); wait > 0 {
		c.Response().Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		_ = s.deny(c, anyKey, errEnrolments)
		return echo.NewHTTPError(http.StatusTooManyRequests, "Too many failed enrolments from your address. Try again after the seconds in Retry-After.")
	}
	token, err := headerToken(r.Header)
	if err == nil && token == "" {
		err = errNoToken
	}
	if err != nil {
		return err
	}
	csr, err := readRequest(c)
	if err != nil {
		return err
	}
	issued, err := s.certificates.EnrollByToken(r.Context(), token, csr)
	if errors.Is(err, edgelens.ErrUnauthorized) {
		s.enrolments.fail(client, now)
		return s.deny(c, anyKey, err)
	}
	return s.sendChain(c, issued, err)
}

// serveRenew issues another certificate for a device that shows one by TLS.
func (s *Server) serveRenew(c echo.Context) error {
	present, err := peerCertificate(c.Request())
	if err != nil {
		return err
	}
	csr, err := readRequest(c)
	if err != nil {
		return err
	}
	issued, err := s.certificates.RenewBy(c.Request().Context(), present, csr)
	return s.sendChain(c, issued, err)
}

// readRequest reads a certificate signing request, whatever its Content-Type.
func readRequest(c echo.Context) ([]byte, error) {
	exchangeFrom(c.Request().Context()).bodyRead = true
	text, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxRequestBytes))
	if err != nil {
		return nil, bodyError(err)
	}
	return text, nil
}

func (s *Server) sendChain(c echo.Context, issued edgelens.Certificate, err error) error {
	if err != nil {
		return err
	}
	chain, err := s.certificates.Chain(issued)
	if err != nil {
		return err
	}
	x := exchangeFrom(c.Request().Context())
	x.action, x.certificate = "enroll", issued.Name
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Blob(http.StatusOK, typeChain, chain)
}

// serveAuthority serves the certificate of the authority.
func (s *Server) serveAuthority(c echo.Context) error {
	text, err := s.certificates.PEM()
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, typeChain, text)
}

// serveRevocations serves the revocation list, in DER as RFC 5280 has it, or in PEM for programs that read nothing else.
func (s *Server) serveRevocations(c echo.Context) error {
	list, err := s.certificates.Revocations()
	if err != nil {
		return err
	}
	if route(c) == revocationsPEM {
		return c.Blob(http.StatusOK, "application/x-pem-file", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list}))
	}
	return c.Blob(http.StatusOK, typeRevocations, list)
}

// The paths of what everyone may know about the authority.
const (
	authorityPEM   = "/.well-known/edgelens/ca.pem"
	revocationsDER = "/.well-known/edgelens/crl.der"
	revocationsPEM = "/.well-known/edgelens/crl.pem"
)

// registerCertificates adds the routes.
func (s *Server) registerCertificates(e *echo.Echo) {
	e.POST("/api/enroll", s.serveEnroll)
	e.POST("/api/enroll/renew", s.serveRenew)
	e.GET(authorityPEM, s.serveAuthority)
	e.GET(revocationsDER, s.serveRevocations)
	e.GET(revocationsPEM, s.serveRevocations)
}

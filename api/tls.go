package api

import (
	"log/slog"
	"net/http"

	"edgelens"
	"edgelens/internal/certificate"
)

// maxRequestStreams is the maximum number of simultaneous requests on a connection with HTTP/2: a browser's page needs a few, and
// a flood must not come by one connection.
const maxRequestStreams = 32

// useCertificate prepares TLS, with HTTP/2, where a certificate is configured.
func (s *Server) useCertificate(log *slog.Logger) (err error) {
	if !s.config.TLS.IsSet() {
		return nil
	}
	if s.certificate, err = certificate.Follow(s.config.TLS, "http.tls", log); err != nil {
		return err
	}
	s.http.TLSConfig = s.certificate.Config()
	s.http.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: maxRequestStreams}
	return nil
}

// Certificate returns the server's certificate; nil without TLS.
func (s *Server) Certificate() *certificate.Follower { return s.certificate }

// Conditions returns what is wrong with the server itself: its certificate, and the revocation lists of its clients' authorities.
func (s *Server) Conditions() (all []edgelens.Condition) {
	if s.certificate != nil {
		all = s.certificate.Conditions("certificate")
	}
	if s.revocations != nil {
		all = append(all, s.revocations.Conditions("client_crl")...)
	}
	return all
}

package api

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Listen binds the configured address.
func (s *Server) Listen() (net.Listener, error) {
	l, err := net.Listen("tcp", s.config.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; is another edgelens running? --listen sets another address", s.config.Listen, err)
	}
	return l, nil
}

// Serve answers requests on l until Shutdown, and then returns nil.
func (s *Server) Serve(l net.Listener) error { return s.serve(l, halfClosedGrace) }

func (s *Server) serve(l net.Listener, grace time.Duration) error {
	serve := s.http.Serve
	if s.certificate != nil {
		// A TLS connection has no half of its own to close, and its client's errors are net/http's: package-level
		// treatment in conn.go is for plain text.
		serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	if err := serve(listener{l, grace}); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

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
	if err := s.http.Serve(listener{l, grace}); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

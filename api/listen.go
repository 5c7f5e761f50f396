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

// listener wraps the connections of another listener, and refuses those that are too many.
type listener struct {
	net.Listener
	halfClosedGrace time.Duration
	server          *Server
}

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		tcp, ok := accepted.(*net.TCPConn)
		if err != nil || !ok {
			return accepted, err
		}
		c := &conn{TCPConn: tcp, halfClosedGrace: l.halfClosedGrace, connections: l.server.connections}
		c.changed.L = &c.mu
		if raw, err := tcp.SyscallConn(); err == nil && l.server.refusesEarly() {
			c.raw, c.refuse = raw, l.server.refuseEarly
		}
		reason := l.server.connections.admit(c)
		if reason == "" {
			return c, nil
		}
		l.server.noteRefusal(reason)
		l.server.connections.turnAway(tcp, reason)
	}
}

// Serve answers requests on l until Shutdown, and then returns nil.
func (s *Server) Serve(l net.Listener) error { return s.serve(l, halfClosedGrace) }

func (s *Server) serve(l net.Listener, grace time.Duration) error {
	serve := s.http.Serve
	if s.certificate != nil {
		// What conn.go does about the halves of a connection is for plain text alone.
		serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	if err := serve(listener{l, grace, s}); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

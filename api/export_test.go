package api

import (
	"net"
	"time"
)

// ServeWithShortGrace is Serve for tests with a client that has closed its sending side and is gone.
func (s *Server) ServeWithShortGrace(l net.Listener) error { return s.serve(l, 50*time.Millisecond) }

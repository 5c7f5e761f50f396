package api

import (
	"net"
	"time"
)

// ServeWithShortGrace is Serve for tests with a client that has closed its sending side and is gone.
func (s *Server) ServeWithShortGrace(l net.Listener) error { return s.serve(l, 50*time.Millisecond) }

// Rules returns whether each route that has a rule is open, by method and route.
func Rules() map[string]bool {
	all := map[string]bool{}
	for name, rule := range rules {
		all[name] = rule.open
	}
	return all
}

// Registered returns the routes of the server, as in Rules.
func (s *Server) Registered() map[string]bool { return s.registered }

// FieldIn is fieldIn for the fuzz target.
var FieldIn = fieldIn

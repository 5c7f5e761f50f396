package api

import (
	"net"
	"net/http"
	"sync/atomic"
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

// SetUploadGrace sets how long a body may arrive slowly, for tests.
func (s *Server) SetUploadGrace(grace time.Duration) { s.rateGrace = grace }

// SetMaxConnections sets how many connections there may be, other than of this machine, and lets each be closed at once
// where it has no request, for tests.
func (s *Server) SetMaxConnections(n int) { s.connections.max, s.connections.settled = n, 0 }

// CountHandled counts the requests that net/http hands to the server, which must not serve yet.
func (s *Server) CountHandled() *atomic.Int64 {
	handled, next := &atomic.Int64{}, s.http.Handler
	s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handled.Add(1)
		next.ServeHTTP(w, r)
	})
	return handled
}

// PlainHead is what readPlainHead reads.
func PlainHead(received []byte) (bytes, length int, host, token string, ok bool) {
	head, ok := readPlainHead(received)
	return head.bytes, head.length, head.host, head.token, ok
}

// HeaderToken is headerToken for the fuzz target.
var HeaderToken = headerToken

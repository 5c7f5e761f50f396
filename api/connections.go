package api

import (
	"container/list"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens/internal/uuid7"
)

const (
	// otherFiles is how many descriptors are left for what is not a connection of a client.
	otherFiles = 512
	// defaultDescriptors is how many files a process may have open where that is unknown.
	defaultDescriptors = 1024
	// maxConnections bounds the memory of the connections, of about 20 kB each.
	maxConnections = 8192
	// localConnections is how many more a program of this machine may open, such as a health
	// check, when all others are in use.
	localConnections = 16
	// settled is for how long a connection without a request is not closed for another.
	settled = 100 * time.Millisecond
	// turnedAwayFor is how long a connection that was refused stays open for its client to
	// read the response, and maxTurnedAway how many do at a time.
	turnedAwayFor = 500 * time.Millisecond
	maxTurnedAway = 64
)

// connections are those of the clients. There are fewer than the process may have
// descriptors, and of each address no more than by the setting; where they are all in use,
// the one that has been without a request for the longest time is closed. It is a
// prometheus.Collector, and safe for concurrent use.
type connections struct {
	max, perAddress int
	proxies         proxies
	settled         time.Duration

	mu sync.Mutex
	// open has each one's place among those without a request, nil where it has one.
	open      map[*conn]*list.Element
	byAddress map[netip.Prefix]int
	// idle are those without a request, the longest first.
	idle *list.List // of *unused
	// turnedAway is how many were refused and are still open.
	turnedAway int
}

// unused is a connection without a request.
type unused struct {
	conn  *conn
	since time.Time
}

func newConnections(config Config, trusted proxies) *connections {
	files := descriptors()
	return &connections{
		max: min(files-min(otherFiles, files/2), maxConnections), perAddress: config.MaxConnectionsPerAddress, proxies: trusted, settled: settled,
		open: map[*conn]*list.Element{}, byAddress: map[netip.Prefix]int{}, idle: list.New(),
	}
}

// addressOf is the address of a connection's client, by which connections are counted: of
// IPv6, the network of 64 bits that one subscriber has.
func addressOf(c net.Conn) netip.Prefix {
	remote, _ := netip.ParseAddrPort(c.RemoteAddr().String())
	return subscriber(remote.Addr())
}

// subscriber is the network that one subscriber has.
func subscriber(address netip.Addr) netip.Prefix {
	address = address.Unmap().WithZone("")
	bits := address.BitLen()
	if address.Is6() {
		bits = 64
	}
	prefix, _ := address.Prefix(bits) // the zero Addr has the zero Prefix
	return prefix
}

// admit adds a new connection, or returns the reason why there is no room for it.
func (s *connections) admit(c *conn) (refused string) {
	address := addressOf(c)
	c.address = address
	local := address.Addr().IsLoopback()
	bounded := s.perAddress > 0 && !local && !s.proxies.contains(address.Addr())
	s.mu.Lock()
	var closing *conn
	limit := s.max
	if local {
		limit += localConnections
	}
	switch {
	case bounded && s.byAddress[address] >= s.perAddress:
		closing = s.longestIdle(func(other *conn) bool { return other.address == address })
		refused = refusedAddress
	case len(s.open) >= limit:
		closing = s.longestIdle(func(*conn) bool { return true })
		refused = refusedConnections
	}
	if closing != nil {
		s.forget(closing)
		refused = ""
	}
	if refused == "" {
		s.open[c] = s.idle.PushBack(&unused{c, time.Now()})
		s.byAddress[address]++
	}
	s.mu.Unlock()
	if closing != nil {
		_ = closing.Close() // its client is not waiting for a response
	}
	return refused
}

// note is called by net/http when the state of a connection changes.
func (s *connections) note(c net.Conn, state http.ConnState) {
	ours, ok := ourConn(c)
	if !ok {
		return
	}
	switch state {
	case http.StateNew:
		ours.awaitRequest()
	case http.StateActive:
		s.setIdle(ours, false)
	case http.StateIdle:
		ours.set(func() { ours.answering, ours.cancel = false, nil })
		ours.awaitRequest()
		s.setIdle(ours, true)
	}
}

func (s *connections) setIdle(c *conn, idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	place, open := s.open[c]
	switch {
	case !open || idle == (place != nil):
	case idle:
		s.open[c] = s.idle.PushBack(&unused{c, time.Now()})
	default:
		s.idle.Remove(place)
		s.open[c] = nil
	}
}

// renew notes that a connection has a request just now, which net/http does not see.
func (s *connections) renew(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if place := s.open[c]; place != nil {
		place.Value.(*unused).since = time.Now()
		s.idle.MoveToBack(place)
	}
}

// remove is called when a connection is closed; further calls do nothing.
func (s *connections) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(c)
}

// forget must be called with the lock held.
func (s *connections) forget(c *conn) {
	place, open := s.open[c]
	if !open {
		return
	}
	if place != nil {
		s.idle.Remove(place)
	}
	delete(s.open, c)
	if s.byAddress[c.address]--; s.byAddress[c.address] == 0 {
		delete(s.byAddress, c.address)
	}
}

// longestIdle returns the matching connection that has been without a request for the
// longest time, nil for none. It must be called with the lock held.
func (s *connections) longestIdle(matches func(*conn) bool) *conn {
	for e := s.idle.Front(); e != nil; e = e.Next() {
		u := e.Value.(*unused)
		if time.Since(u.since) < s.settled {
			return nil
		}
		if matches(u.conn) {
			return u.conn
		}
	}
	return nil
}

// stop closes the connections without a request.
func (s *connections) stop() {
	s.mu.Lock()
	var idle []*conn
	for e := s.idle.Front(); e != nil; e = e.Next() {
		idle = append(idle, e.Value.(*unused).conn)
	}
	s.mu.Unlock()
	for _, c := range idle {
		_ = c.Close() // its client is not waiting for a response
	}
}

// count returns how many are open.
func (s *connections) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// turnAway answers a connection that is refused, and closes it: a little later, or else what
// its client has sent would reset the connection before the client reads the answer.
func (s *connections) turnAway(c *net.TCPConn, reason string) {
	s.mu.Lock()
	lingers := s.turnedAway < maxTurnedAway
	if lingers {
		s.turnedAway++
	}
	s.mu.Unlock()
	if !lingers {
		_ = c.Close() // there are too many to answer all of them
		return
	}
	_ = c.SetWriteDeadline(time.Now().Add(time.Second)) // an error shows in the next call
	_, _ = c.Write(turnedAway(reason))                  // the client may be gone
	_ = c.CloseWrite()                                  // the same
	time.AfterFunc(turnedAwayFor, func() {
		_ = c.Close() // nothing is lost
		s.mu.Lock()
		defer s.mu.Unlock()
		s.turnedAway--
	})
}

// turnedAway is the response on a connection that is refused.
func turnedAway(reason string) []byte {
	detail := "The service has as many connections as it can serve. Try again after the seconds in Retry-After."
	if reason == refusedAddress {
		detail = "Your address has as many connections as one may have (http.max_connections_per_address). Use fewer, or close those that are idle."
	}
	id := uuid7.New(time.Now())
	body, err := json.Marshal(Problem{
		Type: "urn:edgelens:problem:busy", Title: "Busy", Status: http.StatusServiceUnavailable, Code: "busy",
		Detail: detail, Error: detail, RequestId: id, Instance: "/",
	})
	if err != nil {
		return nil // not for these values
	}
	return fmt.Appendf(nil, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\nRetry-After: 5\r\nX-Request-Id: %s\r\nConnection: close\r\n\r\n%s",
		len(body), id, body)
}

var (
	connectionsDesc    = prometheus.NewDesc("edgelens_http_connections", "Connections of HTTP clients by state: active (with a request) or idle.", []string{"state"}, nil)
	maxConnectionsDesc = prometheus.NewDesc("edgelens_http_max_connections", "Connections of HTTP clients that may be open at a time.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *connections) Describe(descs chan<- *prometheus.Desc) {
	descs <- connectionsDesc
	descs <- maxConnectionsDesc
}

// Collect implements prometheus.Collector.
func (s *connections) Collect(to chan<- prometheus.Metric) {
	s.mu.Lock()
	open, idle := len(s.open), s.idle.Len()
	s.mu.Unlock()
	to <- prometheus.MustNewConstMetric(connectionsDesc, prometheus.GaugeValue, float64(open-idle), "active")
	to <- prometheus.MustNewConstMetric(connectionsDesc, prometheus.GaugeValue, float64(idle), "idle")
	to <- prometheus.MustNewConstMetric(maxConnectionsDesc, prometheus.GaugeValue, float64(s.max))
}

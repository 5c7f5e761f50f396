package api

import (
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
)

// maxStreams is the maximum number of event streams of one client.
const maxStreams = 64

// streams counts the event streams of each client. It is a prometheus.Collector, and safe
// for concurrent use.
type streams struct {
	mu      sync.Mutex
	total   int
	clients map[string]int
}

func newStreams() *streams { return &streams{clients: map[string]int{}} }

// clientOf names the client for limits of one client: by its key, or else its address.
func (s *Server) clientOf(c echo.Context) string {
	if key := keyFrom(c.Request().Context()); key.ID != "" {
		return "key " + key.ID
	}
	return subscriber(s.proxies.client(c.Request())).String()
}

// tooManyStreams is the error of a client with maxStreams.
var tooManyStreams = &refusal{
	reason: refusedStreams, detail: "This client has 64 event streams, which is the limit. Close those that are not used: one stream has all events.",
	error: &edgelens.Busy{RetryAfter: 30 * time.Second, Reason: "the client has as many event streams as one may have"},
}

// open counts a stream of a client, which must be closed; false where it has too many.
func (s *streams) open(client string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[client] >= maxStreams {
		return false
	}
	s.clients[client]++
	s.total++
	return true
}

func (s *streams) close(client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.clients[client]--; s.clients[client] == 0 {
		delete(s.clients, client)
	}
}

var streamsDesc = prometheus.NewDesc("edgelens_event_streams", "Clients that receive server-sent events.", nil, nil)

// Describe implements prometheus.Collector.
func (s *streams) Describe(descs chan<- *prometheus.Desc) { descs <- streamsDesc }

// Collect implements prometheus.Collector.
func (s *streams) Collect(to chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to <- prometheus.MustNewConstMetric(streamsDesc, prometheus.GaugeValue, float64(s.total))
}

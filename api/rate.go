package api

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"
)

// maxRateClients bounds the clients whose rates are known at a time.
const maxRateClients = 10_000

// rates limits the requests of each client by a token bucket. It is safe for concurrent use.
type rates struct {
	limit rate.Limit // 0 for no limit
	burst int
	now   func() time.Time

	mu      sync.Mutex
	buckets map[netip.Prefix]*rate.Limiter
}

func newRates(config Config) *rates {
	return &rates{limit: rate.Limit(config.RateLimit), burst: config.RateBurst, now: time.Now, buckets: map[netip.Prefix]*rate.Limiter{}}
}

// take takes a token of a client, or returns how long it takes until there is one.
func (r *rates) take(client netip.Prefix) (wait time.Duration) {
	if r.limit == 0 {
		return 0
	}
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	bucket := r.buckets[client]
	if bucket == nil {
		r.makeRoom(now)
		bucket = rate.NewLimiter(r.limit, r.burst)
		r.buckets[client] = bucket
	}
	reservation := bucket.ReserveN(now, 1)
	if wait = reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now) // who is refused has used nothing
	}
	return wait
}

// makeRoom forgets the clients whose buckets are full, which are as good as new ones; and all where none is: they
// then have a burst more than they should, which costs less than refusing new clients.
func (r *rates) makeRoom(now time.Time) {
	if len(r.buckets) < maxRateClients {
		return
	}
	for client, bucket := range r.buckets {
		if bucket.TokensAt(now) >= float64(r.burst) {
			delete(r.buckets, client)
		}
	}
	if len(r.buckets) >= maxRateClients {
		clear(r.buckets)
	}
}

// limitRate refuses the requests of clients that send too many. Probes are not counted: an orchestrator must not restart
// a service because it asks too often.
func (s *Server) limitRate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if openRoutes[route(c)] {
			return next(c)
		}
		wait := s.rates.take(subscriber(s.proxies.client(c.Request())))
		if wait == 0 {
			return next(c)
		}
		c.Response().Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		return echo.NewHTTPError(http.StatusTooManyRequests, fmt.Sprintf(
			"This client sends more than %v requests per second (http.rate_limit). Try again after the seconds in Retry-After.", s.config.RateLimit))
	}
}

// Package api is the HTTP API. openapi.yaml is the source of truth; the types
// and routes in api.gen.go are generated from it (`make generate`).
//
// A handler reads the upload once, bounded, hashing on the way, and passes an
// edgelens.Request to the Recognizer. It decodes nothing. Every error is sent
// as an RFC 9457 problem by the one table in problem.go.
package api

import (
	"cmp"
	"context"
	_ "embed" // openapi.yaml
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"edgelens"
	"edgelens/internal/certificate"
	"edgelens/internal/loglimit"
)

//go:embed openapi.yaml
var specification []byte

// Models lists the models.
type Models interface {
	// List returns every known model by name.
	List() []edgelens.Model
}

// Readiness reports the service's readiness conditions.
type Readiness interface {
	// Conditions returns the present conditions, in order.
	Conditions() []edgelens.Condition
}

// Parts are the dependencies of the server.
type Parts struct {
	Recognizer edgelens.Recognizer
	Models     Models
	Queue      Queue
	Jobs       Jobs
	History    History
	Events     Events
	// Devices may be nil: then there are no devices.
	Devices Devices
	// Images may be nil: then no images are stored.
	Images Images
	// Outbox may be nil: then no event is set aside.
	Outbox Outbox
	// Access may be nil: then no client has a key.
	Access    Access
	Readiness Readiness
	// System describes the program and its machine.
	System     func() edgelens.System
	Metrics    http.Handler
	Registerer prometheus.Registerer
	Log        *slog.Logger
}

// Server serves the HTTP API. It implements StrictServerInterface.
type Server struct {
	config     Config
	recognizer edgelens.Recognizer
	models     Models
	queue      Queue
	jobs       Jobs
	history    History
	events     Events
	devices    Devices
	images     Images
	outbox     Outbox
	access     Access
	readiness  Readiness
	system     func() edgelens.System
	log        *slog.Logger
	hosts      hosts
	proxies    proxies
	operations operations
	cors       cors
	uploads    *semaphore.Weighted
	rates      *rates
	responses  *prometheus.CounterVec
	uploading  prometheus.Gauge
	// registered has the routes, as in rules.
	registered map[string]bool
	denials    loglimit.Limiter
	logins     logins
	http       *http.Server
	// certificate is nil without TLS.
	certificate *certificate.Follower
	// stopping ends the streams, which never end by themselves.
	stopping chan struct{}
	stop     sync.Once
}

// New returns a server that is not listening yet; config must be valid.
func New(config Config, parts Parts) (*Server, error) {
	doc, err := description()
	if err != nil {
		return nil, fmt.Errorf("read the API description: %w", err)
	}
	docs, err := docsPage()
	if err != nil {
		return nil, fmt.Errorf("render the API description: %w", err)
	}
	s := &Server{
		config: config, recognizer: parts.Recognizer, models: parts.Models, queue: parts.Queue, jobs: parts.Jobs, history: parts.History, events: parts.Events,
		devices: cmp.Or[Devices](parts.Devices, noDevices{}), images: cmp.Or[Images](parts.Images, noImages{}),
		outbox: outboxOr(parts.Outbox), access: cmp.Or[Access](parts.Access, noKeys{}), denials: loglimit.Limiter{Every: denialInterval}, readiness: parts.Readiness, system: parts.System, log: parts.Log, stopping: make(chan struct{}),
		uploads: semaphore.NewWeighted(config.MaxUploadBytes), hosts: newHosts(config), proxies: newProxies(config),
		operations: newOperations(doc), cors: newCORS(config), rates: newRates(config),
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_http_responses_total", Help: "HTTP responses by route and status.",
		}, []string{"route", "status"}),
		uploading: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "edgelens_uploads_in_memory_bytes", Help: "Bytes reserved for the bodies of requests in flight.",
		}),
	}
	parts.Registerer.MustRegister(s.responses, s.uploading)

	warnAboutHosts(s.hosts, parts.Log)

	e := echo.New()
	e.HTTPErrorHandler = s.handleError
	e.Use(s.observe, s.hardenHeaders, s.limitRate, s.checkHost, s.allowOrigins, refuseForeignPages(config), s.checkAccess, s.checkQuery, s.boundUploads)
	RegisterHandlers(e, NewStrictHandler(s, nil))
	e.POST("/api/recognize", s.serveRecognize)
	e.POST("/api/recognize_cached", s.serveRecognize)
	e.POST("/api/recognize_async", s.serveRecognizeAsync)
	e.GET("/api/events", s.serveEvents)
	e.GET("/metrics", echo.WrapHandler(parts.Metrics))
	e.GET("/openapi.yaml", fixed("application/yaml", specification))
	e.GET("/docs", page(docs))
	e.GET("/", func(c echo.Context) error { return c.Redirect(http.StatusFound, "/docs") })
	e.GET("/login", s.serveLogin)
	e.POST("/login", s.serveLoginForm)
	e.POST("/logout", s.serveLogout)
	s.registered = registeredRoutes(e)

	s.http = &http.Server{
		Handler:           overConn(normalize(e)),
		ConnContext:       connContext,
		ConnState:         connState,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       config.ReadTimeout,
		// A client that reads its response this slowly will not finish. Long
		// enough for the slowest upload and the recognition after it.
		WriteTimeout:   config.ReadTimeout + 90*time.Second,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(parts.Log.Handler(), slog.LevelDebug),
	}
	return s, s.useCertificate(parts.Log)
}

// Handler returns the HTTP handler, for tests without a socket.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Shutdown stops accepting and waits until every request in flight has its
// response, or ctx ends: then the connections are closed.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop.Do(func() { close(s.stopping) })
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close() // the first error is more specific
		return fmt.Errorf("finish the requests in flight: %w", err)
	}
	return nil
}

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
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/certificate"
	"edgelens/internal/loglimit"
)

//go:embed openapi.yaml
var specification []byte

// Readiness reports the service's readiness conditions.
type Readiness interface {
	// Conditions returns the present conditions, in order.
	Conditions() []edgelens.Condition
}

// Admission predicts whether a recognition could be answered in time.
type Admission interface {
	// Admit returns the error of a request that would arrive now and whose client waits
	// for that long, 0 if it gave no limit. Without one, it may be read, and arrived is called once it was, or has ended; further
	// calls do nothing. Admit is called for every request for a recognition, and must be quick.
	Admit(wait time.Duration) (arrived func(), err error)
}

// Parts are the dependencies of the server.
type Parts struct {
	Recognizer edgelens.Recognizer
	// EmbeddingModel answers requests for embeddings that name no model; "" refuses these.
	EmbeddingModel string
	Models         Models
	Queue          Queue
	Jobs           Jobs
	History        History
	Events         Events
	// Devices may be nil: then there are no devices.
	Devices Devices
	// Images may be nil: then no images are stored.
	Images Images
	// Outbox may be nil: then no event is set aside.
	Outbox Outbox
	// Heads may be nil: then there are none.
	Heads Heads
	// Federation may be nil: then the node takes part in none.
	Federation Federation
	// Held may be nil: then no job is held.
	Held Held
	// Erasure may be nil: then nothing can be erased.
	Erasure Erasure
	// Datasets may be nil: then there are none.
	Datasets Datasets
	// States may be nil: then there are none.
	States States
	// Sensors may be nil: then there are none.
	Sensors Sensors
	// Access may be nil: then no client has a key.
	Access Access
	// Certificates may be nil: then there is no certificate authority.
	Certificates Certificates
	Readiness    Readiness
	// Admission may be nil: then every request is read before it may be refused.
	Admission Admission
	// Page serves the page for people at "/" and its files below "/page/"; nil for none.
	Page http.Handler
	// System describes the program and its machine.
	System func() edgelens.System
	// State describes how they are now; nil: that is not known.
	State func(context.Context) edgelens.SystemState
	// Ledger may be nil: then nothing is kept.
	Ledger Ledger
	// Settings returns the settings in force, without secrets; nil: there are none.
	Settings func() []edgelens.Setting
	// Activity may be nil: then nothing is known of what the service did.
	Activity ActivityLog
	// Deliveries may be nil: then no result has an event.
	Deliveries Deliveries
	// Identity may be nil: then nothing is signed.
	Identity Identity
	// Chains may be nil: then there are none.
	Chains Chains
	// Similarity may be nil: then images are not compared.
	Similarity Similarity
	Metrics    http.Handler
	// Tracer records the requests; nil for none.
	Tracer     edgelens.Tracer
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
	heads      Heads
	federation Federation
	held       Held
	erasure    Erasure
	datasets   Datasets
	access     Access
	// embeddingModel is Parts.EmbeddingModel.
	embeddingModel string
	// certificates is the site's authority, and enrolments counts failed ones.
	certificates Certificates
	enrolments   logins
	sensors      Sensors
	states       States
	readiness    Readiness
	system       func() edgelens.System
	state        func(context.Context) edgelens.SystemState
	ledger       Ledger
	settings     func() []edgelens.Setting
	activity     ActivityLog
	deliveries   Deliveries
	identity     Identity
	chains       Chains
	similarity   Similarity
	tracer       edgelens.Tracer
	log          *slog.Logger
	hosts        hosts
	proxies      proxies
	cors         cors
	rates        *rates
	admission    Admission
	buffers      bodyBuffers
	// uploads is the budget for images, and commandBodies that for calls about devices.
	uploads, commandBodies *budget
	// rateGrace is how long a body may arrive slowly.
	rateGrace           time.Duration
	responses, refusals *prometheus.CounterVec
	// earlyRefusals is the one of responses for those of refuseEarly.
	earlyRefusals prometheus.Counter
	earlyAnswer   earlyAnswer
	// refused counts refusals for the log.
	refused     loglimit.Tally
	connections *connections
	broadcast   *broadcast
	streams     *streams
	// catching bounds the streams that read from the ledger.
	catching chan struct{}
	// exporting bounds the exports of results.
	exporting chan struct{}
	// registered has the routes, as in rules.
	registered map[string]bool
	// fixedPaths are the methods of each path without parameters.
	fixedPaths map[string][]string
	denials    loglimit.Limiter
	logins     logins
	http       *http.Server
	// certificate is nil without TLS.
	certificate *certificate.Follower
	// revocations are those of the authorities of a file; nil for none.
	revocations *certificate.RevocationLists
	// draining is true from Drain on, and requested when the last request arrived since then, but for those of machines that
	// watch the service.
	draining  atomic.Bool
	requested atomic.Pointer[time.Time]
	// recognizing is how many requests for recognitions are under way.
	recognizing atomic.Int64
	// stopping ends when the service stops, and with it what would not end by itself: the
	// streams, uploads, and those who wait for a job.
	stopping context.Context
	stop     context.CancelFunc
}

// New returns a server that is not listening yet; config must be valid.
func New(config Config, parts Parts) (*Server, error) {
	s := &Server{
		config: config, recognizer: parts.Recognizer, models: parts.Models, queue: parts.Queue, jobs: parts.Jobs, history: parts.History, events: parts.Events,
		devices: cmp.Or[Devices](parts.Devices, noDevices{}), images: cmp.Or[Images](parts.Images, noImages{}),
		outbox: outboxOr(parts.Outbox), ledger: cmp.Or[Ledger](parts.Ledger, nothingKept{}), sensors: cmp.Or[Sensors](parts.Sensors, noSensors{}), states: cmp.Or[States](parts.States, noStates{}), access: cmp.Or[Access](parts.Access, noKeys{}), denials: loglimit.Limiter{Every: denialInterval}, readiness: parts.Readiness, system: parts.System, log: parts.Log, admission: parts.Admission,
		hosts: newHosts(config), proxies: newProxies(config), cors: newCORS(config), rates: newRates(config),
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_http_responses_total", Help: "HTTP responses by route and status.",
		}, []string{"route", "status"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_http_refusals_total", Help: "Requests and connections that were refused because of the load, by reason: admission, uploads, slow, streams, connections, address, stopping.",
		}, []string{"reason"}),
		refused: loglimit.Tally{Interval: time.Second}, rateGrace: rateGrace,
	}
	s.earlyRefusals = s.responses.WithLabelValues(recognizeRoute, strconv.Itoa(http.StatusServiceUnavailable))
	allowed, _ := s.cors.origins(recognizeRoute)
	var err error
	if s.earlyAnswer, err = newEarlyAnswer(len(allowed) > 0); err != nil {
		return nil, err
	}
	s.embeddingModel, s.similarity = parts.EmbeddingModel, cmp.Or[Similarity](parts.Similarity, noSimilarity{})
	s.tracer = cmp.Or[edgelens.Tracer](parts.Tracer, edgelens.Untraced{})
	s.certificates = cmp.Or[Certificates](parts.Certificates, noCertificates{})
	s.heads = cmp.Or[Heads](parts.Heads, noHeads{})
	s.federation = cmp.Or[Federation](parts.Federation, noFederation{})
	s.held, s.erasure = cmp.Or[Held](parts.Held, noHeld{}), cmp.Or[Erasure](parts.Erasure, noErasure{})
	s.datasets = cmp.Or[Datasets](parts.Datasets, noDatasets{})
	s.state, s.settings, s.exporting = parts.State, parts.Settings, make(chan struct{}, maxExports)
	if s.settings == nil {
		s.settings = noSettings
	}
	s.activity, s.deliveries = cmp.Or[ActivityLog](parts.Activity, noActivity{}), cmp.Or[Deliveries](parts.Deliveries, noDeliveries{})
	s.identity, s.chains = cmp.Or[Identity](parts.Identity, noIdentity{}), cmp.Or[Chains](parts.Chains, noChains{})
	s.stopping, s.stop = context.WithCancel(context.Background())
	for _, reason := range refusalReasons {
		s.refusals.WithLabelValues(reason)
	}
	uploading := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "edgelens_uploads_in_memory_bytes", Help: "Bytes reserved for the bodies of requests in flight.",
	})
	s.uploads = newBudget(config.MaxUploadBytes, config.maxBodyBytes(), uploading)
	s.commandBodies = newBudget(commandBytes, maxObjectBytes, uploading)
	s.connections = newConnections(config, s.proxies)
	s.broadcast = newBroadcast(parts.Events, s.stopping)
	s.streams, s.catching = newStreams(), make(chan struct{}, catchingUp)
	parts.Registerer.MustRegister(s.responses, s.refusals, uploading, s.connections, s.streams)

	warnAboutHosts(s.hosts, parts.Log)

	e := echo.New()
	e.HTTPErrorHandler = s.handleError
	e.Use(s.observe, s.hardenHeaders, s.limitRate, s.checkHost, s.allowOrigins, refuseForeignPages(config), s.identifyCertificate, s.checkAccess, s.keepFixedPaths, s.checkQuery, s.signAnswers, s.boundUploads)
	RegisterHandlers(e, NewStrictHandler(s, nil))
	e.POST("/api/recognize", s.serveRecognize)
	e.POST("/api/recognize_cached", s.serveRecognize)
	e.POST("/api/recognize_async", s.serveRecognizeAsync)
	e.POST(examplesRoute, s.serveAddExample)
	e.POST("/api/similar", s.serveSimilar)
	e.POST("/api/states/:name/images", s.serveStateImage)
	e.GET("/api/events", s.serveEvents)
	e.GET("/api/sensors/stream", s.serveSensorStream)
	e.GET("/api/results/export", s.serveExport)
	e.GET("/api/devices/:id/chain", s.serveChain)
	e.GET("/.well-known/jwks.json", s.serveJWKS)
	e.GET("/metrics", echo.WrapHandler(parts.Metrics))
	e.GET("/openapi.yaml", fixed("application/yaml", specification))
	registerDocs(e)
	e.GET("/", serveRoot(parts.Page))
	e.GET("/page/*", servePageFile(parts.Page))
	e.GET("/login", s.serveLogin)
	e.GET("/login/login.css", fixed("text/css; charset=utf-8", loginStyle))
	e.POST("/login", s.serveLoginForm)
	e.POST("/logout", s.serveLogout)
	s.registerCertificates(e)
	s.registered, s.fixedPaths = registeredRoutes(e), fixedPaths(e)

	s.http = &http.Server{
		Handler:           overConn(normalize(e)),
		ConnContext:       connContext,
		ConnState:         s.connections.note,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       config.ReadTimeout,
		// A client that reads its response this slowly will not finish. Long
		// enough for the slowest upload and the recognition after it.
		WriteTimeout:   config.ReadTimeout + 90*time.Second,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(parts.Log.Handler(), slog.LevelDebug),
	}
	return s, errors.Join(s.useCertificate(parts.Log), s.useClientCertificates(parts.Log))
}

// Handler returns the HTTP handler, for tests without a socket.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Drain closes each connection after its next response, so that clients open their next one by way of the load balancer,
// to another node. Connections without a request stay open: closing one could cut off a request that is on its way.
func (s *Server) Drain() { s.draining.Store(true) }

// Drained reports whether no recognition is under way, and no request has arrived for that long since Drain; those of
// machines that watch the service do not count.
func (s *Server) Drained(quiet time.Duration) bool {
	last := s.requested.Load()
	return s.recognizing.Load() == 0 && (last == nil || time.Since(*last) >= quiet)
}

// noteDraining notes a request that arrives while the service drains.
func (s *Server) noteDraining(c echo.Context, at time.Time) {
	if !quietRoutes[route(c)] {
		s.requested.Store(&at)
	}
	c.Response().Header().Set("Connection", "close")
}

// Shutdown stops accepting, and waits until every request in flight has its response, or ctx
// ends: then the connections that are left are closed, which are those of clients that do not
// read. Uploads and streams are ended at once, and so are connections without a request.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	s.uploads.interruptAll()
	s.commandBodies.interruptAll()
	s.connections.stop()
	err := s.http.Shutdown(ctx)
	s.broadcast.wait()
	s.logRefusals(s.refused.Rest())
	if err == nil {
		return nil
	}
	left := s.connections.count()
	if closed := s.http.Close(); closed != nil {
		return fmt.Errorf("close the connections: %w", closed)
	}
	s.log.Warn("connections closed in the middle of a response, whose clients did not read it in time", "event", "connections_cut", "connections", left)
	return nil
}

// isStopping reports whether Shutdown was called.
func (s *Server) isStopping() bool { return s.stopping.Err() != nil }

// noteRefusal counts a refusal.
func (s *Server) noteRefusal(reason string) {
	s.refusals.WithLabelValues(reason).Inc()
	if count, ok := s.refused.Add(reason, time.Now()); ok {
		s.logRefusals(map[string]int{reason: count})
	}
}

// logRefusals writes a line for each reason.
func (s *Server) logRefusals(counts map[string]int) {
	for reason, count := range counts {
		s.log.Warn("requests refused because of the load", "event", "overload", "reason", reason, "count", count)
	}
}

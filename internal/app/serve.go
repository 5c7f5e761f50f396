package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"edgelens"
	"edgelens/api"
	"edgelens/internal/access"
	"edgelens/internal/board"
	"edgelens/internal/certificate"
	"edgelens/internal/cgroup"
	"edgelens/internal/config"
	"edgelens/internal/datadir"
	"edgelens/internal/notify/event"
	"edgelens/internal/systemd"
	"edgelens/internal/telemetry"
	"edgelens/learn/training"
	"edgelens/web"
)

// Serve runs until ctx ends or a part fails, and then stops in order: not ready, for the drain; stop accepting; finish
// what runs; free. The settings are read again as reload has it.
func Serve(ctx context.Context, c *config.Config, version string, logs io.Writer, reload Reload) (err error) {
	stopping := &stopping{}
	defer stopping.end()
	if err := c.CheckFormerData(); err != nil {
		return err
	}
	endStart := collectLess()
	defer endStart()
	datadir.UseOwnFilesOnly()
	metrics := telemetry.NewRegistry(version)
	log, endLog := openLog(c.Log, logs, metrics)
	defer endLog()
	c.WarnOfRetired(log)
	addProcs(c.Inference.InterpretersOrCores())
	name, err := nodeName(c.DataDir)
	if err != nil {
		return err
	}
	tracer, endTraces, err := openTraces(c, version, name, log, metrics)
	if err != nil {
		return err
	}
	defer func() { endTraces(stopping.limit()) }()
	set := NewRuntimes(c)
	core, err := newCore(c, tracer, log, metrics, set, set)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, core.Close(stopping.limit())) }()
	warm := core.beginWarmUp(ctx)
	defer warm.end()
	jobs, err := newJobs(ctx, c, core, log, metrics)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, jobs.close(stopping.limit())) }()
	var history *syncHistory
	if c.Ledger.KeepSync {
		recognizer := core.Recognizer
		if jobs.similarity != nil {
			recognizer = jobs.similarity.Watch(recognizer)
		}
		history = newSyncHistory(recognizer, jobs.ledger.Results, log, metrics)
		defer history.Close() // after the server, and before the ledger
	}
	keys, err := openKeys(ctx, c, jobs.ledger, log)
	if err != nil {
		return err
	}
	if err := checkAccess(c, keys, log); err != nil {
		return err
	}
	identities, err := openIdentities(ctx, c, jobs.ledger, log)
	if err != nil {
		return err
	}
	states, err := newStates(ctx, c, core, jobs, log, metrics)
	if err != nil {
		return err
	}
	terminals, err := newTerminals(ctx, c, jobs, states, identities, log, metrics)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, terminals.stop(stopping.limit())) }()
	sensors, err := newSensors(c, core, jobs, terminals, log, metrics)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sensors.stop(stopping.limit())) }()
	federation, err := newFederationPart(c, core, jobs, log, metrics)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, federation.Close()) }()
	s := &node{
		federation: federation, warmUp: warm.wait, endStart: endStart,
		sensors: sensors, identities: identities, states: states,
		version: version, started: time.Now(), config: c, core: core, jobs: jobs, history: history, keys: keys, terminals: terminals, readiness: telemetry.NewReadiness(), metrics: metrics, stopping: stopping, manager: systemd.Find(log), log: log,
	}
	if s.homeAssistant, err = newHomeAssistant(c, s, metrics); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.homeAssistant.stop(stopping.limit())) }()
	s.readiness.NotReady("model", "loading")
	if s.server, err = newServer(c, s, metrics); err != nil {
		return err
	}
	listener, err := s.server.Listen()
	if err != nil {
		return err
	}
	err = s.run(ctx, listener, reload)
	return err
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// node has the parts of a running server.
type node struct {
	version string
	started time.Time
	config  *config.Config
	core    *Core
	// endStart undoes what only the start needs.
	endStart func()
	// warmUp returns once the default model is loaded, or cannot be.
	warmUp  func(context.Context) error
	jobs    *jobs
	history *syncHistory // nil without ledger.keep_sync
	machine machine
	models  *modelFollower
	// inForce is config with what was reloaded since.
	inForce   atomic.Pointer[config.Config]
	keys      *access.Keys // nil in tests without keys
	terminals *terminals
	sensors   *sensors // nil in tests without sensors
	states    *states  // nil in tests without states
	// identities is nil in tests without certificates.
	identities *identities
	// federation is nil in tests without one.
	federation *federationPart
	// homeAssistant is nil where it is not served.
	homeAssistant *homeAssistant
	server        *api.Server
	readiness     *telemetry.Readiness
	metrics       *prometheus.Registry
	stopping      *stopping
	manager       *systemd.Manager // nil in tests without one
	log           *slog.Logger
	// certificates are those that are followed, by what they are for: http, mqtt.
	certificates map[string]*certificate.Follower
}

func newServer(c *config.Config, s *node, metrics *prometheus.Registry) (*api.Server, error) {
	s.readiness.AddCheck(func() []edgelens.Condition { return kernelConditions(s.core.Loader.Checks()) })
	s.readiness.AddCheck(func() []edgelens.Condition { return acceleratorConditions(s.core.Loader.Accelerators()) })
	s.readiness.AddCheck(func() []edgelens.Condition { return interpreterConditions(s.core.Loader.Interpreters()) })
	s.config, s.machine.prober = c, board.Prober{Root: "/"}
	s.inForce.Store(c)
	s.models = newModelFollower(s.core, c.Model != "", s.log)
	s.readiness.AddCheck(s.models.conditions)
	page, err := web.New()
	if err != nil {
		return nil, err
	}
	parts := api.Parts{
		Page: page, Recognizer: s.core.Recognizer, EmbeddingModel: c.Recognize.EmbeddingModel, Admission: s.core, Models: s.core.Models, Readiness: s.readiness,
		Queue: s.jobs.queue, Jobs: jobsOfAllNodes{s.jobs.ledger.Jobs, s.jobs.queue}, History: s.jobs.ledger.Results, Events: s.jobs.ledger.Events,
		System: func() edgelens.System { return System(s.version, s.core.runtimes) },
		State:  s.State, Settings: func() []edgelens.Setting { return s.inForce.Load().InForce() }, Activity: s.core.recognizer.Activity(),
		Ledger:     keptMeter{s.jobs.ledger, c},
		Deliveries: resultEvents{s.jobs.ledger, event.Composer{Fresh: c.Terminal.Fresh, Link: linksTo(c)}},
		Metrics:    promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}),
		Registerer: metrics, Tracer: s.core.tracer, Log: s.log, Images: s.jobs.ledger.Images, Outbox: s.jobs.ledger.Outbox,
		Held: heldJobs{s.jobs.ledger.Jobs, s.jobs.queue}, Erasure: s.jobs.ledger.Erasure,
		Datasets: newDatasets(s.jobs.ledger, s.core.Recognizer),
	}
	parts.Heads = training.New(s.jobs.ledger.Examples, s.core.Heads, s.core.Registry, s.core.extractor, s.log)
	if s.jobs.signer != nil {
		parts.Identity = s.jobs.signer
		parts.Chains = newChainExporter(s.jobs.ledger, s.jobs.signer, event.Composer{Fresh: c.Terminal.Fresh, Link: linksTo(c)})
	}
	if s.history != nil {
		parts.Recognizer = s.history
	}
	if s.jobs != nil && s.jobs.similarity != nil {
		parts.Similarity = s.jobs.similarity
	}
	if s.terminals != nil && s.terminals.bridge != nil {
		parts.Devices = s.terminals.bridge
	}
	if s.sensors != nil {
		parts.Sensors = s.sensors
		s.readiness.AddCheck(s.sensors.conditions)
	}
	if s.states != nil {
		parts.States, parts.Erasure = s.states, forgettingErasure{s.jobs.ledger.Erasure, s.states}
	}
	if s.homeAssistant != nil {
		s.readiness.AddCheck(s.homeAssistant.conditions)
	}
	if s.federation != nil {
		parts.Federation = s.federation
		s.readiness.AddCheck(s.federation.conditions)
	}
	if s.identities != nil {
		parts.Certificates = s.identities.authority
		s.readiness.AddCheck(s.identities.conditions)
	}
	if s.keys != nil {
		parts.Access = s.keys
		s.readiness.AddCheck(s.keys.Conditions)
	}
	server, err := api.New(c.HTTP, parts)
	if err != nil {
		return nil, err
	}
	s.readiness.AddCheck(server.Conditions)
	s.certificates = map[string]*certificate.Follower{}
	if own := server.Certificate(); own != nil {
		s.certificates["http"] = own
	}
	if err := checkBrokerCertificate(c, s); err != nil {
		return nil, err
	}
	return server, errors.Join(metrics.Register(machineMetrics{&s.machine}), metrics.Register(nodeMetrics{s, cgroup.Reader{Root: "/"}}))
}

// checkBrokerCertificate adds the conditions of the private broker's certificate.
func checkBrokerCertificate(c *config.Config, s *node) error {
	if s.terminals == nil || s.terminals.broker.child == nil || !c.Mosquitto.TLS.IsSet() {
		return nil
	}
	follower, err := certificate.Follow(c.Mosquitto.TLS, "mqtt.tls", s.log)
	if err != nil {
		return err
	}
	s.certificates["mqtt"] = follower
	s.readiness.AddCheck(func() []edgelens.Condition { return follower.Conditions("mqtt_certificate") })
	return nil
}

// run serves while the default model is loaded, so that health checks are answered from the start. Jobs are dequeued once
// there is a model.
func (s *node) run(ctx context.Context, listener net.Listener, reload Reload) error {
	logRestore(ctx, s.jobs.ledger, s.log)
	for _, head := range unusableHeads(s.config) {
		s.log.Warn("a head does not answer", "event", "head_unusable", "head", head.Name, "problem", head.Problem)
	}
	address := s.config.HTTP.Scheme() + "://" + listener.Addr().String()
	s.log.Info("edgelens started", "version", s.version, "address", address, "docs", address+"/docs")
	start := time.Now()
	stop := ctx
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	group, ctx := errgroup.WithContext(serving)
	group.Go(func() error { s.drain(stop, ctx); end(); return nil })
	if internal := s.config.InternalListen; internal != "" {
		bound, err := serveStatus(ctx, group, internal, "http.internal_listen", s.readiness, s.metrics)
		if err != nil {
			end()
			return errors.Join(err, listener.Close(), group.Wait())
		}
		s.log.Info("serving health and metrics", "address", "http://"+bound.String())
	}
	group.Go(func() error { return s.server.Serve(listener) })
	group.Go(func() error {
		watchConditions(ctx, s.readiness, ledgerConditions(s.jobs.ledger), restoreConditions(s.jobs.ledger, s.log), redisConditions(s.jobs.queue), terminalConditions(s.terminals, s.jobs.ledger.Outbox, s.log), s.sampleActivity())
		return nil
	})
	group.Go(func() error {
		s.keys.Run(ctx)
		return nil
	})
	s.serveControl(ctx, group)
	group.Go(func() error {
		s.identities.run(ctx)
		return nil
	})
	group.Go(func() error {
		s.federation.Run(ctx)
		return nil
	})
	group.Go(func() error {
		s.models.run(ctx, cmp.Or(reload.Look, modelsInterval))
		return nil
	})
	group.Go(func() error {
		reload.run(ctx, s)
		return nil
	})
	// Records of terminals are stored from the start, and recognized later.
	group.Go(s.terminals.start)
	group.Go(s.sensors.start)
	group.Go(func() error {
		s.states.run(ctx, s.terminals.bridge)
		return nil
	})
	group.Go(s.homeAssistant.start)
	group.Go(func() error {
		model := s.core.Registry.Default()
		if err := s.warmUp(ctx); err != nil {
			if ctx.Err() != nil {
				return nil // stopped while loading
			}
			if !StartsWithoutClassifier(err, s.config) {
				return fmt.Errorf("the default model cannot serve: %w", err)
			}
			s.log.Warn("no classifier: requests without a model name are refused until it is installed, or answered by the quality model, with a warning, where recognize.allow_stand_in is set", "event", "model_stand_in",
				"missing", model, "models_dir", s.config.ModelsDir, "models_dir_exists", isFolder(s.config.ModelsDir),
				"allow_stand_in", s.config.Recognize.AllowStandIn, "cure", "edgelens model pull --models-dir "+s.config.ModelsDir)
			model = ""
		}
		if err := s.jobs.worker.Start(); err != nil {
			return err
		}
		s.readiness.AddCheck(func() []edgelens.Condition { return noClassifier(s.core.Models, s.config) })
		s.readiness.Ready("model")
		s.log.Info("ready", "model", model, "ms", time.Since(start))
		adviseTuned(s.config, s.core, s.log)
		s.manager.Ready("Serving on " + address)
		if err := api.Prepare(); err != nil {
			s.log.Error("the API description cannot be served", "event", "api_description", "error", err)
		}
		s.endStart()
		s.watch(ctx)
		s.jobs.worker.Shutdown()
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		s.stopping.begin()
		s.readiness.NotReady("service", "stopping")
		s.log.Info("stopping", "timeout", StopTimeout)
		s.core.Stop()
		return CloseWithin(responseTimeout, s.server.Shutdown)
	})
	err := group.Wait()
	s.log.Info("stopped", "clean", err == nil)
	return err
}

// serveControl serves the socket for commands until ctx ends.
func (s *node) serveControl(ctx context.Context, group *errgroup.Group) {
	server := newControl(ctx, s.config, s.keys, s.identities, s.jobs.deviceKeys, backups{ledger: s.jobs.ledger, dataDir: s.config.DataDir, version: s.version, beside: true, log: s.log}, s.federation, keptMeter{s.jobs.ledger, s.config}, s.log)
	if server == nil {
		return
	}
	group.Go(server.Serve)
	group.Go(func() error {
		<-ctx.Done()
		return CloseWithin(StopTimeout, server.Close)
	})
}

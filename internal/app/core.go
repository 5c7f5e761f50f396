package app

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/requantize"
	"edgelens/inference/runtimes"
	"edgelens/internal/cache"
	"edgelens/internal/config"
	"edgelens/internal/telemetry"
	"edgelens/learn/heads"
	headmodels "edgelens/learn/serving"
	"edgelens/models"
	"edgelens/models/quality"
	"edgelens/preprocess"
	"edgelens/preprocess/sandbox"
	"edgelens/recognize"
)

// Core is the path of an image with its dependencies, without a source.
type Core struct {
	Registry *models.Registry
	// Loader runs the models of files, and Models these and the heads.
	Loader *inference.Loader
	Models *headmodels.Models
	Heads  *heads.Store
	// Recognizer also counts and logs.
	Recognizer edgelens.Recognizer

	recognizer    *telemetry.Recognizer // Recognizer
	tracer        edgelens.Tracer
	runtimes      *runtimes.Set
	preprocessor  *preprocess.Preprocessor
	decoder       *sandbox.Preprocessor // closes preprocessor
	service       *recognize.Service
	shared        *cache.Shared // nil where results are in memory only
	qualityForAll bool          // whether the quality model rates every image
	standIn       bool          // whether it may answer as a stand-in
	// embeddingModel answers requests for embeddings that name no model; "" for none.
	embeddingModel string
}

// NewCore connects the parts. Nothing is loaded yet.
func NewCore(c *config.Config, log *slog.Logger, metrics prometheus.Registerer) (*Core, error) {
	set := NewRuntimes(c)
	return newCore(c, edgelens.Untraced{}, log, metrics, set, set)
}

// newCore is NewCore with the tracer and the runtimes given, and with the backend that opens models: the
// runtimes, except in tests.
func newCore(c *config.Config, tracer edgelens.Tracer, log *slog.Logger, metrics prometheus.Registerer, set *runtimes.Set, backend inference.Backend) (*Core, error) {
	if err := set.Check(); err != nil {
		return nil, err
	}
	registry, err := OpenModels(c)
	if err != nil {
		return nil, err
	}
	memory := newDecodeMemory(c, log)
	preprocessor, decoder, err := newDecoder(c, memory, log, metrics)
	if err != nil {
		return nil, err
	}
	results, shared, err := newResults(c, log, metrics)
	if err != nil {
		return nil, errors.Join(err, decoder.Close())
	}
	prober := NewProber(c, set, log)
	parts := inference.LoaderParts{
		Registry: registry, Backend: backend, Prober: prober, Log: log, Metrics: metrics,
	}
	if c.Inference.Check {
		parts.Checker = newChecker(c, backend, prober, log)
	}
	if c.Inference.Delegate != inference.DelegateNone { // only a delegate is faster with it
		parts.Prepare = requantize.NewPreparer(requantize.Config{
			Enabled: c.Inference.Requantize, Dir: filepath.Join(c.DataDir, "requantized"), Runtime: set.Versions(), Log: log,
			Comparison: requantize.Comparison{Backend: parts.Backend, Prober: prober, Config: c.Inference},
		}).Prepare
	}
	loader := inference.NewLoader(c.Inference, parts)
	stored := openHeads(c)
	served := headmodels.New(loader, registry, stored)
	service := recognize.New(c.Recognize, recognize.Parts{
		Preprocessor: decoder, Runner: served, Cache: results, Log: log, Metrics: metrics, QualityModel: quality.Name, DecodeMemory: memory.now,
	})
	counted := telemetry.NewRecognizer(service, tracer, log, metrics, served.Knows, registry.Default)
	return &Core{
		runtimes: set, recognizer: counted, tracer: tracer,
		Registry: registry, Loader: loader, Models: served, Heads: stored, preprocessor: preprocessor, decoder: decoder, service: service, shared: shared,
		Recognizer:    counted,
		qualityForAll: c.Recognize.Quality == recognize.QualityAll,
		standIn:       c.Recognize.AllowStandIn, embeddingModel: c.Recognize.EmbeddingModel,
	}, nil
}

// WarmUp loads the default model, and the quality model where it rates every image. Otherwise the first image of a
// terminal loads that, which takes memory then. A failure is logged, and the service runs.
func (c *Core) WarmUp(ctx context.Context) error {
	_, err := c.Models.Describe(ctx, "")
	if err == nil && c.qualityForAll || errors.Is(err, edgelens.ErrNoModel) && c.standIn {
		_, _ = c.Loader.Describe(ctx, quality.Name)
	}
	return err
}

// Admit implements api.Admission.
func (c *Core) Admit(wait time.Duration) (arrived func(), err error) { return c.service.Admit(wait) }

// Stop rejects new requests, and those that wait and could not be answered while the process stops. Close must follow.
func (c *Core) Stop() { c.service.Stop(time.Now().Add(answerTimeout)) }

// Close finishes admitted requests, then frees interpreters, models and scratch memory, in that order.
func (c *Core) Close(ctx context.Context) error {
	errs := []error{c.service.Close(ctx), c.Loader.Close(ctx), c.runtimes.Close(), c.decoder.Close()}
	if c.shared != nil {
		errs = append(errs, c.shared.Close())
	}
	return errors.Join(errs...)
}

// newResults returns the result cache: in memory, and shared with other nodes where a common Redis is configured.
func newResults(c *config.Config, log *slog.Logger, metrics prometheus.Registerer) (recognize.Cache, *cache.Shared, error) {
	memory, err := cache.NewMemory(c.Cache)
	if err != nil {
		return nil, nil, err
	}
	if !c.Cache.Shared || c.Cache.MaxEntries == 0 || c.Jobs.RedisURL == "" {
		return memory, nil, nil
	}
	client, err := cache.Connect(c.Jobs.RedisURL)
	if err != nil {
		log.Warn("result cache not shared with other nodes", "reason", err)
		return memory, nil, nil
	}
	shared := cache.NewShared(memory, client, c.Cache.TTL, metrics)
	return shared, shared, nil
}

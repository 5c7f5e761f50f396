package similarity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/loglimit"
	"edgelens/internal/uuid7"
	"edgelens/learn/vector"
)

const (
	// interval is how often new results are looked for, and pause how long the service waits after an error.
	interval = 2 * time.Second
	pause    = 10 * time.Second
	// loadPage and pendingPage are how many rows are read at a time.
	loadPage    = 2000
	pendingPage = 200
	// embedTimeout is how long an image may wait for its embedding.
	embedTimeout = time.Minute
	// maxAttempts is how often a result is tried before those after it.
	maxAttempts = 5
	// logInterval is how often a kind of error is logged.
	logInterval = time.Minute
)

// Service embeds the images of results, one after the other and behind all other work, and finds similar ones. It is safe
// for use by many goroutines.
type Service struct {
	config  Config
	parts   Parts
	log     *slog.Logger
	limiter loglimit.Limiter
	offers  offers
	metrics metrics
	index   vector.Index

	// extractor is the digest of the model whose vectors are in the index; empty before it is known.
	extractor atomic.Pointer[string]
	// looked is the Seq up to which results were looked at, and attempts is how often the next one failed. They are used by
	// the run alone.
	looked   int64
	attempts int

	working sync.WaitGroup
	stop    context.CancelFunc
}

// Start returns a Service that embeds until Close; config must be valid and enabled.
func Start(config Config, parts Parts, log *slog.Logger, registerer prometheus.Registerer) *Service {
	s := &Service{config: config, parts: parts, log: log, limiter: loglimit.Limiter{Every: logInterval}, metrics: newMetrics()}
	s.offers.queue = make(chan offer, maxOffers)
	registerer.MustRegister(collector{s})
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.working.Go(func() { s.run(ctx) })
	return s
}

// Close ends the work. What was not embedded and whose image is kept is so after the next start.
func (s *Service) Close() {
	s.stop()
	s.working.Wait()
}

// run works until ctx ends.
func (s *Service) run(ctx context.Context) {
	wait := time.Duration(0)
	for {
		timer := time.NewTimer(wait)
		select {
		case o := <-s.offers.queue:
			timer.Stop()
			s.take(ctx, o)
			wait = 0
			continue
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		wait = interval
		if err := s.catchUp(ctx); err != nil && ctx.Err() == nil {
			s.warn("similarity_behind", "images of results have no embedding yet, and are embedded later", err)
			wait = pause
		}
	}
}

// warn logs an error of a kind, at most once in a while.
func (s *Service) warn(event, message string, err error) {
	if suppressed, ok := s.limiter.Pass(event, time.Now()); ok {
		s.log.Warn(message, "event", event, "model", s.parts.Model, "error", err, "suppressed", suppressed)
	}
}

// catchUp embeds what is pending, in the order of the results. It returns for an offer, whose image is in memory.
func (s *Service) catchUp(ctx context.Context) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if err := s.forgetDeleted(ctx); err != nil {
		return err
	}
	for {
		list, last, err := s.parts.Store.Pending(ctx, *s.extractor.Load(), s.looked, pendingPage)
		if err != nil {
			return err
		}
		for _, p := range list {
			if len(s.offers.queue) > 0 {
				return nil // the rest follows
			}
			if err := s.embedPending(ctx, p); err != nil && !s.givesUp(err) {
				return err
			}
			s.looked, s.attempts = p.Seq, 0
		}
		if last == 0 {
			return nil
		}
		s.looked = last
	}
}

// prepare loads the vectors of the present extractor, once.
func (s *Service) prepare(ctx context.Context) error {
	model, err := s.parts.Extractor(ctx)
	if err != nil {
		return fmt.Errorf("load the model of embeddings: %w", err)
	}
	if known := s.extractor.Load(); known != nil && *known == model.Digest {
		return nil
	}
	begin := time.Now()
	s.extractor.Store(nil)
	for {
		n, err := s.parts.Store.DeleteOthers(ctx, model.Digest, loadPage)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	if err := s.forgetDeleted(ctx); err != nil {
		return err
	}
	var after int64
	for {
		list, err := s.parts.Store.Load(ctx, model.Digest, after, loadPage)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			break
		}
		for _, e := range list {
			after = e.Seq
			if err := s.index.Add(e.Seq, e.Values); err != nil {
				s.warn("similarity_vector", "a stored embedding cannot be used", err)
			}
		}
	}
	if s.looked, err = s.parts.Store.Newest(ctx, s.config.MaxVectors); err != nil {
		return err
	}
	s.extractor.Store(&model.Digest)
	s.log.Info("images of the history can be compared", "model", model.Name, "digest", model.Digest, "vectors", s.index.Len(), "ms", time.Since(begin))
	return nil
}

// forgetDeleted removes the vectors of results that were removed.
func (s *Service) forgetDeleted(ctx context.Context) error {
	deleted, err := s.parts.Store.Deleted(ctx)
	if err != nil {
		return err
	}
	s.index.Remove(deleted...)
	return s.parts.Store.ForgetDeleted(ctx, deleted)
}

// embedPending gives a result its embedding, or notes that it can have none. Its error is one after which it is tried again.
func (s *Service) embedPending(ctx context.Context, p edgelens.PendingEmbedding) error {
	image, err := s.parts.Images.Image(ctx, p.Job)
	if errors.Is(err, edgelens.ErrNotFound) { // removed since
		return nil
	}
	if err != nil {
		return err
	}
	e, err := s.embed(ctx, image, p.View)
	if err != nil {
		return err
	}
	e.Seq = p.Seq
	return s.put(ctx, e, "", "")
}

// givesUp reports whether a result that fails again and again, for a reason of its own, is left out until the next start.
func (s *Service) givesUp(err error) bool {
	for _, sentinel := range []error{edgelens.ErrNoModel, edgelens.ErrModel, edgelens.ErrUnknownModel, edgelens.ErrBusy, edgelens.ErrStopping, edgelens.ErrCanceled, edgelens.ErrConflict} {
		if errors.Is(err, sentinel) {
			return false
		}
	}
	if s.attempts++; s.attempts < maxAttempts {
		return false
	}
	s.drop("failed", err)
	return true
}

// embed returns the embedding of an image; one without Values for an image that can have none. Its error is one after
// which it is tried again.
func (s *Service) embed(ctx context.Context, image []byte, view edgelens.View) (edgelens.StoredEmbedding, error) {
	limited, cancel := context.WithTimeout(ctx, embedTimeout)
	defer cancel()
	result, err := s.parts.Background.Recognize(limited, &edgelens.Request{
		ID: uuid7.New(time.Now()), Source: "similarity", Task: edgelens.TaskEmbedding, Model: s.parts.Model,
		Image: image, SHA256: sha256.Sum256(image), View: view, Priority: edgelens.PriorityBulk,
	})
	known := s.extractor.Load()
	switch {
	case isOfImage(err):
		s.metrics.embedded.WithLabelValues("no_image").Inc()
		return edgelens.StoredEmbedding{Extractor: *known}, nil
	case err != nil:
		return edgelens.StoredEmbedding{}, err
	case result.Model.Digest != *known:
		return edgelens.StoredEmbedding{}, fmt.Errorf("%w: the model was replaced meanwhile", edgelens.ErrConflict)
	}
	q, err := vector.Quantize(result.Embedding)
	if err != nil {
		return edgelens.StoredEmbedding{}, err
	}
	s.metrics.embedded.WithLabelValues("ok").Inc()
	return edgelens.StoredEmbedding{Extractor: *known, Scale: q.Scale, Values: q.Values}, nil
}

// isOfImage reports whether an error is one that the image always gives.
func isOfImage(err error) bool {
	for _, sentinel := range []error{edgelens.ErrNoImage, edgelens.ErrUnsupportedFormat, edgelens.ErrBadImage, edgelens.ErrTooLarge, edgelens.ErrInvalid} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	return false
}

// put stores an embedding, and has it found.
func (s *Service) put(ctx context.Context, e edgelens.StoredEmbedding, id, job string) error {
	seq, err := s.parts.Store.Put(ctx, e, id, job, s.config.MaxVectors)
	if err != nil || len(e.Values) == 0 {
		return err
	}
	return s.index.Add(seq, e.Values)
}

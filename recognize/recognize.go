package recognize

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"edgelens"
	"edgelens/internal/background"
	"edgelens/models"
)

// Service implements edgelens.Recognizer. It is safe for concurrent
// use.
type Service struct {
	config       Config
	preprocess   Preprocessor
	runner       Runner
	cache        Cache
	log          *slog.Logger
	qualityModel string // the model that rates images; "" for none

	admission *admission
	flights   singleflight.Group
	bypasses  atomic.Uint64 // makes the flights of NoCache requests distinct
	// Of *[]byte; buffers for the quality model are smaller and not worth pooling.
	tensors, qualityTensors sync.Pool

	mu      sync.Mutex
	stopped bool
	work    sync.WaitGroup // recognitions in progress, also those whose callers left
}

// Parts are what a Service is made of.
type Parts struct {
	Preprocessor Preprocessor
	Runner       Runner
	Cache        Cache
	Log          *slog.Logger
	// QualityModel names the model that rates whether images are usable: a classifier
	// whose labels are the verdicts of edgelens.Quality. If empty, no image is rated.
	QualityModel string
}

// New returns a Service; config must be valid.
func New(config Config, parts Parts) *Service {
	return &Service{
		config: config, preprocess: parts.Preprocessor, runner: parts.Runner, cache: parts.Cache, log: parts.Log, qualityModel: parts.QualityModel,
		admission: newAdmission(config.Workers, config.Queue),
	}
}

// Recognize classifies the image of one request; see edgelens.Recognizer.
// Simultaneous identical requests are computed once. A caller whose ctx ends
// returns at once; the work it started continues, within its own timeout, for
// the other callers and for the cache.
func (s *Service) Recognize(ctx context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	start := time.Now()
	if err := validate(req); err != nil {
		return nil, err
	}
	spec, standIn, err := s.describe(ctx, req.Model)
	if err != nil {
		return nil, err
	}
	q := question{spec: spec, qualityModel: s.qualityModelFor(ctx, req), topK: req.TopK}
	if q.topK == 0 {
		q.topK = edgelens.DefaultTopK
	}
	q.key = s.key(&q, req)
	if !req.NoCache {
		if hit, ok := s.cache.Get(q.key); ok {
			r := hit.Clone()
			r.RequestID, r.Cached = req.ID, true
			r.Timings = edgelens.Timings{Total: time.Since(start)}
			warn(r, standIn)
			return r, nil
		}
	}
	r, err := s.compute(ctx, &q, req)
	if err != nil {
		return nil, err
	}
	r = r.Clone() // the cache and the other waiters keep the original
	r.RequestID = req.ID
	r.Timings.Total = time.Since(start)
	warn(r, standIn)
	return r, nil
}

// Close rejects new requests and waits until those in progress are done or ctx
// ends.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("finish the admitted requests: %w", contextError(ctx))
	}
}

func validate(req *edgelens.Request) error {
	if len(req.Image) == 0 {
		return edgelens.ErrNoImage
	}
	return edgelens.CheckOptions(req.TopK, req.MinScore)
}

// question is a recognition to be computed. It must not be changed once the work
// has started.
type question struct {
	key          string
	spec         *models.Spec
	qualityModel *models.Spec // nil if the image is not rated
	topK         int
}

// twoModels reports whether the quality model is another than the one that answers.
func (q *question) twoModels() bool {
	return q.qualityModel != nil && q.qualityModel.Digest != q.spec.Digest
}

// key contains everything that the result depends on.
func (s *Service) key(q *question, req *edgelens.Request) string {
	b := make([]byte, 0, 320)
	b = append(b, q.spec.Name...)
	b = append(b, ' ')
	b = append(b, q.spec.Digest...)
	b = append(b, ' ')
	b = append(b, q.spec.Variant...)
	b = append(b, ' ')
	b = append(b, s.preprocess.Version()...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(q.topK), 10)
	b = append(b, ' ')
	b = strconv.AppendFloat(b, req.MinScore, 'g', -1, 64)
	b = append(b, ' ')
	b = hex.AppendEncode(b, req.SHA256[:])
	if q.qualityModel != nil {
		b = append(b, " judged "...)
		b = append(b, q.qualityModel.Digest...)
		b = append(b, ' ')
		b = strconv.AppendFloat(b, s.config.QualityMinScore, 'g', -1, 64)
	}
	return string(b)
}

// compute runs the work, or joins the same work already in progress, and waits
// for it as long as ctx lives.
func (s *Service) compute(ctx context.Context, q *question, req *edgelens.Request) (*edgelens.Result, error) {
	flightKey := q.key
	switch {
	case req.NoCache:
		// Its own flight: a request that bypasses the cache needs a run of its own.
		flightKey = "bypass " + strconv.FormatUint(s.bypasses.Add(1), 10)
	case background.Is(ctx):
		// An interactive request must not join a background one.
		flightKey = "background " + q.key
	}
	// The work may outlive this call, after which req belongs to the caller again.
	own := *req
	req = &own
	flight := s.flights.DoChan(flightKey, func() (any, error) {
		if !s.begin() {
			return nil, fmt.Errorf("recognize: %w", edgelens.ErrStopping)
		}
		defer s.work.Done()
		if !req.NoCache {
			// The same may have been computed since the caller's lookup.
			if known, ok := s.cache.Get(q.key); ok {
				return known, nil
			}
		}
		work, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Timeout)
		defer cancel()
		result, err := s.run(work, q, req)
		whole := err == nil && (result.Quality != nil) == (q.qualityModel != nil)
		if whole && !req.NoCache {
			s.cache.Set(q.key, result)
		}
		return result, err
	})
	// Decoding ignores deadlines: the caller must not wait longer than its own.
	wait, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	select {
	case r := <-flight:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*edgelens.Result), nil
	case <-wait.Done():
		return nil, fmt.Errorf("recognize: %w", contextError(wait))
	}
}

// begin counts a unit of work, unless the service is stopping.
func (s *Service) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	s.work.Add(1)
	return true
}

// run is the path of one image that must be computed. A panic in it is a bug of
// ours and must not end the process: it is logged and becomes an error.
func (s *Service) run(ctx context.Context, q *question, req *edgelens.Request) (result *edgelens.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic while recognizing", "event", "panic", "request_id", req.ID, "panic", p, "stack", string(debug.Stack()))
			result, err = nil, fmt.Errorf("recognize: %w: internal error", edgelens.ErrInference)
		}
	}()
	start := time.Now()
	leave, err := s.admission.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for a worker: %w", err)
	}
	defer leave()
	tensors, giveBack := s.borrowTensors(q)
	defer giveBack()
	result = &edgelens.Result{Model: q.spec.ModelRef}
	timings, mark := edgelens.Timings{}, time.Time{}
	// Decoded on the thread that runs the model next, and only when it is free:
	// so there are never more decoded images than interpreters.
	raw, err := s.runner.Run(ctx, q.spec, func() (tensor []byte, err error) {
		queued := time.Since(start)
		result.Image, timings, err = s.preprocess.Tensors(req.Image, tensors...)
		timings.Queue = queued
		mark = time.Now()
		return tensors[0].Bytes, err
	})
	if err != nil {
		return nil, err
	}
	timings.Inference = time.Since(mark)
	result.Image.SHA256 = hex.EncodeToString(req.SHA256[:])
	if problem := result.Image.Problem(); problem != "" {
		result.Warnings = append(result.Warnings, problem)
	}

	mark = time.Now()
	if result.Predictions, err = predictions(q.spec, raw, q.topK, req.MinScore); err != nil {
		return nil, err
	}
	timings.Postprocess = time.Since(mark)
	if q.qualityModel != nil {
		mark = time.Now()
		result.Quality = s.assessQuality(ctx, q, req, raw, tensors)
		timings.Quality = time.Since(mark)
	}
	timings.Total = time.Since(start)
	result.Timings = timings
	return result, nil
}

// borrowTensors returns the buffers that an image needs: the model's and, if
// another model rates it, that one's. The function releases them.
func (s *Service) borrowTensors(q *question) ([]models.InputBuffer, func()) {
	first, giveBack := borrowTensor(&s.tensors, q.spec.Input)
	if !q.twoModels() {
		return []models.InputBuffer{first}, giveBack
	}
	second, giveSecondBack := borrowTensor(&s.qualityTensors, q.qualityModel.Input)
	return []models.InputBuffer{first, second}, func() { giveBack(); giveSecondBack() }
}

// borrowTensor returns a buffer of exactly the size of a tensor from a pool, and
// the function that releases it.
func borrowTensor(pool *sync.Pool, spec models.InputSpec) (models.InputBuffer, func()) {
	size := spec.Bytes()
	b, ok := pool.Get().(*[]byte)
	if !ok || cap(*b) < size {
		made := make([]byte, size)
		b = &made
	}
	*b = (*b)[:size]
	return models.InputBuffer{Spec: spec, Bytes: *b}, func() { pool.Put(b) }
}

// contextError maps the reason why ctx ended to a sentinel.
func contextError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return edgelens.ErrDeadline
	}
	return edgelens.ErrCanceled
}

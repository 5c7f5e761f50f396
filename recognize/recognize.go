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
	"edgelens/models"
)

// Service implements edgelens.Recognizer. It is safe for use by many
// goroutines.
type Service struct {
	config     Config
	preprocess Preprocessor
	runner     Runner
	cache      Cache
	log        *slog.Logger

	admission *admission
	flights   singleflight.Group
	bypasses  atomic.Uint64 // makes the flights of NoCache requests distinct
	tensors   sync.Pool     // of *[]byte

	mu      sync.Mutex
	stopped bool
	work    sync.WaitGroup // recognitions under way, also those whose callers left
}

// New returns a Service; config must be valid.
func New(config Config, preprocess Preprocessor, runner Runner, cache Cache, log *slog.Logger) *Service {
	return &Service{
		config: config, preprocess: preprocess, runner: runner, cache: cache, log: log,
		admission: newAdmission(config.Workers, config.Queue),
	}
}

// Recognize answers one request; see edgelens.Recognizer. Identical requests
// that come at the same time are computed once. A caller whose ctx ends
// leaves at once; the work it started goes on, within its own timeout, for
// those who wait for the same and for the cache.
func (s *Service) Recognize(ctx context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	start := time.Now()
	if err := validate(req); err != nil {
		return nil, err
	}
	spec, err := s.runner.Describe(ctx, req.Model)
	if err != nil {
		return nil, err
	}
	topK := req.TopK
	if topK == 0 {
		topK = edgelens.DefaultTopK
	}
	key := s.key(spec, req, topK)
	if !req.NoCache {
		if hit, ok := s.cache.Get(key); ok {
			r := hit.Clone()
			r.RequestID, r.Cached = req.ID, true
			r.Timings = edgelens.Timings{Total: time.Since(start)}
			return r, nil
		}
	}
	r, err := s.compute(ctx, key, spec, req, topK)
	if err != nil {
		return nil, err
	}
	r = r.Clone() // the cache and the other waiters keep the original
	r.RequestID = req.ID
	r.Timings.Total = time.Since(start)
	return r, nil
}

// Close refuses new requests and waits until those under way are done or ctx
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
		return fmt.Errorf("finish what was admitted: %w", contextError(ctx))
	}
}

func validate(req *edgelens.Request) error {
	if len(req.Image) == 0 {
		return edgelens.ErrNoImage
	}
	return edgelens.CheckOptions(req.TopK, req.MinScore)
}

// key names everything that the answer depends on.
func (s *Service) key(spec *models.Spec, req *edgelens.Request, topK int) string {
	b := make([]byte, 0, 192)
	b = append(b, spec.Name...)
	b = append(b, ' ')
	b = append(b, spec.Digest...)
	b = append(b, ' ')
	b = append(b, s.preprocess.Version()...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(topK), 10)
	b = append(b, ' ')
	b = strconv.AppendFloat(b, req.MinScore, 'g', -1, 64)
	b = append(b, ' ')
	b = hex.AppendEncode(b, req.SHA256[:])
	return string(b)
}

// compute runs the work, or joins the same work already under way, and waits
// for it as long as ctx lives.
func (s *Service) compute(ctx context.Context, key string, spec *models.Spec, req *edgelens.Request, topK int) (*edgelens.Result, error) {
	flightKey := key
	switch {
	case req.NoCache:
		// Its own flight: whoever bypasses the cache wants a run of its own.
		flightKey = "bypass " + strconv.FormatUint(s.bypasses.Add(1), 10)
	case edgelens.IsInBackground(ctx):
		// Whoever is in a hurry must not join one that is not.
		flightKey = "background " + key
	}
	// The work may outlive this call, after which req is the caller's again.
	own := *req
	req = &own
	flight := s.flights.DoChan(flightKey, func() (any, error) {
		if !s.begin() {
			return nil, fmt.Errorf("recognize: %w", edgelens.ErrStopping)
		}
		defer s.work.Done()
		if !req.NoCache {
			// The same may have been computed since the caller looked.
			if known, ok := s.cache.Get(key); ok {
				return known, nil
			}
		}
		work, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Timeout)
		defer cancel()
		result, err := s.run(work, spec, req, topK)
		if err == nil && !req.NoCache {
			s.cache.Set(key, result)
		}
		return result, err
	})
	// Decoding does not look at a deadline: who waits for it must.
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

// begin counts a piece of work in, unless the service is stopping.
func (s *Service) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	s.work.Add(1)
	return true
}

// run is the way of one picture once it is clear that it must be computed. A
// panic in it is a bug of ours and must not end the process: it is logged and
// becomes an error.
func (s *Service) run(ctx context.Context, spec *models.Spec, req *edgelens.Request, topK int) (result *edgelens.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic while recognizing", "request_id", req.ID, "panic", p, "stack", string(debug.Stack()))
			result, err = nil, fmt.Errorf("recognize: %w: internal fault", edgelens.ErrInference)
		}
	}()
	start := time.Now()
	leave, err := s.admission.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for a worker: %w", err)
	}
	defer leave()
	timings := edgelens.Timings{Queue: time.Since(start)}

	tensor := s.borrowTensor(spec.Input.Bytes())
	defer s.tensors.Put(tensor)
	var info edgelens.ImageInfo
	var decode, rest time.Duration
	edgelens.GiveWay(edgelens.IsInBackground(ctx), func() {
		info, decode, rest, err = s.preprocess.Tensor(*tensor, req.Image, spec.Input)
	})
	if err != nil {
		return nil, err
	}
	info.SHA256 = hex.EncodeToString(req.SHA256[:])
	timings.Decode, timings.Preprocess = decode, rest

	mark := time.Now()
	raw, err := s.runner.Run(ctx, spec, *tensor)
	if err != nil {
		return nil, err
	}
	timings.Inference = time.Since(mark)

	mark = time.Now()
	list, err := predictions(spec, raw, topK, req.MinScore)
	if err != nil {
		return nil, err
	}
	timings.Postprocess = time.Since(mark)
	timings.Total = time.Since(start)
	return &edgelens.Result{Model: spec.ModelRef, Predictions: list, Image: info, Timings: timings}, nil
}

// borrowTensor returns a buffer of exactly size bytes from the pool.
func (s *Service) borrowTensor(size int) *[]byte {
	if b, ok := s.tensors.Get().(*[]byte); ok && cap(*b) >= size {
		*b = (*b)[:size]
		return b
	}
	b := make([]byte, size)
	return &b
}

// contextError names why ctx ended in this module's words.
func contextError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return edgelens.ErrDeadline
	}
	return edgelens.ErrCanceled
}

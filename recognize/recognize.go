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

	"edgelens"
	"edgelens/models"

	"github.com/prometheus/client_golang/prometheus"
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
	giveUps   giveUps
	flights   *flights
	bypasses  atomic.Uint64 // makes the flights of NoCache requests distinct

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
	// Metrics registers the Service's own.
	Metrics prometheus.Registerer
	// QualityModel names the model that rates whether images are usable: a classifier
	// whose labels are the verdicts of edgelens.Quality. If empty, no image is rated.
	QualityModel string
}

// New returns a Service; config must be valid.
func New(config Config, parts Parts) *Service {
	s := &Service{
		config: config, preprocess: parts.Preprocessor, runner: parts.Runner, cache: parts.Cache, log: parts.Log, qualityModel: parts.QualityModel,
		admission: newAdmission(config.Slots),
	}
	s.flights = newFlights(s.admission)
	parts.Metrics.MustRegister(metrics{s.admission})
	return s
}

// Recognize classifies the image of one request; see edgelens.Recognizer.
//
// It waits for a slot by the request's priority, until ctx ends; without a deadline,
// ctx ends after the configured timeout. A synchronous request whose answer is
// predicted to come after that is rejected at once, by an *edgelens.Busy with the
// predicted wait; a job waits, and is rejected once its answer would be late.
//
// Simultaneous identical requests are computed once. A caller whose ctx ends
// returns at once; the work is dropped if it waits and no other caller does, and
// else continues, within the configured timeout, for them and for the cache.
func (s *Service) Recognize(ctx context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	start := time.Now()
	if err := validate(req); err != nil {
		return nil, err
	}
	_, own := ctx.Deadline()
	if !own {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.config.Timeout)
		defer cancel()
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
	r, err := s.compute(ctx, own, &q, req)
	if err != nil {
		return nil, err
	}
	r = r.Clone() // the cache and the other waiters keep the original
	r.RequestID = req.ID
	r.Timings.Total = time.Since(start)
	warn(r, standIn)
	return r, nil
}

// Stop rejects new requests with ErrStopping, and those that wait: all jobs, which are
// done after a restart, and the synchronous requests whose answers are predicted to come
// later than by. Close must follow.
func (s *Service) Stop(by time.Time) {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.admission.stop(by)
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
	if rank(req.Priority) == len(classes) {
		return fmt.Errorf("%w: %d is not a priority", edgelens.ErrInvalid, req.Priority)
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

// compute starts the work, or joins the same work already queued or in progress, and
// waits for it as long as ctx lives.
func (s *Service) compute(ctx context.Context, own bool, q *question, req *edgelens.Request) (*edgelens.Result, error) {
	if !s.begin() {
		return nil, fmt.Errorf("recognize: %w", edgelens.ErrStopping)
	}
	defer s.work.Done()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("recognize: %w", contextError(ctx))
	}
	key := q.key
	if req.NoCache {
		// Its own flight: a request that bypasses the cache needs a run of its own.
		key = "bypass " + strconv.FormatUint(s.bypasses.Add(1), 10)
	}
	caller := s.urgencyOf(ctx, own, req)
	f, isNew := s.flights.join(key, q.spec.Name, caller)
	defer s.flights.leave(f, caller)
	if isNew {
		// The work may outlive this call, after which req belongs to the caller again.
		kept := *req
		s.work.Go(func() { s.fly(context.WithoutCancel(ctx), f, q, &kept) })
	}
	if req.Priority == edgelens.PrioritySynchronous {
		if wait, late := s.admission.tooLate(f.ticket, caller.due); late {
			return nil, busy("the answer would come too late", wait)
		}
	}
	select {
	case <-f.done:
		s.noteWait(own, req, caller, false)
		return f.result, f.err
	case <-ctx.Done():
	}
	err := contextError(ctx)
	if errors.Is(err, edgelens.ErrCanceled) {
		s.noteWait(own, req, caller, true)
	}
	if errors.Is(err, edgelens.ErrDeadline) && req.Priority != edgelens.PrioritySynchronous && !s.admission.hadSlot(f.ticket) {
		// A job that did not begin: the image is not to blame.
		return nil, busy("no slot was free in time", s.admission.nextWait(req.Priority))
	}
	return nil, fmt.Errorf("recognize: %w", err)
}

// urgencyOf returns the urgency of a request; own is true where ctx has a deadline of the
// caller's.
func (s *Service) urgencyOf(ctx context.Context, own bool, req *edgelens.Request) *urgency {
	now := time.Now()
	u := &urgency{priority: req.Priority, since: now}
	u.due, _ = ctx.Deadline()
	if req.Priority != edgelens.PrioritySynchronous {
		return u
	}
	switch {
	case !own:
		u.due = now.Add(s.giveUps.limit(s.config.Timeout))
	case u.due.Sub(now) > s.config.Timeout:
		// As patient as a job: else those who wait for a minute would fill the queue for all
		// who do not.
		u.priority = edgelens.PriorityInteractive
	}
	return u
}

// noteWait records how the wait of a synchronous caller without a deadline ended.
func (s *Service) noteWait(own bool, req *edgelens.Request, caller *urgency, gaveUp bool) {
	if !own && req.Priority == edgelens.PrioritySynchronous {
		s.giveUps.note(gaveUp, time.Since(caller.since))
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

// fly takes a flight to its end.
func (s *Service) fly(ctx context.Context, f *flight, q *question, req *edgelens.Request) {
	defer s.flights.end(f)
	select {
	case <-f.ticket.decided:
	case <-f.abandoned:
		f.err = fmt.Errorf("recognize: %w", edgelens.ErrCanceled)
		return
	}
	if f.err = f.ticket.refusal; f.err != nil {
		return
	}
	ran := false
	defer func() { s.admission.leave(f.ticket, ran) }()
	// A panic is a bug of ours and must not end the process.
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic while recognizing", "event", "panic", "request_id", req.ID, "panic", p, "stack", string(debug.Stack()))
			f.result, f.err, ran = nil, fmt.Errorf("recognize: %w: internal error", edgelens.ErrInference), false
		}
	}()
	if !req.NoCache {
		// The same may have been computed since the caller's lookup.
		if known, ok := s.cache.GetLocal(q.key); ok {
			f.result = known
			return
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	f.result, f.err = s.run(ctx, f, q, req)
	ran = f.err == nil
	whole := ran && (f.result.Quality != nil) == (q.qualityModel != nil)
	if whole && !req.NoCache {
		s.cache.Set(q.key, f.result)
	}
}

// run is the path of one image that has a slot.
func (s *Service) run(ctx context.Context, f *flight, q *question, req *edgelens.Request) (*edgelens.Result, error) {
	admission := time.Since(f.begun)
	var rated []byte // the tensor of the quality model, if it is another
	if q.twoModels() {
		rated = make([]byte, q.qualityModel.Input.Bytes())
	}
	background := f.ticket.priority == edgelens.PriorityBulk
	// Decoded on the thread that runs the model next, and only when it is free: so there
	// are never more decoded images than interpreters.
	inferred, err := s.runner.Run(ctx, q.spec, models.Run{Background: background, Fill: func(tensor []byte) (edgelens.ImageInfo, edgelens.Timings, error) {
		return s.preprocess.Tensors(req.Image, q.buffers(tensor, rated)...)
	}})
	if err != nil {
		return nil, err
	}
	result := &edgelens.Result{Model: q.spec.ModelRef, Image: inferred.Image, Timings: inferred.Timings}
	result.Timings.Queue += admission
	result.Image.SHA256 = hex.EncodeToString(req.SHA256[:])
	if problem := result.Image.Problem(); problem != "" {
		result.Warnings = append(result.Warnings, problem)
	}

	mark := time.Now()
	if result.Predictions, err = predictions(q.spec, inferred.Output, q.topK, req.MinScore); err != nil {
		return nil, err
	}
	result.Timings.Postprocess = time.Since(mark)
	if q.qualityModel != nil {
		mark = time.Now()
		result.Quality = s.assessQuality(ctx, q, req, inferred.Output, rated, background)
		result.Timings.Quality = time.Since(mark)
	}
	result.Timings.Total = time.Since(f.begun)
	return result, nil
}

// buffers are the tensors that an image fills: the model's and, if another model rates
// it, that one's.
func (q *question) buffers(tensor, rated []byte) []models.InputBuffer {
	buffers := []models.InputBuffer{{Spec: q.spec.Input, Bytes: tensor}}
	if q.twoModels() {
		buffers = append(buffers, models.InputBuffer{Spec: q.qualityModel.Input, Bytes: rated})
	}
	return buffers
}

// contextError maps the reason why ctx ended to a sentinel.
func contextError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return edgelens.ErrDeadline
	}
	return edgelens.ErrCanceled
}

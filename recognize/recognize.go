package recognize

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
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
	tensors   tensorPool
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
	// DecodeMemory returns how many bytes decoding may take at the moment, for all images
	// together, where it takes inUse, and would have taken wanted with the largest image for which there was not enough
	// since it was last called (0: there was for all); nil for no limit. It is called with a lock held, and must be fast.
	DecodeMemory func(inUse, wanted int64) int64
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
	s.admission.memory.total = parts.DecodeMemory
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
	spec, release, standIn, err := s.acquire(ctx, req)
	if err != nil {
		return nil, err
	}
	if req.Task != "" && spec.Task != req.Task {
		release()
		return nil, fmt.Errorf("%w: the model %s has the task %s, not %s; `edgelens model list` shows those that have it", edgelens.ErrInvalid, spec.Name, spec.Task, req.Task)
	}
	q := question{spec: spec, view: s.viewOf(spec, req), topK: req.TopK, releases: [2]func(){release}}
	q.users.Store(1)
	defer q.release()
	q.qualityModel, q.releases[1] = s.qualityModelFor(ctx, req)
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

// Admit returns the error of a synchronous request that would arrive now and whose caller
// waits for that long for its answer, 0 where it has no deadline. It costs little, so that a flood is refused before it is
// read. The error is an *edgelens.Busy, or wraps ErrStopping. Without one, the request may be read and passed to Recognize, and
// arrived must be called once it was read, or has ended without that, from any goroutine; further calls do nothing.
func (s *Service) Admit(wait time.Duration) (arrived func(), err error) {
	s.mu.Lock()
	stopped := s.stopped
	s.mu.Unlock()
	switch {
	case stopped:
		return nil, fmt.Errorf("recognize: %w", edgelens.ErrStopping)
	case wait > s.config.Timeout:
		return func() {}, nil // it waits as a job does
	case wait == 0:
		wait = s.giveUps.limit(s.config.maxWait())
	}
	return s.admission.admit(wait)
}

// Waiting returns how many recognitions wait for a slot.
func (s *Service) Waiting() (n int) {
	waiting, _, _ := s.admission.counts()
	for _, of := range waiting {
		n += of
	}
	return n
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
	if t := req.Task; t != "" && t != edgelens.TaskClassification && t != edgelens.TaskEmbedding {
		return fmt.Errorf("%w: %.100q is not a task; use %s or %s", edgelens.ErrInvalid, t, edgelens.TaskClassification, edgelens.TaskEmbedding)
	}
	return edgelens.CheckOptions(req.TopK, req.MinScore, req.View)
}

// question is a recognition to be computed. It must not be changed once the work
// has started.
type question struct {
	key          string
	spec         *models.Spec
	view         edgelens.View // nothing is left open
	qualityModel *models.Spec  // nil if the image is not rated
	topK         int

	// users counts those that need the models: the request, and the work, which may outlive it. releases give the models
	// up; nil for no second one.
	users    atomic.Int32
	releases [2]func()
}

// release is called by each user once; the last one gives the models up.
func (q *question) release() {
	if q.users.Add(-1) > 0 {
		return
	}
	for _, release := range q.releases {
		if release != nil {
			release()
		}
	}
}

// twoModels reports whether the quality model is another than the one that answers.
func (q *question) twoModels() bool {
	return q.qualityModel != nil && q.qualityModel.Digest != q.spec.Digest
}

// viewOf returns what is shown of the image of a request: by the request, which has
// the view of its device, or else by the model or the service.
func (s *Service) viewOf(spec *models.Spec, req *edgelens.Request) edgelens.View {
	view := req.View.Or(edgelens.View{Fit: spec.Fit, Region: spec.Region}).Or(edgelens.View{Fit: s.preprocess.Fit()})
	if view.Region == wholeImage {
		view.Region = edgelens.Region{}
	}
	return view
}

// wholeImage is the whole image, in words.
var wholeImage = edgelens.Region{Width: 1, Height: 1}

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
	b = append(b, q.view.Fit...)
	b = append(b, ' ')
	b = append(b, q.view.Region.String()...)
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

// contextError maps the reason why ctx ended to a sentinel.
func contextError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return edgelens.ErrDeadline
	}
	return edgelens.ErrCanceled
}

package similarity

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"edgelens"
)

const (
	// maxOffers and maxOfferedBytes bound the images that wait in memory.
	maxOffers       = 64
	maxOfferedBytes = 32 << 20
	// resultTimeout is how long after its image a result may be stored, and resultInterval how often it is looked for.
	resultTimeout  = 10 * time.Second
	resultInterval = 100 * time.Millisecond
)

// offer is an image that is not kept, of a result that is being stored.
type offer struct {
	// id is that of the result, or job that of its job; the other is empty.
	id, job string
	image   []byte
	view    edgelens.View
}

// offers wait for their embedding.
type offers struct {
	queue chan offer
	bytes atomic.Int64
}

// Watch returns a Recognizer that offers the images of what next recognizes: their results are, or will be, in the history,
// and the images are not kept. A recognition never waits for it: where too many wait, they are dropped, and counted.
func (s *Service) Watch(next edgelens.Recognizer) edgelens.Recognizer { return watching{s, next} }

type watching struct {
	service *Service
	next    edgelens.Recognizer
}

// Recognize implements edgelens.Recognizer.
func (w watching) Recognize(ctx context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	result, err := w.next.Recognize(ctx, req)
	if err == nil {
		w.service.offer(req)
	}
	return result, err
}

func (s *Service) offer(req *edgelens.Request) {
	size := int64(len(req.Image))
	if s.offers.bytes.Add(size) > maxOfferedBytes {
		s.offers.bytes.Add(-size)
		s.drop("queue_full", errors.New("too many images wait"))
		return
	}
	o := offer{id: req.ID, image: bytes.Clone(req.Image), view: req.View} // the caller may use the bytes for another image
	if req.Source == "job" {
		o.id, o.job = "", req.ID
	}
	select {
	case s.offers.queue <- o:
	default:
		s.offers.bytes.Add(-size)
		s.drop("queue_full", errors.New("too many images wait"))
	}
}

func (s *Service) drop(reason string, err error) {
	s.metrics.dropped.WithLabelValues(reason).Inc()
	s.warn("similarity_dropped", "an image was not embedded, and will not be found as similar", err)
}

// take embeds an offered image.
func (s *Service) take(ctx context.Context, o offer) {
	defer s.offers.bytes.Add(-int64(len(o.image)))
	err := s.prepare(ctx)
	if err == nil {
		var e edgelens.StoredEmbedding
		if e, err = s.embed(ctx, o.image, o.view); err == nil {
			err = s.putOnceStored(ctx, e, o)
		}
	}
	if err != nil && ctx.Err() == nil {
		s.drop("failed", err)
	}
}

// putOnceStored stores an embedding as soon as its result is stored.
func (s *Service) putOnceStored(ctx context.Context, e edgelens.StoredEmbedding, o offer) error {
	for begin := time.Now(); ; {
		err := s.put(ctx, e, o.id, o.job)
		if !errors.Is(err, edgelens.ErrNotFound) || time.Since(begin) > resultTimeout {
			return err
		}
		select {
		case <-time.After(resultInterval):
		case <-ctx.Done():
			return err
		}
	}
}

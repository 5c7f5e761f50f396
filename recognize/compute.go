package recognize

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"edgelens"
	"edgelens/models"
)

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
	// Refused here, an image that cannot be decoded takes no slot.
	bytes, err := s.preprocess.Memory(req.Image)
	if err != nil {
		return nil, err
	}
	caller := s.urgencyOf(ctx, own, req)
	f, isNew := s.flights.join(key, kind{q.spec.Name, q.view.Fit == edgelens.FitSweep, isHeavy(req, bytes)}, bytes, caller)
	defer s.flights.leave(f, caller)
	if isNew {
		// The work may outlive this call, after which req belongs to the caller again.
		kept := *req
		q.users.Add(1)
		s.work.Go(func() {
			defer q.release()
			s.fly(context.WithoutCancel(ctx), f, q, &kept)
		})
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
	err = contextError(ctx)
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
		u.due = now.Add(s.giveUps.limit(s.config.maxWait()))
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
	background, urgent := f.ticket.priority == edgelens.PriorityBulk, f.ticket.priority == edgelens.PriorityDevice
	fill, err := s.prepare(f, q, req, rated, background)
	if err != nil {
		return nil, err
	}
	inferred, err := s.runner.Run(ctx, q.spec, models.Run{Background: background, Urgent: urgent, Fill: fill})
	if err != nil {
		return nil, err
	}
	result := &edgelens.Result{Model: q.spec.ModelRef, Image: inferred.Image, View: inferred.View, Accelerator: inferred.Accelerator, Timings: inferred.Timings}
	result.Timings.Admission = admission
	if !s.preprocess.DecodesAhead() { // it was decoded on the interpreter's thread, after the wait for it
		result.Timings.Admission += inferred.Timings.Queue
	}
	result.Timings.Queue += admission
	outputs, err := s.runMore(ctx, q, inferred, background, result)
	if err != nil {
		return nil, err
	}
	result.Image.SHA256 = hex.EncodeToString(req.SHA256[:])
	if problem := result.Image.Problem(); problem != "" {
		result.Warnings = append(result.Warnings, problem)
	}

	mark := time.Now()
	if q.spec.Task == edgelens.TaskEmbedding {
		result.Embedding, err = embedding(q.spec, outputs)
	} else {
		result.Predictions, err = predictions(q.spec, outputs, q.topK, req.MinScore)
	}
	if err != nil {
		return nil, err
	}
	result.Timings.Postprocess = time.Since(mark)
	if q.qualityModel != nil {
		mark = time.Now()
		result.Quality = s.assessQuality(ctx, q, req, outputs, rated, background)
		result.Timings.Quality = time.Since(mark)
	}
	result.Timings.Total = time.Since(f.begun)
	return result, nil
}

// prepare returns what fills the model's tensor. The image is decoded already, or is decoded
// there, on the thread that runs the model next.
func (s *Service) prepare(f *flight, q *question, req *edgelens.Request, rated []byte, background bool) (models.Fill, error) {
	if s.preprocess.DecodesAhead() {
		s.admission.decodesAhead(f.ticket)
		tensor := s.tensors.take(q.spec.Input.Bytes())
		filled, ok, err := s.preprocess.Ahead(background || f.ticket.heavy, req.Image, q.buffers(tensor, rated)...)
		if err != nil {
			s.tensors.give(tensor)
			return nil, err
		}
		if ok {
			s.admission.decoded(f.ticket)
			return func(input []byte) (models.Filled, error) {
				copy(input, tensor)
				s.tensors.give(tensor)
				return filled, nil
			}, nil
		}
		s.tensors.give(tensor)
	}
	return func(input []byte) (models.Filled, error) {
		defer s.admission.decoded(f.ticket)
		return s.preprocess.Tensors(req.Image, q.buffers(input, rated)...)
	}, nil
}

// runMore runs the model on the other parts of a sweep, within the same slot, and returns
// the outputs of all. It adds to the result's timings, and its accelerator.
func (s *Service) runMore(ctx context.Context, q *question, first models.Inference, background bool, result *edgelens.Result) ([][]byte, error) {
	outputs := make([][]byte, 1, 1+len(first.More))
	outputs[0] = first.Output
	for _, tensor := range first.More {
		inferred, err := s.runner.Run(ctx, q.spec, onTensor(tensor, background))
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, inferred.Output)
		result.Timings.Queue += inferred.Timings.Queue
		result.Timings.Inference += inferred.Timings.Inference
		result.Accelerator = cmp.Or(result.Accelerator, inferred.Accelerator)
	}
	return outputs, nil
}

// onTensor is a run on a tensor that exists already.
func onTensor(tensor []byte, background bool) models.Run {
	return models.Run{Background: background, Fill: func(input []byte) (models.Filled, error) {
		copy(input, tensor)
		return models.Filled{}, nil
	}}
}

// buffers are the tensors that an image fills: the model's and, if another model rates
// it, that one's.
func (q *question) buffers(tensor, rated []byte) []models.InputBuffer {
	buffers := []models.InputBuffer{{Spec: q.spec.Input, View: q.view, Bytes: tensor}}
	if q.twoModels() {
		buffers = append(buffers, models.InputBuffer{Spec: q.qualityModel.Input, View: q.ratedView(), Bytes: rated})
	}
	return buffers
}

// ratedView is what the quality model is shown: what the model sees of the image, but
// without bars, and all of a sweep at once.
func (q *question) ratedView() edgelens.View {
	view := q.view
	if view.Fit != edgelens.FitCenter {
		view.Fit = edgelens.FitStretch
	}
	return view
}

package api

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"edgelens"
)

// maxIdempotencyKey is the maximum number of bytes in the header.
const maxIdempotencyKey = 200

// serveRecognize answers POST /api/recognize and /api/recognize_cached.
func (s *Server) serveRecognize(c echo.Context) error {
	prefer := readPreferences(c.Request().Header)
	if prefer.async {
		return s.serveRecognizeAsync(c)
	}
	ctx := c.Request().Context()
	if _, err := idempotencyKey(c.Request().Header); err != nil {
		return err
	}
	o, u, err := s.readRecognition(c)
	if err != nil {
		return err
	}
	if _, given := o.given["queue"]; given {
		return fmt.Errorf("%w: queue is for jobs; also send the header Prefer: respond-async, or POST to /api/recognize_async", edgelens.ErrInvalid)
	}
	req, err := s.newRequest(ctx, o)
	if err != nil {
		return err
	}
	if err := s.mayUseModel(ctx, req.Model); err != nil {
		return err
	}
	req.Image, req.SHA256 = u.image, u.sha256
	markRecognized(ctx)
	waiting, cancel := prefer.limit(ctx, c.Response().Header())
	defer cancel()
	result, err := s.recognizer.Recognize(waiting, req)
	if err != nil {
		return err // the image may still be read
	}
	s.buffers.give(u.buffer)
	c.Response().Header().Set("X-Cache", cacheHeader(req, result))
	return s.answer(c, http.StatusOK, o, NewRecognition(result))
}

// serveRecognizeAsync creates a job.
func (s *Server) serveRecognizeAsync(c echo.Context) error {
	ctx := c.Request().Context()
	key, err := idempotencyKey(c.Request().Header)
	if err != nil {
		return err
	}
	o, u, err := s.readRecognition(c)
	if err != nil {
		return err
	}
	req, err := s.newRequest(ctx, o)
	if err != nil {
		return err
	}
	if err := s.mayUseModel(ctx, req.Model); err != nil {
		return err
	}
	if err := s.knowsModel(req.Model, req.Task); err != nil {
		return err
	}
	spec := edgelens.JobSpec{
		Source: "http", Owner: req.Owner, Queue: edgelens.QueueInteractive, Model: req.Model, Task: req.Task, TopK: req.TopK, MinScore: req.MinScore, View: req.View, NoCache: req.NoCache,
		IdempotencyKey: key, SHA256: hex.EncodeToString(u.sha256[:]), Bytes: int64(len(u.image)), Trace: req.Trace,
	}
	if queue, given := o.given["queue"].value.(string); given {
		spec.Queue = queue
	}
	job, _, err := s.queue.Submit(ctx, spec, u.image)
	if err != nil {
		return err
	}
	id, err := uuid.Parse(job.ID)
	if err != nil {
		return fmt.Errorf("accept the job: %w", err)
	}
	exchangeFrom(ctx).job = job.ID
	url := "/api/jobs/" + job.ID
	c.Response().Header().Set("Location", url)
	if readPreferences(c.Request().Header).async {
		c.Response().Header().Set(preferenceApplied, "respond-async")
	}
	c.Response().Header().Set("Retry-After", strconv.Itoa(pollAfter))
	return s.answer(c, http.StatusAccepted, o, AcceptedJob{TaskId: id, Status: JobStatus(job.Status), StatusUrl: url})
}

// newRequest returns the request without its image. One for an embedding names the model that gives it, so that a job has
// the one that was configured when it was accepted.
func (s *Server) newRequest(ctx context.Context, o *options) (*edgelens.Request, error) {
	req := o.request(ctx)
	if req.Task != edgelens.TaskEmbedding {
		return req, nil
	}
	for _, name := range []string{"top_k", "min_score"} {
		if _, given := o.given[name]; given {
			return nil, fmt.Errorf("%w: %s is for predictions; leave it out with task=%s", edgelens.ErrInvalid, name, edgelens.TaskEmbedding)
		}
	}
	if req.Model == "" {
		req.Model = s.embeddingModel
	}
	if req.Model == "" {
		return nil, fmt.Errorf("%w: name the model whose embedding is wanted, as model=NAME; /api/models lists those of task %s", edgelens.ErrInvalid, edgelens.TaskEmbedding)
	}
	return req, nil
}

// readRecognition reads the options from the query and the body, and the image.
// Invalid options of the query are rejected before the upload is read.
func (s *Server) readRecognition(c echo.Context) (*options, upload, error) {
	o := &options{}
	u, err := s.readOptionsAndImage(c, o)
	return o, u, err
}

// readOptionsAndImage is readRecognition for other options.
func (s *Server) readOptionsAndImage(c echo.Context, o *options) (upload, error) {
	for name, values := range c.QueryParams() {
		if err := o.add(name, values[0], "the query"); err != nil {
			return upload{}, err
		}
	}
	u, err := s.readUpload(c.Request(), o)
	if err == nil {
		exchangeFrom(c.Request().Context()).upload.shrink(int64(cap(u.image))) // the rest of the body is not kept
	}
	return u, err
}

// answer writes JSON and a header with what was ignored in the request.
func (s *Server) answer(c echo.Context, status int, o *options, body any) error {
	if ignored := ignoredHeader(o.ignored); ignored != "" {
		c.Response().Header().Set("X-Ignored-Fields", ignored)
	}
	c.Response().Header().Set("Content-Type", "application/json")
	c.Response().WriteHeader(status)
	if err := json.NewEncoder(c.Response()).Encode(body); err != nil {
		s.log.Debug("writing an answer failed", "request_id", requestID(c), "error", err)
	}
	return nil
}

// idempotencyKey reads the Idempotency-Key header; "" is none.
func idempotencyKey(h http.Header) (string, error) {
	keys := h.Values("Idempotency-Key")
	switch {
	case len(keys) == 0:
		return "", nil
	case len(keys) > 1:
		return "", fmt.Errorf("%w: there are %d Idempotency-Key headers; send one", edgelens.ErrInvalid, len(keys))
	case len(keys[0]) > maxIdempotencyKey:
		return "", fmt.Errorf("%w: Idempotency-Key must have at most %d bytes", edgelens.ErrInvalid, maxIdempotencyKey)
	}
	return keys[0], nil
}

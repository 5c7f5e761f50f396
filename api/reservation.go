package api

import (
	"time"

	"edgelens"
)

// reservation is what a request has of the budget for uploads in memory. Its methods do
// nothing where it is nil. It belongs to the goroutine of the request.
type reservation struct {
	server *Server
	bytes  int64
}

// reserve takes from the budget for uploads; false where there is not so much.
func (s *Server) reserve(bytes int64) (*reservation, bool) {
	if !s.uploads.TryAcquire(bytes) {
		return nil, false
	}
	s.uploading.Add(float64(bytes))
	return &reservation{s, bytes}, true
}

// shrink gives back what is over bytes, once it is known how much is held.
func (r *reservation) shrink(bytes int64) {
	if r == nil || bytes >= r.bytes {
		return
	}
	r.server.uploads.Release(r.bytes - bytes)
	r.server.uploading.Sub(float64(r.bytes - bytes))
	r.bytes = bytes
}

// tooManyUploads is the error where the budget is used up.
var tooManyUploads = &edgelens.Busy{RetryAfter: time.Second, Reason: "the uploads in memory take all that http.max_upload_bytes allows; try again shortly"}

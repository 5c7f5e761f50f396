package client

import (
	"net/http"
	"strconv"
	"time"
)

// refusal is an answer that is a problem.
type refusal struct {
	status int
	detail string
	// retryAfter is 0 where the answer names none.
	retryAfter time.Duration
}

// Error returns the problem's detail.
func (r *refusal) Error() string { return r.detail }

// retryAfter reads the header Retry-After, in seconds; 0 where there is none.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// mayPass reports whether the same request may be accepted later.
func (r *refusal) mayPass() bool {
	return r.status == http.StatusServiceUnavailable || r.status == http.StatusTooManyRequests
}

package api

import (
	"cmp"
	"net/http"
	"slices"

	"edgelens"
)

// docsError is a row of the table of error codes.
type docsError struct {
	Status                int
	Code, Title, Sentence string
}

// docsErrors returns every code that a problem can have, by status.
func docsErrors() []docsError {
	var all []docsError
	for _, s := range statuses {
		sentence := s.detail
		if sentence == "" {
			sentence = sentenceOf(s.err.Error()) + " The detail has what to do."
		}
		all = append(all, docsError{s.status, edgelens.Code(s.err), s.title, sentence})
	}
	for _, r := range routingCodes {
		all = append(all, docsError{r.status, r.code, http.StatusText(r.status), r.sentence})
	}
	slices.SortStableFunc(all, func(a, b docsError) int { return cmp.Compare(a.Status, b.Status) })
	return all
}

// sentenceOf makes a sentence of an error's text.
func sentenceOf(text string) string {
	return string(text[0]-'a'+'A') + text[1:] + "."
}

// routingCodes are the codes of requests that are rejected before a handler runs, besides those of errors.
var routingCodes = []struct {
	status         int
	code, sentence string
}{
	{http.StatusMethodNotAllowed, "method_not_allowed", "This path does not support that method; the header Allow lists those that it does."},
	{http.StatusRequestTimeout, "upload_too_slow", "The body arrived too slowly. Send it again, over a better connection or scaled down."},
	{http.StatusUnsupportedMediaType, "unsupported_encoding", "The Content-Encoding is not supported. Send the body as it is, or compressed once by gzip."},
	{http.StatusMisdirectedRequest, "misdirected_request", "The host name of the request is not one of this service (http.allowed_hosts)."},
	{http.StatusTooManyRequests, "rate_limited", "The client sends more requests than it may (http.rate_limit). Try again after the seconds in Retry-After."},
	{http.StatusInternalServerError, "internal", "An internal error occurred. Report the request_id to the operator."},
}

package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"edgelens"
)

// statuses is the one table from errors to HTTP. No detail means that the error's
// own text is fit for clients. Other 5xx reveal no internals; but errors of a model
// are included, since the client may be its owner, who can fix it.
var statuses = []struct {
	err    error
	status int
	title  string
	detail string
}{
	{edgelens.ErrNoImage, http.StatusBadRequest, "No image", ""},
	{edgelens.ErrInvalid, http.StatusBadRequest, "Invalid request", ""},
	{edgelens.ErrUnauthorized, http.StatusUnauthorized, "Key needed", ""},
	{edgelens.ErrForbidden, http.StatusForbidden, "Not permitted", ""},
	{edgelens.ErrUnknownModel, http.StatusNotFound, "Unknown model", ""},
	{edgelens.ErrNotFound, http.StatusNotFound, "Not found", ""},
	{edgelens.ErrTooLarge, http.StatusRequestEntityTooLarge, "Upload too large", ""},
	{edgelens.ErrUnsupportedFormat, http.StatusUnsupportedMediaType, "Unsupported image format", ""},
	{edgelens.ErrBadImage, http.StatusUnprocessableEntity, "Image refused", ""},
	{edgelens.ErrFinished, http.StatusConflict, "Ended already", ""},
	{edgelens.ErrInUse, http.StatusConflict, "In use", ""},
	{edgelens.ErrConflict, http.StatusConflict, "Conflict", ""},
	{edgelens.ErrDiskFull, http.StatusInsufficientStorage, "Disk full", "Nothing more can be stored, because the service's disk is full. Inform the operator, and try again later."},
	{edgelens.ErrStorage, http.StatusInsufficientStorage, "Storage unavailable", "Nothing can be stored, because the service's storage cannot be written. Inform the operator (/readyz has details), and try again later."},
	{edgelens.ErrCanceled, http.StatusRequestTimeout, "Canceled", "The client closed the connection, or its sending side, and the response was not ready soon after."},
	{edgelens.ErrNoModel, http.StatusServiceUnavailable, "No model", ""},
	{edgelens.ErrModel, http.StatusInternalServerError, "Model unusable", ""},
	{edgelens.ErrInference, http.StatusInternalServerError, "Inference failed", "The model failed on this image. If it keeps failing, report the request_id to the operator."},
	{edgelens.ErrBusy, http.StatusServiceUnavailable, "Busy", "The service is busy. Try again after the seconds in Retry-After."},
	{edgelens.ErrStopping, http.StatusServiceUnavailable, "Not accepting work", "The service is starting or stopping. Try again after the seconds in Retry-After."},
	{edgelens.ErrDeadline, http.StatusGatewayTimeout, "Deadline passed", "The response was not ready in time. Try again when there is less load."},
}

// newProblem turns any error that a handler or Echo returns into a problem.
func newProblem(err error) Problem {
	p := Problem{Status: http.StatusInternalServerError, Code: edgelens.Code(err), Title: "Internal error",
		Detail: "An internal error occurred. Report the request_id to the operator."}
	var routing *echo.HTTPError
	if errors.As(err, &routing) {
		p.Status, p.Title = routing.Code, http.StatusText(routing.Code)
		p.Code, p.Detail = routingProblem(routing)
	}
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			p.Status, p.Title, p.Code, p.Detail = s.status, s.title, edgelens.Code(s.err), s.detail
			if s.detail == "" {
				p.Detail = err.Error()
			}
			var noRoom *edgelens.NoRoom
			if errors.As(err, &noRoom) {
				p.Detail = noRoom.Reason
			}
			var refused *refusal
			if errors.As(err, &refused) && refused.detail != "" {
				p.Detail = refused.detail
			}
			break
		}
	}
	p.Type, p.Error = "urn:edgelens:problem:"+p.Code, p.Detail
	return p
}

// routingProblem describes requests that Echo rejects before a handler runs.
func routingProblem(e *echo.HTTPError) (code, detail string) {
	switch {
	case e.Code == http.StatusNotFound:
		return edgelens.Code(edgelens.ErrNotFound), "There is no such path. /docs lists the API."
	case e.Code == http.StatusMethodNotAllowed:
		return "method_not_allowed", "This path does not support that method. /docs lists the methods."
	case e.Code == http.StatusRequestTimeout:
		return "upload_too_slow", fmt.Sprint(e.Message)
	case e.Code == http.StatusForbidden:
		return "forbidden", fmt.Sprint(e.Message)
	case e.Code == http.StatusTooManyRequests:
		return "rate_limited", fmt.Sprint(e.Message)
	case e.Code == http.StatusUnsupportedMediaType:
		return "unsupported_encoding", fmt.Sprint(e.Message)
	case e.Code == http.StatusMisdirectedRequest:
		return "misdirected_request", fmt.Sprint(e.Message)
	case e.Code >= 500:
		return "internal", "An internal error occurred. Report the request_id to the operator."
	default:
		message := fmt.Sprint(e.Message)
		if name := badPathParameter.FindStringSubmatch(message); name != nil {
			// The rest of the message is about Go, not about the API.
			message = name[1] + " must be a UUID from this service, such as 0197a000-0000-7000-8000-00000000000a."
		}
		return edgelens.Code(edgelens.ErrInvalid), message
	}
}

// badPathParameter matches the generated code's message about an invalid parameter in
// a path. Those of the query are checked before.
var badPathParameter = regexp.MustCompile(`^Invalid format for parameter (\w+):`)

// modelRetryAfter is the time in seconds that an operator may need to fetch a model.
const modelRetryAfter = 30

// retryAfter returns the whole seconds after which a rejected client may
// retry, or 0 if that would not help.
func retryAfter(err error) int {
	var busy *edgelens.Busy
	switch {
	case errors.As(err, &busy):
		return int(math.Ceil(max(1, busy.RetryAfter.Seconds())))
	case errors.Is(err, edgelens.ErrBusy), errors.Is(err, edgelens.ErrStopping):
		return 1
	case errors.Is(err, edgelens.ErrNoModel):
		return modelRetryAfter
	default:
		return 0
	}
}

// instance is the path of a request as a URI reference (RFC 3986): escaped, and
// not mistaken for the address of another host if it begins with two slashes.
func instance(r *http.Request) string {
	path := r.URL.EscapedPath()
	if strings.HasPrefix(path, "//") {
		return "/." + path
	}
	return path
}

// handleError is Echo's error handler: every error leaves as a problem.
func (s *Server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return // too late for an error response
	}
	var limit *http.MaxBytesError
	if errors.As(err, &limit) {
		err = s.bodyTooLarge(c)
	}
	p := newProblem(err)
	p.RequestId = requestID(c)
	p.Instance = instance(original(c.Request()))
	seconds := retryAfter(err)
	if answersAtOnce[route(c)] {
		seconds = retryAfterOfMany(err)
	}
	if seconds > 0 {
		c.Response().Header().Set("Retry-After", strconv.Itoa(seconds))
	}
	if p.Status == http.StatusUnauthorized {
		c.Response().Header().Set("WWW-Authenticate", `Bearer realm="edgelens"`)
	}
	if p.Status == http.StatusRequestEntityTooLarge || p.Status == http.StatusRequestTimeout || errors.Is(err, errStopping) {
		c.Response().Header().Set("Connection", "close") // the rest of the body is not read
	}
	completeAllow(c.Response().Header())
	c.Response().Header().Set("Content-Type", "application/problem+json")
	c.Response().WriteHeader(p.Status)
	body := json.NewEncoder(c.Response())
	body.SetEscapeHTML(false) // "<base64>" is for people
	if err := body.Encode(p); err != nil {
		s.log.Debug("write problem", "request_id", p.RequestId, "error", err)
	}
}

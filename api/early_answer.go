package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"edgelens"
	"edgelens/internal/uuid7"
)

// earlyAnswer is the answer that the middleware gives where it refuses because of the load, in parts: what differs from one answer
// to the next stands between them. So an answer costs no more than its copy. It does not change after it was made.
type earlyAnswer struct {
	toRetryAfter, toRequestID, toDate, toBodyID, end []byte
}

// newEarlyAnswer makes it from what the middleware makes it from. varies is whether answers depend on the origin.
func newEarlyAnswer(varies bool) (earlyAnswer, error) {
	p := newProblem(&edgelens.Busy{})
	p.RequestId, p.Instance = uuid7.New(time.Now()), recognizeRoute
	body, err := json.Marshal(p)
	if err != nil {
		return earlyAnswer{}, fmt.Errorf("make the answer of refusals: %w", err)
	}
	vary := ""
	if varies {
		vary = "\r\nVary: Origin"
	}
	body = append(body, '\n')
	before, after, _ := bytes.Cut(body, []byte(p.RequestId))
	return earlyAnswer{
		toRetryAfter: fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Security-Policy: "+closedPolicy+
			"\r\nContent-Type: application/problem+json\r\nReferrer-Policy: no-referrer\r\nRetry-After: ", p.Status, http.StatusText(p.Status)),
		toRequestID: []byte(vary + "\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nX-Request-Id: "),
		toDate:      []byte("\r\nDate: "),
		toBodyID:    fmt.Appendf(nil, "\r\nContent-Length: %d\r\n\r\n%s", len(body), before),
		end:         after,
	}, nil
}

// with is the answer at that time, with the seconds until a retry.
func (e *earlyAnswer) with(retryAfter int, now time.Time) []byte {
	id := uuid7.New(now)
	answer := slices.Grow([]byte(nil), len(e.toRetryAfter)+len(e.toRequestID)+len(e.toDate)+len(e.toBodyID)+len(e.end)+2*len(id)+len(http.TimeFormat)+len("1000000"))
	answer = strconv.AppendInt(append(answer, e.toRetryAfter...), int64(retryAfter), 10)
	answer = append(append(answer, e.toRequestID...), id...)
	answer = now.UTC().AppendFormat(append(answer, e.toDate...), http.TimeFormat)
	answer = append(append(answer, e.toBodyID...), id...)
	return append(answer, e.end...)
}

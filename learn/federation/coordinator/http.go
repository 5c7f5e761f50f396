package coordinator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"edgelens"
	"edgelens/learn/federation"
)

// partTimeout bounds the time in which one request must come; a slow upload goes on with the next request.
const partTimeout = 2 * time.Minute

// Handler returns what nodes call.
func (c *Coordinator) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+federation.Path+"/join", c.message(func(_ string, text []byte) ([]byte, error) {
		answer, err := c.join(text)
		c.count(err)
		return answer, err
	}))
	mux.HandleFunc("POST "+federation.Path+"/poll", c.message(func(_ string, text []byte) ([]byte, error) {
		answer, err := c.poll(text)
		c.count(err)
		return answer, err
	}))
	mux.HandleFunc("POST "+federation.Path+"/tasks/{ticket}/key", c.message(c.maskKey))
	mux.HandleFunc("POST "+federation.Path+"/tasks/{ticket}/update", c.message(c.update))
	mux.HandleFunc("POST "+federation.Path+"/tasks/{ticket}/score", c.message(c.score))
	mux.HandleFunc("GET "+federation.Path+"/tasks/{ticket}/update", c.serveReceived)
	mux.HandleFunc("PUT "+federation.Path+"/tasks/{ticket}/update", c.serveUpload)
	mux.HandleFunc("GET "+federation.Path+"/heads/{digest}", c.serveHead)
	mux.HandleFunc("GET "+federation.Path+"/health", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	return mux
}

// count counts a refusal that is not of a task.
func (c *Coordinator) count(err error) {
	if err != nil && isRefusal(err) {
		c.metrics.refused.WithLabelValues(string(federation.RefusalOf(err).Reason)).Inc()
	}
}

// message returns a handler of signed messages.
func (c *Coordinator) message(do func(ticket string, text []byte) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, federation.MaxMessage))
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			err = &federation.Refusal{Reason: federation.TooLarge, Detail: fmt.Sprintf("a message has at most %d bytes", federation.MaxMessage)}
		} else if err != nil {
			return // the node disconnected
		}
		var answer []byte
		if err == nil {
			answer, err = do(r.PathValue("ticket"), text)
		}
		if err != nil {
			c.refuse(w, err, -1)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer) // an error means that the node disconnected
	}
}

// Refused is the form of a refusal.
type Refused struct {
	Reason federation.Reason `json:"reason"`
	Detail string            `json:"detail"`
	// Received is how many bytes of an upload have come.
	Received *int64 `json:"received,omitempty"`
}

// refuse answers with an error; received below 0 is left out.
func (c *Coordinator) refuse(w http.ResponseWriter, err error, received int64) {
	status, form := http.StatusInternalServerError, Refused{Detail: "the coordinator failed; its log has the cause"}
	if isRefusal(err) {
		refused := federation.RefusalOf(err)
		status, form = refused.Status(), Refused{Reason: refused.Reason, Detail: refused.Detail}
	} else if !errors.Is(err, edgelens.ErrCanceled) {
		c.parts.Log.Error("answering a node failed", "event", "federation_error", "error", err)
	}
	if received >= 0 {
		form.Received = &received
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(form) // an error means that the node disconnected
}

// Received is how many bytes of an upload have come, and how many it has.
type Received struct {
	Received int64 `json:"received"`
	Bytes    int64 `json:"bytes"`
}

func (c *Coordinator) serveReceived(w http.ResponseWriter, r *http.Request) {
	received, total, err := c.received(r.PathValue("ticket"))
	if err != nil {
		c.refuse(w, err, -1)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(Received{received, total}) // an error means that the node disconnected
}

func (c *Coordinator) serveUpload(w http.ResponseWriter, r *http.Request) {
	control, ticket := http.NewResponseController(w), r.PathValue("ticket")
	offset, total, err := ParseContentRange(r.Header.Get("Content-Range"))
	if err != nil {
		c.refuse(w, err, -1)
		return
	}
	if _, _, err := c.received(ticket); err == nil { // the server's is for short messages, and for those who have no task
		_ = control.SetReadDeadline(time.Now().Add(partTimeout))
	}
	received, err := c.upload(ticket, offset, total, r.Body, func() { _ = control.SetReadDeadline(time.Now()) })
	if err != nil {
		c.refuse(w, err, received)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(Received{received, total}) // an error means that the node disconnected
}

// serveHead sends a stored head, or the part of it that Range names. Its digest, which only members are sent, is the
// permission.
func (c *Coordinator) serveHead(w http.ResponseWriter, r *http.Request) {
	digest := r.PathValue("digest")
	if len(digest) != 64 || strings.Trim(digest, "0123456789abcdef") != "" {
		http.NotFound(w, r)
		return
	}
	file, err := os.Open(c.headFile(digest))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer file.Close() // read only
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Etag", strconv.Quote(digest))
	http.ServeContent(w, r, "", time.Time{}, file)
}

// ParseContentRange reads the header Content-Range of a part of an upload, "bytes FIRST-LAST/TOTAL". Its error is a Refusal.
func ParseContentRange(text string) (first, total int64, err error) {
	malformed := &federation.Refusal{Reason: federation.Malformed, Detail: "the header Content-Range must be bytes FIRST-LAST/TOTAL"}
	spec, ok := strings.CutPrefix(text, "bytes ")
	span, size, two := strings.Cut(spec, "/")
	from, to, both := strings.Cut(span, "-")
	if !ok || !two || !both {
		return 0, 0, malformed
	}
	var numbers [3]int64
	for i, digits := range []string{from, to, size} {
		n, err := strconv.ParseUint(digits, 10, 62)
		if err != nil || digits[0] == '+' {
			return 0, 0, malformed
		}
		numbers[i] = int64(n) //nolint:gosec // 62 bits
	}
	if numbers[0] > numbers[1] || numbers[1] >= numbers[2] {
		return 0, 0, malformed
	}
	return numbers[0], numbers[2], nil
}

package api

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"edgelens"
)

const (
	// netHTTPBuffer is the size of the buffer in which net/http receives requests: where all of it is free, what is
	// received next begins a request.
	netHTTPBuffer = 4 << 10
	// renewal is the age from which on a connection's deadline is renewed: a timer for each request would cost more than
	// its refusal.
	renewal = 10 * time.Second
	// idleTimeout is how long a connection may be without a request, and headTimeout how long headers may take.
	idleTimeout = 2 * time.Minute
	headTimeout = 10 * time.Second
)

// recognizeRoute is the route of a plainHead.
const recognizeRoute = "/api/recognize"

// errAnswerUnread: the client sends requests and does not read the answers.
var errAnswerUnread = errors.New("the client does not read its answers")

// refusesEarly reports whether requests may be refused before net/http sees them: not where that would bypass what must be
// known of each, such as its rate or its trace, and not where the connection is encrypted.
func (s *Server) refusesEarly() bool {
	_, untraced := s.tracer.(edgelens.Untraced)
	return canRefuseEarly && s.admission != nil && s.certificate == nil && s.rates.limit == 0 && untraced
}

// refuseEarly refuses a request whose begin was received, and takes its body, where a flood is refused: for less than by way of
// net/http, the router and the middleware, by an answer that is the same (docs/adr/0058-early-refusals.md). Everything
// that is in doubt goes that way, and so does what may be read; c.arrived is set then. An error ends the connection.
func (s *Server) refuseEarly(c *conn, received []byte) (refused bool, err error) {
	head, ok := readPlainHead(received)
	if !ok || s.draining.Load() || s.isStopping() {
		return false, nil
	}
	left := head.length - (len(received) - head.bytes)
	if left < 0 || head.length >= maxSkipped || int64(head.length) > s.config.maxBodyBytes() || !s.hosts.allows(head.host) || !s.admits(c, head) {
		return false, nil
	}
	arrived, refusal := s.admission.Admit(0)
	if refusal == nil {
		c.set(func() { c.arrived = arrived })
	}
	busy, ok := errors.AsType[*edgelens.Busy](refusal)
	if !ok {
		return false, nil
	}
	s.connections.renew(c)
	s.activity.Refused()
	s.earlyRefusals.Inc()
	s.noteRefusal(refusedAdmission)
	if err := c.renewDeadline(); err != nil {
		return false, err
	}
	answer := s.earlyAnswer.with(retryAfterOfMany(busy), time.Now()) // before the body, the rest of which arrives meanwhile
	skipped := c.skip(left)
	if skipped != nil && !errors.Is(skipped, io.ErrUnexpectedEOF) { // who has closed the sending side may still read
		return false, skipped
	}
	return true, errors.Join(skipped, c.writeAtOnce(answer))
}

// admits reports whether the client certainly may ask for a recognition.
func (s *Server) admits(c *conn, head plainHead) bool {
	keys := s.access.Needed()
	if head.token == "" {
		return s.config.Open && !(keys && head.isForm) || !keys && c.isLocal() && s.config.PublicURL == "" && len(s.config.TrustedProxies) == 0
	}
	key, err := s.access.Authenticate(head.token)
	return err == nil && rules[http.MethodPost+" "+recognizeRoute].permits(key)
}

// retryAfterOfMany is retryAfter for those of whom there are many at a time, who must not come back all at once.
func retryAfterOfMany(err error) int {
	seconds := retryAfter(err)
	if seconds == 0 {
		return 0
	}
	return seconds + rand.IntN(seconds/2+2)
}

// isLoopback reports whether an address is on the loopback interface.
func isLoopback(address net.Addr) bool {
	tcp, ok := address.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

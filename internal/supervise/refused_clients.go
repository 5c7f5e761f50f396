package supervise

import (
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"edgelens/internal/loglimit"
)

// Why mosquitto refused a client in the TLS handshake.
const (
	RefusedWithout     = "no_certificate" // it has shown none
	RefusedCertificate = "certificate"    // its certificate was revoked, has expired, or is of another authority
	RefusedOther       = "other"          // no TLS, or another version of it
)

// refusedClients counts the clients that mosquitto refuses in the TLS handshake, by its log: it reports them nowhere else. It is
// safe for use by many goroutines.
type refusedClients struct {
	log     *slog.Logger
	limiter loglimit.Limiter

	mu     sync.Mutex
	counts map[string]int64
}

func newRefusedClients(log *slog.Logger) *refusedClients {
	return &refusedClients{log: log, counts: map[string]int64{RefusedWithout: 0, RefusedCertificate: 0, RefusedOther: 0}}
}

// reasons are the texts of OpenSSL 1.1 and 3 (ssl/ssl_err.c), which follow the name of a function or nothing.
var reasons = map[string]string{
	"peer did not return a certificate": RefusedWithout,
	"certificate verify failed":         RefusedCertificate,
}

// read looks at a line of mosquitto, such as "1796032553: OpenSSL Error[0]: error:0A0000C7:SSL routines::peer did not return a
// certificate".
func (r *refusedClients) read(line string) {
	_, text, ours := strings.Cut(line, "OpenSSL Error[0]: ")
	if !ours {
		return
	}
	reason, known := reasons[text[strings.LastIndexByte(text, ':')+1:]]
	if !known {
		reason = RefusedOther
	}
	r.mu.Lock()
	r.counts[reason]++
	r.mu.Unlock()
	if suppressed, ok := r.limiter.Pass(reason, time.Now()); ok {
		r.log.Warn("the broker refused a client in the TLS handshake; terminals need a certificate of `edgelens device enroll`", "event", "mqtt_client_refused",
			"reason", reason, "error", text, "suppressed", suppressed)
	}
}

// RefusedClients returns how many clients were refused in the TLS handshake since the start, by reason; with certificates alone.
func (m *Mosquitto) RefusedClients() map[string]int64 {
	m.refused.mu.Lock()
	defer m.refused.mu.Unlock()
	return maps.Clone(m.refused.counts)
}

package signing

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens/internal/loglimit"
)

// The values of the label outcome of edgelens_signatures_total.
const (
	outcomeSigned     = "signed"
	outcomeUnsignable = "unsignable"
	outcomeFailed     = "failed"
)

// accounts count signatures; nil counts nothing.
type accounts struct {
	signatures *prometheus.CounterVec
	limiter    loglimit.Limiter
	log        *slog.Logger
}

// Observe counts signatures from now on, and logs what is not signed. It must be called before the node is shared.
func (n *Node) Observe(log *slog.Logger, metrics prometheus.Registerer) {
	a := &accounts{log: log, signatures: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "edgelens_signatures_total", Help: "Signatures of events, answers and webhooks by outcome: signed, unsignable (the JSON of a device has no canonical form, so it was sent unsigned), failed.",
	}, []string{"outcome"})}
	for _, outcome := range []string{outcomeSigned, outcomeUnsignable, outcomeFailed} {
		a.signatures.WithLabelValues(outcome)
	}
	metrics.MustRegister(a.signatures)
	n.accounts = a
}

func (n *Node) note(outcome string, err error) {
	if n.accounts == nil {
		return
	}
	n.accounts.signatures.WithLabelValues(outcome).Inc()
	if err == nil {
		return
	}
	if suppressed, ok := n.accounts.limiter.Pass(outcome, time.Now()); ok {
		n.accounts.log.Warn("sent without a signature", "event", "unsigned", "reason", err, "suppressed", suppressed)
	}
}

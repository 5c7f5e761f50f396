package edgelens

// Condition is a readiness condition: a reason why the service is not fully
// working. Without any, the service is ok.
type Condition struct {
	// Name is short and stable, such as "model" or "ledger".
	Name string
	// Severity is SeverityDegraded or SeverityUnavailable.
	Severity Severity
	// Reason is a sentence with what is wrong and what to do.
	Reason string
}

// Severity is what a condition means for clients.
type Severity string

// The severities.
const (
	SeverityDegraded    Severity = "degraded"    // requests are answered, with limits
	SeverityUnavailable Severity = "unavailable" // requests are not answered
)

package edgelens

// Condition is something that keeps the service from being well. What has none is
// ok.
type Condition struct {
	// Name is short and stable, such as "model" or "ledger".
	Name string
	// Severity is SeverityDegraded or SeverityUnavailable.
	Severity Severity
	// Reason is a sentence that says what is wrong and what to do.
	Reason string
}

// Severity says what a condition means for clients.
type Severity string

// The severities.
const (
	SeverityDegraded    Severity = "degraded"    // requests are answered, but not as they should be
	SeverityUnavailable Severity = "unavailable" // requests are not answered
)

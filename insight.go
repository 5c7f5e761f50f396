package edgelens

import "time"

// InsightType is the CloudEvents type of an Insight, with the version of its data.
const InsightType = "edgelens.insight.v1"

// InsightKind is the kind of rule that makes an insight.
type InsightKind string

// The kinds of insights.
const (
	InsightThreshold InsightKind = "threshold" // a value beyond a limit
	InsightAnomaly   InsightKind = "anomaly"   // a value far from those before it
	InsightAbsence   InsightKind = "absence"   // no value for several intervals
	InsightTrend     InsightKind = "trend"     // values that rise or fall
	InsightStuck     InsightKind = "stuck"     // a value that stopped changing
)

// InsightKinds returns every kind.
func InsightKinds() []InsightKind {
	return []InsightKind{InsightThreshold, InsightAnomaly, InsightAbsence, InsightTrend, InsightStuck}
}

// InsightState is whether the condition of an insight began or ended.
type InsightState string

// The states of an insight.
const (
	InsightRaised  InsightState = "raised"
	InsightCleared InsightState = "cleared"
)

// InsightSeverity is how much an insight matters.
type InsightSeverity string

// The severities.
const (
	InsightInfo     InsightSeverity = "info"
	InsightWarning  InsightSeverity = "warning"
	InsightCritical InsightSeverity = "critical"
)

// Insight is a statement about a series, with what to do.
type Insight struct {
	// ID is a UUIDv7.
	ID string
	// Raised is the ID of the insight that a cleared one ends; empty for a raised one.
	Raised string
	Kind   InsightKind
	State  InsightState
	// Rule is the name of the rule that made it.
	Rule string
	// Series is the id of SeriesID of Device and Field.
	Series, Device, Field string
	Severity              InsightSeverity
	// Confidence is how certain the statement is, 0 to 1.
	Confidence float64
	// Summary is a sentence, Actions are suggestions of what to do.
	Summary string
	Actions []string
	// At is when it was made. Value is the latest value of the series, in Unit.
	At    time.Time
	Value float64
	Unit  string
	// Freshness is that of the reading behind it; empty for the absence of one.
	Freshness Freshness
	// Suppressed counts the insights of this rule and series that a cooldown or the limit
	// per minute suppressed since the last one.
	Suppressed int
}

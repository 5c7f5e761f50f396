package sensor

import (
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"edgelens"
	"edgelens/sensor/payload"
)

// maxRules bounds the rules, and with them the state of each series.
const maxRules = 100

// Rule makes insights about the series that it matches.
type Rule struct {
	// Name identifies the rule.
	Name string
	Kind edgelens.InsightKind
	// Device and Field are patterns of path.Match; "" is "*", of all. A pattern of a field
	// matches edgelens' own ones only where it begins with "edgelens.".
	Device, Field string
	// Above and Below are the limits of a threshold rule, at least one. The insight clears
	// Hysteresis within the limit.
	Above, Below *float64
	Hysteresis   float64
	// For is how long the condition must hold.
	For time.Duration
	// Armed rules need to have seen the opposite: no alarm for what never worked.
	Armed bool
	// Score is the distance, in standard deviations, of the anomalies that are insights,
	// which both rules for anomalies must mark; 0 is 4.
	Score float64
	// Intervals is after how many usual intervals a series is absent; 0 is
	// Config.SilentIntervals.
	Intervals float64
	// Direction is that of a trend rule; "" is either. Long takes the trend of means of ten
	// minutes. MinChange is the smallest change over the tested span.
	Direction edgelens.Direction
	Long      bool
	MinChange float64
	// Severity is that of the insights; "" is edgelens.InsightWarning.
	Severity edgelens.InsightSeverity
	// Cooldown is the time between two raised insights of one series; 0 is 15 minutes.
	Cooldown time.Duration
	// Summary is the sentence of a raised insight, in which {device}, {field} and {value} are
	// replaced; "" for that of the kind.
	Summary string
	// Actions are the suggestions; nil for those of the kind.
	Actions []string
}

// The defaults of a rule's numbers.
const (
	defaultScore    = 4
	defaultCooldown = 15 * time.Minute
)

// Validate reports what is wrong with the rule.
func (r Rule) Validate() error {
	var errs []error
	problem := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !validRuleName(r.Name) {
		problem("name must be 1 to 64 of a-z A-Z 0-9 - _ ., not %.80q", r.Name)
	}
	if !slices.Contains(edgelens.InsightKinds(), r.Kind) {
		problem("kind must be one of %v, not %q", edgelens.InsightKinds(), r.Kind)
	}
	for _, pattern := range []string{r.Device, r.Field} {
		if _, err := path.Match(pattern, ""); err != nil || len(pattern) > edgelens.MaxSensorName {
			problem("device and field must be patterns such as freezer*, not %.80q", pattern)
		}
	}
	if isThreshold := r.Kind == edgelens.InsightThreshold; isThreshold != (r.Above != nil || r.Below != nil) {
		problem("above or below must be set for a threshold, and for no other kind")
	}
	for name, limit := range map[string]*float64{"above": r.Above, "below": r.Below} {
		if limit != nil && !(math.Abs(*limit) <= edgelens.MaxSensorValue) {
			problem("%s must be -1e15 to 1e15, not %v", name, *limit)
		}
	}
	if r.Above != nil && r.Below != nil && *r.Above <= *r.Below {
		problem("above, %v, must be greater than below, %v", *r.Above, *r.Below)
	}
	for name, value := range map[string]float64{"hysteresis": r.Hysteresis, "score": r.Score, "intervals": r.Intervals, "min_change": r.MinChange} {
		if !(value >= 0 && value <= edgelens.MaxSensorValue) {
			problem("%s must be 0 to 1e15, not %v", name, value)
		}
	}
	if r.For < 0 || r.For > 30*24*time.Hour || r.Cooldown < 0 || r.Cooldown > 30*24*time.Hour {
		problem("for and cooldown must be 0s to 720h, not %v and %v", r.For, r.Cooldown)
	}
	if r.Kind == edgelens.InsightAnomaly && (r.For != 0 || r.Armed) {
		problem("for and armed must not be set for an anomaly: it is a moment")
	}
	if !slices.Contains([]edgelens.Direction{"", edgelens.DirectionIncreasing, edgelens.DirectionDecreasing}, r.Direction) {
		problem("direction must be %s, %s or empty, not %q", edgelens.DirectionIncreasing, edgelens.DirectionDecreasing, r.Direction)
	}
	if !slices.Contains([]edgelens.InsightSeverity{"", edgelens.InsightInfo, edgelens.InsightWarning, edgelens.InsightCritical}, r.Severity) {
		problem("severity must be %s, %s or %s, not %q", edgelens.InsightInfo, edgelens.InsightWarning, edgelens.InsightCritical, r.Severity)
	}
	if len(r.Summary) > 300 {
		problem("summary must be at most 300 bytes")
	}
	if len(r.Actions) > 10 || slices.ContainsFunc(r.Actions, func(action string) bool { return len(action) > 200 }) {
		problem("actions must be at most 10, of at most 200 bytes each")
	}
	return errors.Join(errs...)
}

func validRuleName(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}

// matches reports whether the rule is for a series.
func (r *Rule) matches(device, field string) bool {
	if strings.HasPrefix(field, payload.OwnPrefix) && !strings.HasPrefix(r.Field, payload.OwnPrefix) {
		return false
	}
	return matchesPattern(r.Device, device) && matchesPattern(r.Field, field)
}

// matchesPattern is path.Match, whose "*" stops at slashes: a name may have some.
func matchesPattern(pattern, name string) bool {
	if pattern == "" || pattern == "*" {
		return true
	}
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(name, "/", "\x00"))
	return ok && err == nil
}

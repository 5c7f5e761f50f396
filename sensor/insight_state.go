package sensor

import (
	"strings"
	"time"

	"edgelens"
)

// verdict is whether the condition of a rule holds.
type verdict int

const (
	unclear verdict = iota // between the limits of raising and clearing, or unknown
	holds
	ends
)

// String returns the name for logs.
func (v verdict) String() string { return [...]string{"unclear", "holds", "ends"}[v] }

// finding is a verdict with what an insight would state.
type finding struct {
	verdict    verdict
	confidence float64
	summary    string
	freshness  edgelens.Freshness
}

// ruleState is the state of one rule for one series. It is guarded by the series' mutex.
type ruleState struct {
	rule *Rule
	// armed is set once the condition did not hold.
	armed bool
	// since is when the condition began to hold; active is set where it has for long enough.
	pending bool
	since   time.Duration
	active  bool
	// raised is the published insight while it is not cleared; last is when one was
	// raised last, where any.
	raised string
	any    bool
	last   time.Duration
	// latest is the finding of an active rule, counted is set once its suppression was.
	latest     finding
	counted    bool
	suppressed int
}

// severity, cooldown, score and intervals return the rule's values with their defaults.
func (r *Rule) severity() edgelens.InsightSeverity {
	if r.Severity == "" {
		return edgelens.InsightWarning
	}
	return r.Severity
}

func (r *Rule) cooldown() time.Duration {
	if r.Cooldown == 0 {
		return defaultCooldown
	}
	return r.Cooldown
}

func (r *Rule) score() float64 {
	if r.Score == 0 {
		return defaultScore
	}
	return r.Score
}

func (r *Rule) actions() []string {
	if r.Actions == nil {
		return defaultActions[r.Kind]
	}
	return r.Actions
}

// step is what follows from a finding.
type step int

const (
	stepNone  step = iota
	stepRaise      // raise it, if the limits allow
	stepClear      // clear what was raised
)

// String returns the name for logs.
func (s step) String() string { return [...]string{"nothing", "raise", "clear"}[s] }

// take takes a finding at a time of the arrival clock.
func (r *ruleState) take(f finding, now time.Duration) step {
	switch f.verdict {
	case ends:
		r.armed, r.pending = true, false
		if !r.active {
			return stepNone
		}
		r.active, r.counted = false, false
		r.remember(f)
		if r.raised != "" {
			return stepClear
		}
		return stepNone
	case holds:
		if r.rule.Armed && !r.armed {
			return stepNone
		}
		if !r.pending {
			r.pending, r.since = true, now
		}
		r.remember(f)
	}
	return r.due(now)
}

// needsSummary reports whether a finding of the verdict may be published: most never are.
func (r *ruleState) needsSummary(v verdict) bool {
	return v == holds && r.raised == "" || v == ends && r.raised != ""
}

// inOwnWords replaces the summary of a finding by the rule's own, if it has one.
func (r *ruleState) inOwnWords(f finding, s *series) finding {
	switch {
	case r.rule.Summary == "" || f.summary == "":
	case f.verdict == ends:
		f.summary = "Over: " + r.latest.summary
	default:
		f.summary = strings.NewReplacer("{device}", s.key.device, "{field}", s.key.field, "{value}", s.value(s.state.Last)).Replace(r.rule.Summary)
	}
	return f
}

// remember keeps a finding that may be published.
func (r *ruleState) remember(f finding) {
	if f.summary != "" {
		r.latest = f
	}
}

// due returns stepRaise where the condition has held for long enough and is not published yet.
func (r *ruleState) due(now time.Duration) step {
	if r.pending && now-r.since >= r.rule.For {
		r.active = true
	}
	if r.active && r.raised == "" {
		return stepRaise
	}
	return stepNone
}

// cooling reports whether the last insight was raised so lately that this one is suppressed,
// which it counts once.
func (r *ruleState) cooling(now time.Duration) bool {
	if !r.any || now-r.last >= r.rule.cooldown() {
		return false
	}
	r.suppress()
	return true
}

func (r *ruleState) suppress() {
	if !r.counted {
		r.counted = true
		r.suppressed++
	}
}

// published notes that an insight was raised.
func (r *ruleState) published(id string, now time.Duration) {
	r.raised, r.any, r.last, r.suppressed = id, true, now, 0
	if r.rule.Kind == edgelens.InsightAnomaly { // a moment: nothing that could clear
		r.done()
	}
}

// done ends a moment.
func (r *ruleState) done() { r.raised, r.active, r.pending, r.counted = "", false, false, false }

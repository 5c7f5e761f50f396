package sensor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"edgelens"
	"edgelens/internal/clip"
	"edgelens/internal/statements"
)

// defaultsWord stands for the default rules, offWord removes a rule.
const (
	defaultsWord = "defaults"
	offWord      = "off"
)

// ParseRules parses rules as they are written in a setting:
//
//	defaults; sensor-anomaly off; hot threshold field=temperature above=30 for=10m action="Open the window."
//
// Rules are separated by ";". "defaults" stands for DefaultRules, NAME off removes one, a rule of
// the same name as an earlier one replaces it. A rule has a name, a kind, and what is not the
// default as key=value: device, field, above, below, hysteresis, for, armed, score, intervals,
// direction, long, min_change, severity, cooldown, summary, action (several times).
func ParseRules(text string) ([]Rule, error) {
	var rules []Rule
	all, err := statements.Split(text)
	if err != nil {
		return nil, err
	}
	for _, words := range all {
		switch {
		case len(words) == 1 && words[0].Text == defaultsWord:
			for _, rule := range DefaultRules() {
				rules = replaced(rules, rule)
			}
		case len(words) == 2 && words[1].Text == offWord:
			i := slices.IndexFunc(rules, func(r Rule) bool { return r.Name == words[0].Text })
			if i < 0 {
				return nil, fmt.Errorf("there is no rule %q to turn off", clip.Line(words[0].Text, 64))
			}
			rules = slices.Delete(rules, i, i+1)
		default:
			rule, err := parseRule(words)
			if err != nil {
				return nil, err
			}
			rules = replaced(rules, rule)
		}
	}
	if len(rules) > maxRules {
		return nil, fmt.Errorf("there are %d rules; the limit is %d", len(rules), maxRules)
	}
	return rules, nil
}

// replaced appends a rule, or puts it in the place of that of its name.
func replaced(rules []Rule, rule Rule) []Rule {
	if i := slices.IndexFunc(rules, func(r Rule) bool { return r.Name == rule.Name }); i >= 0 {
		rules[i] = rule
		return rules
	}
	return append(rules, rule)
}

// parseRule parses the words of one rule, and validates it.
func parseRule(words []statements.Word) (Rule, error) {
	if len(words) < 2 || words[0].Key != "" || words[1].Key != "" {
		return Rule{}, fmt.Errorf("a rule begins with its name and its kind, as in: hot threshold field=temperature above=30; not with %q", clip.Line(words[0].Text, 64))
	}
	rule := Rule{Name: words[0].Text, Kind: edgelens.InsightKind(words[1].Text)}
	for _, w := range words[2:] {
		if err := rule.set(w); err != nil {
			return Rule{}, fmt.Errorf("the rule %.64q: %w", rule.Name, err)
		}
	}
	if err := rule.Validate(); err != nil {
		return Rule{}, fmt.Errorf("the rule %.64q: %w", rule.Name, err)
	}
	return rule, nil
}

// set sets what a word of a rule names.
func (r *Rule) set(w statements.Word) (err error) {
	switch w.Key {
	case "device":
		r.Device = w.Value
	case "field":
		r.Field = w.Value
	case "direction":
		r.Direction = edgelens.Direction(w.Value)
	case "severity":
		r.Severity = edgelens.InsightSeverity(w.Value)
	case "summary":
		r.Summary = w.Value
	case "action":
		r.Actions = append(r.Actions, w.Value)
	case "above":
		r.Above, err = limit(w.Value)
	case "below":
		r.Below, err = limit(w.Value)
	case "hysteresis":
		r.Hysteresis, err = strconv.ParseFloat(w.Value, 64)
	case "score":
		r.Score, err = strconv.ParseFloat(w.Value, 64)
	case "intervals":
		r.Intervals, err = strconv.ParseFloat(w.Value, 64)
	case "min_change":
		r.MinChange, err = strconv.ParseFloat(w.Value, 64)
	case "for":
		r.For, err = time.ParseDuration(w.Value)
	case "cooldown":
		r.Cooldown, err = time.ParseDuration(w.Value)
	case "armed":
		r.Armed, err = strconv.ParseBool(w.Value)
	case "long":
		r.Long, err = strconv.ParseBool(w.Value)
	case "":
		return fmt.Errorf("%q has no value: write key=value", clip.Line(w.Text, 64))
	default:
		return fmt.Errorf("there is no key %q", clip.Line(w.Key, 64))
	}
	if err != nil {
		return fmt.Errorf("%s=%q cannot be read", w.Key, clip.Line(w.Value, 64))
	}
	return nil
}

func limit(text string) (*float64, error) {
	value, err := strconv.ParseFloat(text, 64)
	return &value, err
}

// String returns the rule as ParseRules takes it, with what is not the default.
func (r Rule) String() string {
	words := []string{r.Name, string(r.Kind)}
	text := func(key, value string) {
		if value == "" {
			return
		}
		if quoted := strconv.Quote(value); quoted != `"`+value+`"` || strings.ContainsAny(value, "; ") {
			value = quoted
		}
		words = append(words, key+"="+value)
	}
	number := func(key string, value float64) {
		if value != 0 {
			text(key, strconv.FormatFloat(value, 'g', -1, 64))
		}
	}
	duration := func(key string, value time.Duration) {
		if value != 0 {
			text(key, value.String())
		}
	}
	flag := func(key string, value bool) {
		if value {
			text(key, "true")
		}
	}
	text("device", r.Device)
	text("field", r.Field)
	if r.Above != nil {
		text("above", strconv.FormatFloat(*r.Above, 'g', -1, 64))
	}
	if r.Below != nil {
		text("below", strconv.FormatFloat(*r.Below, 'g', -1, 64))
	}
	number("hysteresis", r.Hysteresis)
	duration("for", r.For)
	flag("armed", r.Armed)
	number("score", r.Score)
	number("intervals", r.Intervals)
	text("direction", string(r.Direction))
	flag("long", r.Long)
	number("min_change", r.MinChange)
	text("severity", string(r.Severity))
	duration("cooldown", r.Cooldown)
	text("summary", r.Summary)
	for _, action := range r.Actions {
		text("action", action)
	}
	return strings.Join(words, " ")
}

// FormatRules returns rules as ParseRules takes them.
func FormatRules(rules []Rule) string {
	texts := make([]string, len(rules))
	for i, rule := range rules {
		texts[i] = rule.String()
	}
	return strings.Join(texts, "; ")
}

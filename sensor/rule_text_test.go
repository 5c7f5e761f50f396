package sensor_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/sensor"
)

func TestParseRules(t *testing.T) {
	names := func(rules []sensor.Rule) string {
		all := make([]string, len(rules))
		for i, r := range rules {
			all[i] = r.Name
		}
		return strings.Join(all, " ")
	}
	defaults := names(sensor.DefaultRules())
	for name, test := range map[string]struct{ text, want, err string }{
		"none":                    {"", "", ""},
		"only separators":         {" ; ;\n", "", ""},
		"the defaults":            {"defaults", defaults, ""},
		"without one":             {"defaults; sensor-silent off", strings.TrimPrefix(defaults, "sensor-silent "), ""},
		"and one more":            {"defaults;hot threshold above=30", defaults + " hot", ""},
		"another for a default":   {"defaults; sensor-anomaly anomaly score=6", defaults, ""},
		"two":                     {"a stuck; b absence intervals=5;", "a b", ""},
		"no kind":                 {"hot", "", "begins with its name and its kind"},
		"a key first":             {"above=3 x", "", "begins with its name and its kind"},
		"an unknown kind":         {"hot odd", "", "kind must be one of"},
		"an unknown key":          {"hot threshold above=30 color=red", "", `no key "color"`},
		"no value":                {"hot threshold above=30 red", "", `"red" has no value`},
		"no number":               {"hot threshold above=warm", "", `above="warm" cannot be read`},
		"no time":                 {"hot threshold above=30 for=10", "", `for="10" cannot be read`},
		"an open quotation mark":  {`hot threshold above=30 action="Open`, "", "is not closed"},
		"unknown to turn off":     {"defaults; hot off", "", `no rule "hot" to turn off`},
		"invalid":                 {"hot threshold", "", "above or below must be set"},
		"too many":                {many(101), "", "the limit is 100"},
		"quoted ; and line feeds": {`hot threshold above=30 action="a; b\nc"`, "hot", ""},
	} {
		t.Run(name, func(t *testing.T) {
			rules, err := sensor.ParseRules(test.text)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v, want %q", err, test.err)
				}
				return
			}
			if err != nil || names(rules) != test.want {
				t.Errorf("%q, %v, want %q", names(rules), err, test.want)
			}
		})
	}
}

func many(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "r%d stuck;", i)
	}
	return text.String()
}

func TestRulesAreReadAsTheyAreWritten(t *testing.T) {
	rules := append(sensor.DefaultRules(), sensor.Rule{
		Name: "all.of-it_1", Kind: edgelens.InsightThreshold, Device: "a b;c\"d", Field: "<b>*", Above: number(0), Below: number(-1.5e-3), Hysteresis: 0.25, For: 90 * time.Minute,
		Armed: true, Score: 7, Intervals: 2.5, Direction: edgelens.DirectionDecreasing, Long: true, MinChange: 1e9, Severity: edgelens.InsightInfo, Cooldown: time.Hour, Summary: "It is {value}!",
		Actions: []string{"Open the window; then \"wait\".", "打开窗户"},
	})
	got, err := sensor.ParseRules(sensor.FormatRules(rules))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, rules) {
		t.Errorf("%s\nwant\n%s", sensor.FormatRules(got), sensor.FormatRules(rules))
	}
}

func FuzzParseRules(f *testing.F) {
	f.Add("defaults; sensor-anomaly off")
	f.Add(sensor.FormatRules(sensor.DefaultRules()))
	f.Add(`a threshold above=1 action="x\"" action=y device=[ab]*`)
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := sensor.ParseRules(text)
		if err != nil {
			return
		}
		again, err := sensor.ParseRules(sensor.FormatRules(rules))
		if err != nil || len(again) != len(rules) || sensor.FormatRules(again) != sensor.FormatRules(rules) {
			t.Errorf("%q is written as %q, and read as %q: %v", text, sensor.FormatRules(rules), sensor.FormatRules(again), err)
		}
	})
}

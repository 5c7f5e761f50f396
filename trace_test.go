package edgelens_test

import (
	"testing"

	"edgelens"
)

// The examples and rules of https://www.w3.org/TR/trace-context/#traceparent-header.
func TestParseTrace(t *testing.T) {
	const id, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for name, test := range map[string]struct{ text, want string }{
		"sampled":                      {"00-" + id + "-" + span + "-01", "00-" + id + "-" + span + "-01"},
		"not sampled":                  {"00-" + id + "-" + span + "-00", "00-" + id + "-" + span + "-00"},
		"random id":                    {"00-" + id + "-" + span + "-03", "00-" + id + "-" + span + "-01"},
		"other flags":                  {"00-" + id + "-" + span + "-f2", "00-" + id + "-" + span + "-00"},
		"later version":                {"cc-" + id + "-" + span + "-01", "00-" + id + "-" + span + "-01"},
		"later version with more":      {"cc-" + id + "-" + span + "-01-what", "00-" + id + "-" + span + "-01"},
		"later version that runs on":   {"cc-" + id + "-" + span + "-01what", ""},
		"version 00 with more":         {"00-" + id + "-" + span + "-01-what", ""},
		"invalid version":              {"ff-" + id + "-" + span + "-01", ""},
		"version of other characters":  {"0x-" + id + "-" + span + "-01", ""},
		"no trace":                     {"00-00000000000000000000000000000000-" + span + "-01", ""},
		"no span":                      {"00-" + id + "-0000000000000000-01", ""},
		"capitals":                     {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" + span + "-01", ""},
		"flags of other characters":    {"00-" + id + "-" + span + "-0.", ""},
		"too short":                    {"00-" + id + "-" + span + "-0", ""},
		"other separators":             {"00-" + id + "_" + span + "-01", ""},
		"separator in the wrong place": {"000" + id + "-" + span + "-01", ""},
		"empty":                        {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := edgelens.ParseTrace(test.text)
			if string(got) != test.want {
				t.Fatalf("ParseTrace(%q) = %q, want %q", test.text, got, test.want)
			}
			if got == "" {
				return
			}
			if got.ID() != id || got.Span() != span || got.Sampled() != (test.want[54] == '1') {
				t.Errorf("id %q, span %q, sampled %v", got.ID(), got.Span(), got.Sampled())
			}
		})
	}
}

func TestNewTrace(t *testing.T) {
	trace := edgelens.NewTrace([16]byte{0x4b, 15: 0x36}, [8]byte{7: 1}, true)
	if want := edgelens.Trace("00-4b000000000000000000000000000036-0000000000000001-01"); trace != want || edgelens.ParseTrace(string(trace)) != want {
		t.Errorf("%q, want %q", trace, want)
	}
	if other := trace.Of([8]byte{7: 2}); other != "00-4b000000000000000000000000000036-0000000000000002-01" {
		t.Errorf("another span is %q", other)
	}
	if none := edgelens.Trace(""); none.ID() != "" || none.Span() != "" || none.Sampled() {
		t.Error("an empty Trace has parts")
	}
}

func TestUntracedPassesTracesOn(t *testing.T) {
	parent := edgelens.NewTrace([16]byte{1}, [8]byte{2}, true)
	if span, recorded := (edgelens.Untraced{}).Begin(parent); span != parent || recorded {
		t.Errorf("%q, recorded %v", span, recorded)
	}
}

func FuzzParseTrace(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x")
	f.Fuzz(func(t *testing.T, text string) {
		trace := edgelens.ParseTrace(text)
		if again := edgelens.ParseTrace(string(trace)); again != trace {
			t.Errorf("ParseTrace(%q) = %q, and that is %q", text, trace, again)
		}
		if trace != "" && (len(trace.ID()) != 32 || len(trace.Span()) != 16) {
			t.Errorf("%q has the parts %q and %q", trace, trace.ID(), trace.Span())
		}
	})
}

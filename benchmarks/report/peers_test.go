package report_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"edgelens/benchmarks/record"
	"edgelens/benchmarks/report"
)

// besideFlask has edgelens at 10 ms an image, and the other service with the given intervals: with the same flags,
// without a delegate, and with another model.
func besideFlask(size string, same, plain, published time.Duration) *made {
	m := newMade(5)
	of := func(service, model, delegate, beside string) record.Case {
		return record.Case{Suite: "peers", Name: strings.Join([]string{service, model, delegate, size}, " "), Mode: record.ModeClosed, Kind: "sync",
			Image: "cat_" + size, Connections: 8, Service: service, Model: model, Delegate: delegate, Beside: beside}
	}
	ours, oursPlain := of("edgelens", "int8", "xnnpack", ""), of("edgelens", "int8", "none", "")
	m.add(record.Case{Suite: "peers", Name: "Invoke alone", Mode: record.ModeCeiling, Kind: "invoke", Model: "int8", Delegate: "xnnpack"}, steady(5*time.Millisecond), 0.010)
	m.add(ours, steady(10*time.Millisecond), 0.020)
	m.add(of("flask", "int8", "xnnpack", ours.Name), steady(same), 0.030)
	m.add(of("flask", "uint8", "none", ours.Name), steady(published), 0.080)
	m.add(oursPlain, steady(10*time.Millisecond), 0.020)
	m.add(of("flask", "int8", "none", oursPlain.Name), steady(plain), 0.040)
	return m
}

func TestPeerTargets(t *testing.T) {
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		made *made
		want [3]string // same at 720p, same at 512x384, as published
		have float64   // of the first measured one
	}{
		"reached":         {besideFlask("720p", 25*ms, 11*ms, 100*ms), [3]string{report.Reached, report.NotMeasured, report.Reached}, 2.5},
		"missed":          {besideFlask("720p", 20*ms, 100*ms, 50*ms), [3]string{report.Missed, report.NotMeasured, report.Missed}, 2},
		"the smaller one": {besideFlask("512x384", 20*ms, 10*ms, 50*ms), [3]string{report.NotMeasured, report.Reached, report.NotMeasured}, 2},
		"no other":        {whole(0.95, 1.05), [3]string{report.NotMeasured, report.NotMeasured, report.NotMeasured}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			targets := report.PeerTargets(report.Summarize(&tt.made.Records))
			have := 0.0
			for i, target := range targets {
				if target.Outcome != tt.want[i] || target.Outcome != report.Reached && target.Why == "" {
					t.Errorf("%+v, want %s", target, tt.want[i])
				}
				if have == 0 {
					have = target.Value
				}
			}
			if len(targets) != 3 || have != tt.have {
				t.Errorf("%d targets, ratio %v, want %v", len(targets), have, tt.have)
			}
		})
	}
}

// A missed target reports the possible ratio, with the decoding and without.
func TestPossibleRatio(t *testing.T) {
	m := besideFlask("720p", 20*time.Millisecond, 100*time.Millisecond, 50*time.Millisecond)
	m.add(record.Case{Suite: "peers", Name: "ceiling cat_720p", Mode: record.ModeCeiling, Kind: "ceiling", Image: "cat_720p", Model: "int8", Delegate: "xnnpack"}, steady(8*time.Millisecond), 0.015)
	targets := report.PeerTargets(report.Summarize(&m.Records))
	for i, want := range map[int][2]string{0: {"3.00 x", "2.00 x"}, 2: {"8.00 x", "5.33 x"}} {
		if why := targets[i].Why; !strings.Contains(why, "at most "+want[0]) || !strings.Contains(why, want[1]+" where the whole image is decoded") {
			t.Errorf("%s: %q, want %q", targets[i].Name, why, want)
		}
	}
}

func TestOtherServicesDoNotCountForTargets(t *testing.T) {
	for _, target := range report.Targets(report.Summarize(&besideFlask("720p", time.Second, time.Second, time.Second).Records)) {
		if target.Outcome != report.NotMeasured && !strings.Contains(target.Name, "the reference service") {
			t.Errorf("%+v", target)
		}
	}
}

func TestRatioTable(t *testing.T) {
	m := besideFlask("720p", 25*time.Millisecond, 11*time.Millisecond, 100*time.Millisecond)
	m.Run.Peer = "flask: Flask 2"
	var text bytes.Buffer
	if err := report.Summarize(&m.Records).Markdown(&text, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| flask int8 xnnpack 720p | 100/s ±0% | 40.0/s ±0% | 2.50 x | 2.50 to 2.50 | 3.00 x | 1.50 x | 2.50 x |",
		"| flask int8 none 720p | 100/s", "| other service | flask: Flask 2 |"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, text.String())
		}
	}
}

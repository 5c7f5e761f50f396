package runner

import (
	"slices"
	"testing"

	"edgelens/benchmarks/suite"
)

func TestTuneCandidatesFitOnTheCores(t *testing.T) {
	for cores, want := range map[int]int{1: 2, 2: 6, 4: 12, 6: 18} {
		got := tuneCandidates(cores)
		if len(got) != want {
			t.Errorf("%d cores: %d candidates, want %d: %+v", cores, len(got), want, got)
		}
		if !slices.Contains(got, suite.ModelSetting{Delegate: "auto", Threads: cores, Interpreters: 1}) {
			t.Errorf("%d cores: one interpreter on all of them is missing", cores)
		}
	}
}

func TestTunedSettingsReplaceThoseOfTheService(t *testing.T) {
	c := TuneConfig{Service: Service{Flags: []string{"--inference-threads=9", "--model=m", "--inference-delegate=none", "--inference-interpreters=9"}}}
	for range 2 { // the flags of the service stay
		got := c.flagsFor(suite.ModelSetting{Delegate: "auto", Threads: 2, Interpreters: 3})
		if want := []string{"--model=m", "--inference-delegate=auto", "--inference-threads=2", "--inference-interpreters=3"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

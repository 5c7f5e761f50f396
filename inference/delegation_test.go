package inference_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens/inference"
	"edgelens/inference/fake"
	"edgelens/internal/testutil"
)

func TestDelegationText(t *testing.T) {
	for want, d := range map[string]inference.Delegation{
		"62 of 66 operators by XNNPACK, the rest by TensorFlow Lite's own kernels": {Delegate: inference.DelegateXNNPACK, Operators: 66, Delegated: 62},
		"not counted":                 {Delegate: inference.DelegateXNNPACK},
		"all 66 operators by XNNPACK": {Delegate: inference.DelegateXNNPACK, Operators: 66, Delegated: 66},
		"all 66 operators by XNNPACK; each interpreter has a copy of the weights, because the library is newer": {Delegate: inference.DelegateXNNPACK, Operators: 66, Delegated: 66, Unshared: "the library is newer"},
		"all 66 operators by TensorFlow Lite's own kernels":                                                     {Delegate: inference.DelegateNone, Operators: 66},
	} {
		if got := d.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// The log names what runs a model, with a warning where a delegate was tried and runs none.
func TestDelegationInLog(t *testing.T) {
	for name, c := range map[string]struct {
		runs          inference.Delegation
		want, warning string
	}{
		"some":    {inference.Delegation{Delegate: inference.DelegateXNNPACK, Operators: 66, Delegated: 62}, `delegate=xnnpack operators="62 of 66 operators by XNNPACK`, ""},
		"refused": {inference.Delegation{Delegate: inference.DelegateNone, Operators: 66, Refusal: "XNNPACK fails on it"}, "delegate=none", `event=model_without_delegate model=cats reason="XNNPACK fails on it"`},
	} {
		t.Run(name, func(t *testing.T) {
			backend := fake.Image(4, 10)
			backend.Runs = c.runs
			var log testutil.LogBuffer
			loader := inference.NewLoader(inference.Config{Interpreters: 1, Threads: 1, InvokeTimeout: time.Minute}, inference.LoaderParts{
				Registry: oneModel{}, Backend: backend, Log: log.Logger(), Metrics: prometheus.NewRegistry(),
			})
			spec, err := loader.Describe(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			if spec.Delegate != c.runs.Delegate || spec.Operators != c.runs.Operators || spec.DelegatedOperators != c.runs.Delegated {
				t.Errorf("%s, %d of %d", spec.Delegate, spec.DelegatedOperators, spec.Operators)
			}
			if err := loader.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if !log.Contains(c.want) || log.Contains("model_without_delegate") != (c.warning != "") || !log.Contains(c.warning) {
				t.Errorf("want %q and %q in\n%s", c.want, c.warning, log.String())
			}
		})
	}
}

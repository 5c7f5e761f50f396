package edgelens_test

import (
	"testing"

	"edgelens"
)

func TestKernelCheckText(t *testing.T) {
	r := 0.99971
	compared := edgelens.KernelComparison{Against: "tflite 2.17.1 without a delegate", Images: 10, ClearImages: 8, Correlation: &r}
	for want, c := range map[string]edgelens.KernelCheck{
		"off": {Result: edgelens.CheckOff},
		"passed: 0 of 8 images with another first class than by tflite 2.17.1 without a delegate, correlation 0.9997": {Result: edgelens.CheckPassed, KernelComparison: compared},
		"unknown: it was interrupted": {Result: edgelens.CheckUnknown, Reason: "it was interrupted"},
		"reference; litert 2.3.0 with xnnpack rejected: it fails": {Result: edgelens.CheckReference, Rejected: []edgelens.RejectedKernels{
			{Runtime: "litert", Version: "2.3.0", Delegate: "xnnpack", Reason: "it fails"}}},
	} {
		if got := c.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

//go:build cgo

package tflite

import (
	"os"
	"strings"
	"testing"
)

func TestCheckVersion(t *testing.T) {
	for version, want := range map[string]string{
		"2.17.1": "", "2.17": "", "2.20.0": "", "3.0.0": "", "2.18.0-rc1": "",
		"2.9.0": "needs 2.17 or later", "2.16.2": "needs 2.17 or later", "1.99.0": "needs 2.17 or later",
		"": "not a version", "nightly": "not a version", "2.x": "not a version",
	} {
		err := checkVersion(version)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", version, err, want)
		}
	}
	if err := New().Check(); err != nil {
		t.Errorf("the library of this build: %v", err)
	}
	if want := os.Getenv("EDGELENS_TEST_TFLITE"); !strings.HasPrefix(New().Version(), want) {
		t.Errorf("the library of this build is %s, want %s", New().Version(), want)
	}
}

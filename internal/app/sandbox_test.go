//go:build cgo

package app

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"edgelens/models/modeltest"
	"edgelens/preprocess/sandbox"
)

// An image that takes too long is refused, at once when it is sent again, and the only
// interpreter is free for others; one that takes too much memory is refused before that.
func TestHostileImagesCostThemselves(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("decode helpers need Linux")
	}
	c := settings(t)
	withColors(t, c)
	c.Inference.Interpreters, c.Recognize.Slots = 1, 2
	c.Decode.Timeout, c.Decode.Isolation = 100*time.Millisecond, sandbox.IsolationRequire
	s := start(t, c)
	slow := largeJPEG(t, 9008)
	a := s.raw(path+"?cache=false", slow)
	if a.status == 503 {
		t.Skipf("the machine is too busy: %s", a.body)
	}
	if a.status != 422 || !strings.Contains(string(a.body), "longer than 100ms") {
		t.Errorf("too slow: %d %s", a.status, a.body)
	}
	if again := s.raw(path+"?cache=false", slow); again.status != 422 || metric(s, "edgelens_decode_quarantine_hits_total") != 1 {
		t.Errorf("the second time: %d %s", again.status, again.body)
	}
	const screen = "GIF89a\xE0\x2E\xE0\x2E\x00\x00\x00" // 12,000 pixels a side
	if a := s.raw(path, []byte(screen)); a.status != 413 || !strings.Contains(string(a.body), "MB is the limit") {
		t.Errorf("too large: %d %s", a.status, a.body)
	}
	for range 3 {
		if a := s.raw(path+"?cache=false", modeltest.Image(modeltest.Red, 64, 64)); a.status != 200 {
			t.Errorf("another image: %d %s", a.status, a.body)
		}
	}
}

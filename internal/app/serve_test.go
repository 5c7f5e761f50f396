//go:build cgo

package app

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"edgelens/internal/config"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/models/modeltest"
)

// output is a log that can be read while it is written.
type output struct{ testutil.LogBuffer }

// waitFor returns the first match of pattern in the log.
func (o *output) waitFor(t testing.TB, pattern string) string {
	t.Helper()
	expression := regexp.MustCompile(pattern)
	var match []string
	defer func() {
		if match == nil {
			t.Logf("the log:\n%s", o)
		}
	}()
	testutil.Eventually(t, "the log has "+pattern, func() bool {
		match = expression.FindStringSubmatch(o.String())
		return match != nil
	})
	return match[len(match)-1]
}

// serving runs serve until stop is called.
func serving(t testing.TB, c *config.Config) (s *service, log *output, stop func() error) {
	t.Helper()
	return servingWith(t, c, Reload{})
}

// servingWith is serving with settings that are read again.
func servingWith(t testing.TB, c *config.Config, reload Reload) (s *service, log *output, stop func() error) {
	t.Helper()
	supervisetest.FindRedis(t)
	ctx, cancel := context.WithCancel(context.Background())
	log = &output{}
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, c, "test", log, reload) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	s = &service{t: t, url: log.waitFor(t, `msg="edgelens started".* address=(\S+)`)}
	log.waitFor(t, `msg=ready`)
	return s, log, stop
}

// A stop finishes admitted requests, rejects later ones, and is clean.
func TestGracefulStop(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s, log, stop := serving(t, c)
	if a := s.get("/readyz"); a.status != 200 {
		t.Errorf("readyz: %d %s", a.status, a.body)
	}

	slow := largeJPEG(t, 7008)
	answered := make(chan *answer, 2)
	for range 2 {
		go func() { answered <- s.raw(path+"?cache=false", slow) }()
	}
	testutil.Eventually(t, "the images are admitted", func() bool {
		return metric(s, "edgelens_recognitions_running")+metric(s, `edgelens_recognitions_waiting{priority="synchronous"}`) >= 2
	})
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	for range 2 {
		if a := <-answered; a.status != 200 {
			t.Errorf("an admitted request got %d %s", a.status, a.body)
		}
	}
	if _, err := http.Get(s.url + "/healthz"); err == nil { // it must not answer
		t.Error("it still accepts connections")
	}
	if !strings.Contains(log.String(), "msg=stopped clean=true") {
		t.Errorf("the log lacks a clean stop:\n%s", log)
	}
}

// A second service on the same address fails with the reason and does not disturb the first.
func TestPortInUse(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s, _, _ := serving(t, c)
	second := *c
	second.DataDir = t.TempDir()
	second.HTTP.Listen = strings.TrimPrefix(s.url, "http://")
	err := Serve(t.Context(), &second, "test", io.Discard, Reload{})
	if err == nil || !strings.Contains(err.Error(), "--listen") {
		t.Errorf("got %v, want an error that names --listen", err)
	}
	if a := s.form(path, modeltest.Image(modeltest.Red, 9, 9)); a.status != 200 {
		t.Errorf("the first one: %d", a.status)
	}
}

// A log of real traffic has no image in it.
func TestLogHasNoImage(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	c.Log.LogLevel = "debug"
	s, log, _ := serving(t, c)
	image := modeltest.Image(modeltest.Red, 40, 40)
	a := s.base64(path, image)
	s.base64(path, image[:len(image)-9])
	for range 2 {
		log.waitFor(t, "request_id="+a.RequestID)
	}
	if text := log.String(); strings.Contains(text, "iVBOR") || strings.Contains(text, "IHDR") {
		t.Errorf("an image is in the log:\n%s", text)
	}
}

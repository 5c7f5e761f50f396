//go:build cgo

package main

import (
	"context"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"edgelens/api"
	"edgelens/internal/client"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/models/modeltest"
)

func TestJobCommands(t *testing.T) {
	url := serveColors(t)
	blue := file(t, "blue.png", modeltest.Image(modeltest.Blue, 20, 20))
	text := file(t, "notes.txt", []byte("no image"))
	status, out, err := runCommand(t, nil, "job", "--server", url, "submit", blue)
	id := strings.TrimSpace(out)
	if _, bad := uuid.Parse(id); status != 0 || bad != nil {
		t.Fatalf("submit: %d %q %s", status, out, err)
	}
	if status, out, err := runCommand(t, nil, "job", "--server", url, "wait", id); status != 0 || !strings.Contains(out, "blue") {
		t.Errorf("wait: %d %s%s", status, out, err)
	}
	if status, out, _ := runCommand(t, nil, "job", "--server", url, "status", id); status != 0 || !strings.Contains(out, "succeeded") {
		t.Errorf("status: %d %s", status, out)
	}
	if status, out, _ := runCommand(t, nil, "job", "--server", url, "list", "--status", "succeeded"); status != 0 || !strings.Contains(out, id) {
		t.Errorf("list: %d %s", status, out)
	}
	status, out, err = runCommand(t, nil, "job", "--server", url, "submit", "--fit", "pad", "--region", "0,0,0.5,1", blue)
	job, bad := client.Client{Server: url}.Job(t.Context(), strings.TrimSpace(out))
	if status != 0 || bad != nil || job.Fit == nil || *job.Fit != api.FitPad || job.Region == nil || *job.Region != (api.Region{Width: 0.5, Height: 1}) {
		t.Errorf("submit with a view: %d %s%s, %+v, %v", status, out, err, job, bad)
	}
	for name, args := range map[string][]string{
		"a job that fails": {"submit", "--wait", text}, "done already": {"cancel", id}, "unknown": {"status", uuid.NewString()}, "malformed": {"status", "x"},
	} {
		if status, out, err := runCommand(t, nil, append([]string{"job", "--server", url}, args...)...); status != 1 || err == "" {
			t.Errorf("%s: %d %s%s", name, status, out, err)
		}
	}
	if status, _, err := runCommand(t, nil, "job", "--server", "http://127.0.0.1:1", "list"); status != 1 || !strings.Contains(err, "--server") {
		t.Errorf("no server: %d %s", status, err)
	}
}

// serveColors runs serve with the model of colors until the test ends, and returns its
// address.
func serveColors(t *testing.T) string {
	t.Helper()
	return serveWith(t, colorsEnvironment(t))
}

// serveWith is serveColors with another environment.
func serveWith(t *testing.T, environ []string) string {
	t.Helper()
	supervisetest.FindRedis(t)
	ctx, cancel := context.WithCancel(context.Background())
	var log testutil.LogBuffer
	ended := make(chan int, 1)
	environ = append(environ, "EDGELENS_LISTEN=127.0.0.1:0", "EDGELENS_MQTT_LISTEN=")
	go func() { ended <- execute(ctx, []string{"serve"}, environ, io.Discard, &log) }()
	t.Cleanup(func() { cancel(); <-ended })
	testutil.Eventually(t, "serve is ready", func() bool { return strings.Contains(log.String(), "msg=ready") })
	return regexp.MustCompile(`msg="edgelens started".* address=(\S+)`).FindStringSubmatch(log.String())[1]
}

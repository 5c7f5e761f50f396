package main

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"edgelens/internal/testutil"
)

func TestHealthCommand(t *testing.T) {
	ready := answering(t, 200, `{"status":"ok"}`)
	address := strings.TrimPrefix(ready, "http://")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		environ []string
		args    []string
		wantErr string // on standard error; "" where it is healthy
	}{
		"ready":                    {args: []string{"--url", ready}},
		"ready, with a slash":      {args: []string{"--url", ready + "/"}},
		"where serve listens":      {environ: []string{"EDGELENS_LISTEN=" + address}},
		"on all addresses":         {environ: []string{"EDGELENS_LISTEN=0.0.0.0:" + port}},
		"on all, without a host":   {args: []string{"--listen", ":" + port}},
		"the broker answers":       {args: []string{"--url", "mqtt://" + greeting(t, "\x20\x02\x00\x00")}},
		"the broker refuses users": {args: []string{"--url", "mqtt://" + greeting(t, "\x20\x02\x00\x05")}},

		"not ready":                {args: []string{"--url", answering(t, 503, `{"status":"unavailable","reasons":[{"name":"model","reason":"loading"},{"name":"redis","reason":"down"}]}`)}, wantErr: "unavailable: model: loading; redis: down"},
		"a worker is not ready":    {args: []string{"--url", answering(t, 503, "model: loading\nredis: not checked yet\n")}, wantErr: "503 Service Unavailable: model: loading redis: not checked yet"},
		"another service":          {args: []string{"--url", answering(t, 404, "")}, wantErr: "it returns 404"},
		"no server":                {environ: []string{"EDGELENS_LISTEN=" + testutil.FreeAddress(t)}, wantErr: "connection refused"},
		"no broker":                {args: []string{"--url", "mqtt://" + testutil.FreeAddress(t)}, wantErr: "connection refused"},
		"not a broker":             {args: []string{"--url", "mqtt://" + greeting(t, "HTTP/1.1")}, wantErr: "CONNACK"},
		"the port is the system's": {args: []string{"--listen", "127.0.0.1:0"}, wantErr: "give --url"},
		"another scheme":           {args: []string{"--url", "ftp://127.0.0.1"}, wantErr: "must begin with http://"},
		"no address":               {args: []string{"--url", "http://[::1"}, wantErr: "parse the address"},
		"a setting is wrong":       {environ: []string{"EDGELENS_LISTN=x"}, wantErr: "did you mean EDGELENS_LISTEN?"},
		"an argument":              {args: []string{"now"}, wantErr: "now"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			status := execute(t.Context(), append([]string{"health"}, c.args...), c.environ, &out, &errs)
			healthy := c.wantErr == ""
			if (status == 0) != healthy || (out.String() == "ok\n") != healthy || !strings.Contains(errs.String(), c.wantErr) || healthy && errs.Len() > 0 {
				t.Errorf("status %d, stdout %q, stderr %q, want %q", status, out.String(), errs.String(), c.wantErr)
			}
			if lines := strings.Count(errs.String(), "\n"); !healthy && lines != 1 && name != "a setting is wrong" {
				t.Errorf("%d lines, want one sentence:\n%s", lines, errs.String())
			}
		})
	}
}

// A degraded service counts as healthy, and the reasons are printed.
func TestHealthOfADegradedService(t *testing.T) {
	var out, errors bytes.Buffer
	url := answering(t, 200, `{"status":"degraded","reasons":[{"name":"delivery","reason":"401 of the webhook","severity":"degraded"}]}`)
	if status := execute(t.Context(), []string{"health", "--url", url}, nil, &out, &errors); status != 0 || out.String() != "degraded: delivery: 401 of the webhook\n" {
		t.Errorf("status %d, %q, %q", status, &out, &errors)
	}
}

// answering is a server with this body for /readyz.
func answering(t *testing.T, status int, body string) string {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			http.NotFound(w, r)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(web.Close)
	return web.URL
}

// greeting answers one connection with these bytes, once it has received something.
func greeting(t *testing.T, answer string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 64))
		_, _ = conn.Write([]byte(answer))
	}()
	return listener.Addr().String()
}

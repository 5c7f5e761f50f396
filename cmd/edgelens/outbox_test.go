package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOutboxCommands(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+" "+r.URL.Path+" "+r.URL.Query().Get("sink")+" "+r.URL.Query().Get("cursor")+" "+string(body))
		switch {
		case r.Method == http.MethodPost && strings.Contains(string(body), "404"):
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"detail":"no event with the id 404 is set aside"}`)
		case r.Method == http.MethodPost:
			fmt.Fprint(w, `{"retried":2}`)
		case r.URL.Query().Get("cursor") == "":
			fmt.Fprint(w, `{"events":[{"id":17,"sink":"webhook","device":"door","reason":"the webhook answers 410 Gone","received_at":"2026-04-10T08:00:00Z"}],"next":"more"}`)
		default:
			fmt.Fprint(w, `{"events":[{"id":16,"sink":"webhook","device":"gate","reason":"too large","received_at":"2026-04-10T07:00:00Z"}]}`)
		}
	}))
	t.Cleanup(server.Close)
	for name, test := range map[string]struct {
		args   []string
		status int
		want   []string
		asked  string
	}{
		"list":       {[]string{"list", "--sink", "webhook"}, 0, []string{"17", "410 Gone", "16", "gate"}, "GET /api/outbox webhook  |GET /api/outbox webhook more "},
		"list JSON":  {[]string{"list", "--json"}, 0, []string{`"id":17`, `"id":16`}, "GET /api/outbox   |GET /api/outbox  more "},
		"retry all":  {[]string{"retry"}, 0, []string{"2 sent again"}, "POST /api/outbox/retry   {}"},
		"retry some": {[]string{"retry", "17", "16"}, 0, []string{"2 sent again"}, `POST /api/outbox/retry   {"ids":[17,16]}`},
		"retry sink": {[]string{"retry", "--sink", "mqtt"}, 0, []string{"2 sent again"}, `POST /api/outbox/retry   {"sink":"mqtt"}`},
		"unknown":    {[]string{"retry", "404"}, 1, []string{"no event with the id 404"}, `POST /api/outbox/retry   {"ids":[404]}`},
		"no number":  {[]string{"retry", "door"}, 1, []string{"edgelens outbox list"}, ""},
		"no server":  {[]string{"list", "--server", "http://127.0.0.1:1"}, 1, []string{"--server"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			asked = nil
			var out, err bytes.Buffer
			args := append([]string{"outbox", "--server", server.URL}, test.args...)
			if status := execute(t.Context(), args, nil, &out, &err); status != test.status {
				t.Errorf("status %d: %s", status, err.String())
			}
			for _, want := range test.want {
				if output := out.String() + err.String(); !strings.Contains(output, want) {
					t.Errorf("%s\nwant %q", output, want)
				}
			}
			if got := strings.Join(asked, "|"); got != test.asked {
				t.Errorf("asked %q, want %q", got, test.asked)
			}
		})
	}
}

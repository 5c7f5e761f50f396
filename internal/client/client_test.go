package client_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"edgelens"
	"edgelens/internal/client"
)

func TestUnusableResponsesAreErrors(t *testing.T) {
	for name, test := range map[string]struct {
		status     int
		body, want string
	}{
		"a problem":                {http.StatusConflict, `{"detail":"the job is done already"}`, "the job is done already"},
		"a problem without detail": {http.StatusConflict, `{}`, "409 Conflict"},
		"an error page":            {http.StatusBadGateway, "<html>", "502 Bad Gateway"},
		"no JSON":                  {http.StatusOK, "<html>", "decode the server"},
		"an id of another service": {http.StatusOK, `{"id":"seven"}`, "decode the server"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			defer server.Close()
			if _, err := (client.Client{Server: server.URL + "/"}).Job(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	if _, err := (client.Client{Server: "http://[::1"}).Job(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "the server's address") {
		t.Errorf("an address that cannot be: %v", err)
	}
}

func TestJobOptionsAreSent(t *testing.T) {
	for name, test := range map[string]struct {
		options    client.JobOptions
		query, key string
	}{
		"all": {client.JobOptions{Model: "m", Queue: "bulk", TopK: 5, IdempotencyKey: "k"}, "model=m&queue=bulk&top_k=5", "k"},
		"a view": {client.JobOptions{Queue: "bulk", TopK: 5, View: edgelens.View{Fit: edgelens.FitSweep, Region: edgelens.Region{X: 0.25, Width: 0.5, Height: 1}}},
			"fit=sweep&queue=bulk&region=0.25%2C0%2C0.5%2C1&top_k=5", ""},
		"as they are": {client.JobOptions{}, "queue=&top_k=0", ""}, // the service rejects invalid ones
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.RawQuery != test.query || r.Header.Get("Idempotency-Key") != test.key {
					t.Errorf("%s, key %q", r.URL.RawQuery, r.Header.Get("Idempotency-Key"))
				}
				_, _ = w.Write([]byte(`{"task_id":"018f0000-0000-7000-8000-000000000001"}`))
			}))
			defer server.Close()
			id, err := client.Client{Server: server.URL}.SubmitJob(t.Context(), []byte("image"), test.options)
			if err != nil || id != "018f0000-0000-7000-8000-000000000001" {
				t.Errorf("%q, %v", id, err)
			}
		})
	}
}

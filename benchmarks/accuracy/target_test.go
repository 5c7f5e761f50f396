package accuracy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"edgelens"
	"edgelens/benchmarks/accuracy"
)

// target starts a service and returns it with one variant.
func target(t *testing.T, handler http.HandlerFunc) accuracy.Target {
	t.Helper()
	server := httptest.NewServer(handler)
	client := server.Client()
	t.Cleanup(func() { client.CloseIdleConnections(); server.Close() })
	return accuracy.Target{Base: server.URL, Client: client, Variants: []accuracy.Variant{{Model: "m", Fit: "sweep"}}}
}

// handled answers requests by a handler, without a network, so that time can be virtual.
type handled http.HandlerFunc

func (h handled) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h(w, r)
	return w.Result(), nil
}

func TestTargetAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := 2
		service := accuracy.Target{Base: "http://edge/", Variants: []accuracy.Variant{{Model: "m", Fit: "sweep"}}, Client: &http.Client{Transport: handled(func(w http.ResponseWriter, r *http.Request) {
			if busy > 0 {
				busy--
				w.Header().Set("Retry-After", "7")
				w.WriteHeader([]int{http.StatusTooManyRequests, http.StatusServiceUnavailable}[busy])
				_, _ = fmt.Fprint(w, `{"code":"busy"}`)
				return
			}
			if got := r.URL.RawQuery; r.Method != "POST" || r.URL.Path != "/api/recognize" || got != "cache=false&fit=sweep&model=m&top_k=5" {
				t.Errorf("%s %s", r.Method, r.URL)
			}
			_, _ = fmt.Fprint(w, `{"predictions":[{"class_id":7,"label":"x","probability":0.5}],"timings_ms":{"queue":30,"total":42.5}}`)
		})}}
		begin := time.Now()
		reply, err := service.Answer(t.Context(), 0, []byte("x"))
		if err != nil || len(reply.Predictions) != 1 || reply.Predictions[0].ClassID != 7 || reply.Predictions[0].Probability != 0.5 || reply.Took != 12500*time.Microsecond {
			t.Errorf("%+v, %v", reply, err)
		}
		if waited := time.Since(begin); waited != 14*time.Second {
			t.Errorf("it waited for %v", waited)
		}
	})
}

// A service that is always busy ends the run, which can be continued.
func TestTargetThatStaysBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := accuracy.Target{Base: "http://edge", Variants: []accuracy.Variant{{}}, Client: &http.Client{Transport: handled(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
		})}}
		if _, err := service.Answer(t.Context(), 0, []byte("x")); !errors.Is(err, edgelens.ErrBusy) || !strings.Contains(err.Error(), "--resume") {
			t.Errorf("%v", err)
		}
	})
}

func TestTargetRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		want   error
	}{
		"an image":         {422, `{"code":"bad_image","detail":"it is torn"}`, edgelens.ErrBadImage},
		"a format":         {415, `{"code":"unsupported_format"}`, edgelens.ErrUnsupportedFormat},
		"a model":          {404, `{"code":"unknown_model"}`, edgelens.ErrUnknownModel},
		"without a model":  {503, `{"code":"no_model"}`, edgelens.ErrNoModel},
		"a query":          {400, `{"code":"invalid_request"}`, edgelens.ErrInvalid},
		"an inference":     {500, `{"code":"inference_failed"}`, edgelens.ErrInference},
		"another service":  {200, `<html>`, edgelens.ErrInvalid},
		"another problem":  {404, `not found`, edgelens.ErrInvalid},
		"an unknown error": {500, `{"code":"internal"}`, edgelens.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			service := target(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = fmt.Fprint(w, tt.body)
			})
			if _, err := service.Answer(t.Context(), 0, []byte("x")); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), service.Base) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
	gone := accuracy.Target{Base: "http://127.0.0.1:1", Client: &http.Client{}, Variants: []accuracy.Variant{{}}}
	if _, err := gone.Answer(t.Context(), 0, nil); err == nil {
		t.Error("no service: no error")
	}
}

func TestWaitForABusyTargetEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	service := target(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
		cancel()
	})
	if _, err := service.Answer(ctx, 0, []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// An answer has at most 1000 classes; the others are in those to other images.
func TestTargetDescribesItsModel(t *testing.T) {
	const classes = 1003
	asked := 0
	service := target(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("top_k") != "1000" || r.URL.Query().Get("fit") != "sweep" {
			t.Errorf("%s", r.URL)
		}
		var answer struct {
			Model       map[string]string `json:"model"`
			Predictions []map[string]any  `json:"predictions"`
		}
		answer.Model = map[string]string{"name": "m", "digest": "sha256:1"}
		for i := range 1000 {
			class := (i + 5*asked) % classes
			answer.Predictions = append(answer.Predictions, map[string]any{"class_id": class, "label": fmt.Sprint("label ", class), "probability": 0})
		}
		asked++
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	})
	n, labels, err := service.Describe(t.Context(), 0)
	if err != nil || n != classes || asked != 4 {
		t.Fatalf("%d classes after %d requests: %v", n, asked, err)
	}
	for i, label := range labels {
		if label != fmt.Sprint("label ", i) {
			t.Errorf("class %d is %q", i, label)
		}
	}
	if v := service.Variants[0]; v.Digest != "sha256:1" {
		t.Errorf("%+v", v)
	}
	empty := target(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "{}") })
	if _, _, err := empty.Describe(t.Context(), 0); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("no predictions: %v", err)
	}
}

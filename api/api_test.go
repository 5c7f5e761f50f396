package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/goleak"

	"edgelens"
	"edgelens/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recognizer returns err, or one prediction, and keeps the
// requests.
type recognizer struct {
	err    error
	panics bool
	// view is that of the result.
	view edgelens.ShownView
	// seen is called for each request, if it is not nil.
	seen func()

	mu   sync.Mutex
	last *edgelens.Request
	// wait is how long the last caller waits; 0 if it does not tell.
	wait time.Duration
}

func (r *recognizer) Recognize(ctx context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	if r.panics {
		panic("a bug")
	}
	if r.seen != nil {
		r.seen()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last, r.wait = req, 0
	if due, limited := ctx.Deadline(); limited {
		r.wait = time.Until(due)
	}
	if r.err != nil {
		return nil, r.err
	}
	return &edgelens.Result{
		RequestID: req.ID, Model: edgelens.ModelRef{Name: "m", Digest: "sha256:00"},
		Predictions: []edgelens.Prediction{{ClassID: 286, Label: "Egyptian cat", Probability: 0.59}},
		Image:       edgelens.ImageInfo{Width: 2, Height: 1, Format: "png", SHA256: fmt.Sprintf("%x", req.SHA256)},
		View:        r.view,
	}, nil
}

type modelList []edgelens.Model

func (m modelList) List() []edgelens.Model { return m }

type waiting []string

// Conditions parses "model: loading", and "degraded: model: loading".
func (w waiting) Conditions() []edgelens.Condition {
	var list []edgelens.Condition
	for _, text := range w {
		severity := edgelens.SeverityUnavailable
		if rest, degraded := strings.CutPrefix(text, "degraded: "); degraded {
			severity, text = edgelens.SeverityDegraded, rest
		}
		name, reason, _ := strings.Cut(text, ": ")
		list = append(list, edgelens.Condition{Name: name, Severity: severity, Reason: reason})
	}
	return list
}

type server struct {
	http.Handler
	built      *api.Server
	t          testing.TB
	recognizer *recognizer
	metrics    *prometheus.Registry
	log        *bytes.Buffer
}

func newServer(t testing.TB, edit func(*api.Config, *api.Parts)) *server {
	t.Helper()
	config, s := api.DefaultConfig(), &server{t: t, recognizer: &recognizer{}, log: &bytes.Buffer{}}
	config.Open = true // requests of httptest come from another machine; access has tests of its own
	registry := prometheus.NewRegistry()
	s.metrics = registry
	parts := api.Parts{
		System: func() edgelens.System {
			return edgelens.System{Version: "v1", Architecture: "arm64", Cores: 4, Features: []string{"asimddp"}, Accelerators: []edgelens.InstalledAccelerator{{Name: "gpu", Problem: "none found"}}, Runtimes: []edgelens.InstalledRuntime{
				{Name: "tflite", Version: "2.17.1"}, {Name: "litert", Version: "2.3.0", Problem: "it is not installed"},
			}}
		},
		Recognizer: s.recognizer,
		Models: modelList{
			{ModelRef: edgelens.ModelRef{Name: "m", Digest: "sha256:00"}, State: edgelens.ModelReady, Default: true, Task: "classification", LabelsCount: 1001, FileBytes: 4, Runtime: edgelens.Runtime{Name: "litert", Version: "2.3.0", Accelerator: "gpu"}, Delegate: "xnnpack", Operators: 66, DelegatedOperators: 62, Interpreters: 2, Threads: 1,
				Input:  &edgelens.Tensor{Name: "in", Shape: []int{1, 224, 224, 3}, DType: "uint8", Scale: 0.5, ZeroPoint: 127},
				Output: &edgelens.Tensor{Name: "out", Shape: []int{1, 1001}, DType: "float32"}},
			{ModelRef: edgelens.ModelRef{Name: "missing"}, State: edgelens.ModelMissing, Task: "classification", Problem: "not there"},
			{ModelRef: edgelens.ModelRef{Name: "known"}, State: edgelens.ModelAvailable, Task: "classification", Facts: &edgelens.ModelFacts{
				Inputs: []edgelens.Tensor{{Name: "in", Shape: []int{1}, DType: "int32"}}, MultiplyAdds: 300, Quantization: "none",
				Operators: []edgelens.OperatorCount{{Name: "CONV_2D", Type: "int8", Count: 2, Delegated: true}}}},
		},
		Readiness:  waiting(nil),
		Metrics:    promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		Registerer: registry,
		Log:        slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if edit != nil {
		edit(&config, &parts)
	}
	built, err := api.New(config, parts)
	if err != nil {
		t.Fatal(err)
	}
	s.built, s.Handler = built, built.Handler()
	return s
}

func (s *server) do(r *http.Request) *httptest.ResponseRecorder {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	matchesDescription(s.t, r, w)
	return w
}

func request(method, target, contentType string, body io.Reader) *http.Request {
	r := httptest.NewRequest(method, target, body)
	r.Host = "localhost:8080"
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

func form(field string, image []byte) (contentType string, body *bytes.Buffer) {
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	part, _ := w.CreateFormFile(field, "cat.jpg")
	_, _ = part.Write(image)
	_ = w.Close()
	return w.FormDataContentType(), body
}

func formRequest(target, field string, image []byte) *http.Request {
	contentType, body := form(field, image)
	return request("POST", target, contentType, body)
}

func jsonBody(text string) io.Reader {
	b, _ := json.Marshal(map[string]string{"image": text})
	return bytes.NewReader(b)
}

// Every way to send an image delivers the same bytes and hash.
func TestInputForms(t *testing.T) {
	image := []byte("\xff\xd8 not really an image \x00\xfb\xff\xfe")
	standard, url := base64.StdEncoding.EncodeToString(image), base64.RawURLEncoding.EncodeToString(image)
	lines := standard[:8] + "\r\n" + standard[8:]
	for name, r := range map[string]*http.Request{
		"form":                     formRequest("/api/recognize", "file", image),
		"form on the cached route": formRequest("/api/recognize_cached", "file", image),
		"raw jpeg":                 request("POST", "/api/recognize", "image/jpeg", bytes.NewReader(image)),
		"raw, whatever subtype":    request("POST", "/api/recognize", "image/x-foo", bytes.NewReader(image)),
		"raw, upper case type":     request("POST", "/api/recognize", "Image/PNG", bytes.NewReader(image)),
		"raw octets":               request("POST", "/api/recognize", "application/octet-stream", bytes.NewReader(image)),
		"raw, chunked":             request("POST", "/api/recognize", "image/jpeg", io.MultiReader(bytes.NewReader(image))),
		"json":                     request("POST", "/api/recognize", "application/json", jsonBody(standard)),
		"json with charset":        request("POST", "/api/recognize", "application/json; charset=utf-8", jsonBody(standard)),
		"json, upper case type":    request("POST", "/api/recognize", "Application/JSON", jsonBody(standard)),
		"json, data URI":           request("POST", "/api/recognize", "application/json", jsonBody("data:image/jpeg;base64,"+standard)),
		"json, URL-safe, unpadded": request("POST", "/api/recognize", "application/json", jsonBody(url)),
		"json, in lines":           request("POST", "/api/recognize", "application/json", jsonBody(lines)),
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			w := s.do(r)
			if w.Code != http.StatusOK {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			got := s.recognizer.last
			if !bytes.Equal(got.Image, image) || got.SHA256 != sha256.Sum256(image) {
				t.Errorf("the recognizer got %q with hash %x", got.Image, got.SHA256)
			}
			if w.Header().Get("X-Cache") != "MISS" || w.Header().Get("X-Request-Id") != got.ID || got.ID == "" {
				t.Errorf("headers %v", w.Header())
			}
		})
	}
}

func TestOptions(t *testing.T) {
	for query, want := range map[string]edgelens.Request{
		"":                                 {},
		"?model=m2&top_k=7&min_score=0.25": {Model: "m2", TopK: 7, MinScore: 0.25},
		"?cache=false":                     {NoCache: true},
		"?cache=true":                      {},
		"?cache=0&top_k=3.0":               {NoCache: true, TopK: 3},
		"?cache=False&min_score=1e-1":      {NoCache: true, MinScore: 0.1},
		"?top_k=3&top_k=3.0&cache=1":       {TopK: 3},
		"?model=":                          {},
	} {
		t.Run(query, func(t *testing.T) {
			s := newServer(t, nil)
			if w := s.do(formRequest("/api/recognize"+query, "file", []byte("x"))); w.Code != 200 {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			got := s.recognizer.last
			if got.Model != want.Model || got.TopK != want.TopK || got.MinScore != want.MinScore || got.NoCache != want.NoCache || got.Source != "http" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func problem(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("status %d, content type %q: %s", w.Code, got, w.Body)
	}
	var p map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"type", "title", "status", "detail", "instance", "code", "request_id", "error"} {
		if p[field] == nil || p[field] == "" {
			t.Errorf("the problem has no %s: %v", field, p)
		}
	}
	if p["detail"] != p["error"] || int(p["status"].(float64)) != w.Code {
		t.Errorf("the problem contradicts itself: %v", p)
	}
	return p
}

// Requests that are rejected before the Recognizer is called.
func TestBadRequests(t *testing.T) {
	const limit = 4 << 10
	big := bytes.Repeat([]byte("x"), limit+1)
	huge := bytes.Repeat([]byte("x"), 128<<10)
	contentType, whole := form("file", []byte("an image"))
	cut := whole.Bytes()[:bytes.Index(whole.Bytes(), []byte("image"))]
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		code    string
		want    string
	}{
		"no body":              {request("POST", "/api/recognize", "", nil), 400, "no_image", "no body; send a multipart form"},
		"empty image":          {request("POST", "/api/recognize", "image/jpeg", strings.NewReader("")), 400, "no_image", "no body"},
		"empty file":           {formRequest("/api/recognize", "file", nil), 400, "no_image", `the field "file" is empty`},
		"form urlencoded":      {request("POST", "/api/recognize", "application/x-www-form-urlencoded", strings.NewReader("file=x")), 400, "no_image", `urlencoded form has no field "image", but has "file"`},
		"text":                 {request("POST", "/api/recognize", "text/plain", strings.NewReader("a cat")), 400, "no_image", `the Content-Type was "text/plain"`},
		"form cut off":         {request("POST", "/api/recognize", contentType, bytes.NewReader(cut)), 400, "invalid_request", "closing boundary is missing"},
		"form cut off early":   {request("POST", "/api/recognize", contentType, bytes.NewReader(whole.Bytes()[:60])), 400, "invalid_request", "closing boundary is missing"},
		"form no boundary":     {request("POST", "/api/recognize", "multipart/form-data", bytes.NewReader(cut)), 400, "invalid_request", "boundary"},
		"json broken":          {request("POST", "/api/recognize", "application/json", strings.NewReader(`{"image":`)), 400, "invalid_request", ""},
		"json number":          {request("POST", "/api/recognize", "application/json", strings.NewReader(`{"image":7}`)), 400, "invalid_request", ""},
		"json array":           {request("POST", "/api/recognize", "application/json", strings.NewReader(`[]`)), 400, "invalid_request", ""},
		"json without image":   {request("POST", "/api/recognize", "application/json", strings.NewReader(`{}`)), 400, "no_image", `no member "image"`},
		"json not base64":      {request("POST", "/api/recognize", "application/json", jsonBody("a cat!")), 400, "invalid_request", "not base64"},
		"json data URI, plain": {request("POST", "/api/recognize", "application/json", jsonBody("data:image/png,abc")), 400, "invalid_request", "data URI"},
		"image too large":      {request("POST", "/api/recognize", "image/jpeg", bytes.NewReader(big)), 413, "too_large", "scale it down"},
		"file too large":       {formRequest("/api/recognize", "file", big), 413, "too_large", "scale it down"},
		"base64 too large":     {request("POST", "/api/recognize", "application/json", jsonBody(base64.StdEncoding.EncodeToString(big))), 413, "too_large", "scale it down"},
		"body too large":       {request("POST", "/api/recognize", "image/jpeg", bytes.NewReader(huge)), 413, "too_large", "4096 bytes"},
		"chunked too large":    {request("POST", "/api/recognize", "application/json", io.MultiReader(strings.NewReader(`{"image":"`), bytes.NewReader(huge))), 413, "too_large", "4096 bytes"},
		"top_k zero":           {formRequest("/api/recognize?top_k=0", "file", []byte("x")), 400, "invalid_request", "top_k"},
		"top_k negative":       {formRequest("/api/recognize?top_k=-1", "file", []byte("x")), 400, "invalid_request", "top_k"},
		"top_k not a number":   {formRequest("/api/recognize?top_k=three", "file", []byte("x")), 400, "invalid_request", "top_k"},
		"top_k overflow":       {formRequest("/api/recognize?top_k=99999999999999999999", "file", []byte("x")), 400, "invalid_request", "top_k"},
		"cache not a boolean":  {formRequest("/api/recognize?cache=maybe", "file", []byte("x")), 400, "invalid_request", "cache"},
		"unknown address":      {request("GET", "/api/cats", "", nil), 404, "not_found", "/docs"},
		"wrong method":         {request("GET", "/api/recognize", "", nil), 405, "method_not_allowed", "/docs"},
		"unknown model":        {request("GET", "/api/models/nope", "", nil), 404, "unknown_model", "/api/models"},
		"path tricks":          {request("GET", "/api/models/..%2f..%2fetc%2fpasswd", "", nil), 404, "unknown_model", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, func(c *api.Config, _ *api.Parts) { c.MaxImageBytes = limit })
			w := s.do(c.request)
			p := problem(t, w)
			if w.Code != c.status || p["code"] != c.code || !strings.Contains(p["detail"].(string), c.want) {
				t.Errorf("got %d %v, want %d %s with %q", w.Code, p, c.status, c.code, c.want)
			}
			if s.recognizer.last != nil {
				t.Error("the recognizer was asked all the same")
			}
			if strings.Contains(fmt.Sprint(p["detail"]), "strconv") {
				t.Errorf("the detail speaks of Go: %v", p["detail"])
			}
		})
	}
}

// The table of statuses is complete: every sentinel has a row of its own.
func TestEverySentinelHasStatus(t *testing.T) {
	want := map[error]int{
		edgelens.ErrNoImage: 400, edgelens.ErrInvalid: 400, edgelens.ErrTooLarge: 413, edgelens.ErrUnsupportedFormat: 415,
		edgelens.ErrBadImage: 422, edgelens.ErrUnauthorized: 401, edgelens.ErrForbidden: 403, edgelens.ErrUnknownModel: 404, edgelens.ErrNotFound: 404, edgelens.ErrConflict: 409, edgelens.ErrFinished: 409, edgelens.ErrInUse: 409, edgelens.ErrDiskFull: 507, edgelens.ErrStorage: 507, edgelens.ErrBusy: 503,
		edgelens.ErrStopping: 503, edgelens.ErrDeadline: 504, edgelens.ErrCanceled: 408, edgelens.ErrNoModel: 503, edgelens.ErrModel: 500, edgelens.ErrInference: 500,
	}
	const inside = "/var/lib/secret.tflite: operator CONV_2D"
	for _, sentinel := range append(edgelens.Sentinels(), errors.New("an unknown error")) {
		t.Run(sentinel.Error(), func(t *testing.T) {
			status, known := want[sentinel]
			if !known {
				status = 500
			}
			s := newServer(t, nil)
			s.recognizer.err = fmt.Errorf("do this: %w: %s", sentinel, inside)
			w := httptest.NewRecorder() // recognition never returns some of these, so openapi.yaml does not apply
			s.ServeHTTP(w, formRequest("/api/recognize", "file", []byte("x")))
			p := problem(t, w)
			if w.Code != status {
				t.Errorf("status %d, want %d", w.Code, status)
			}
			if code := edgelens.Code(s.recognizer.err); p["code"] != code {
				t.Errorf("code %v, want %v", p["code"], code)
			}
			// The client may be the owner of the model.
			if shown := strings.Contains(w.Body.String(), inside); shown != (status < 500 && status != 408 || errors.Is(sentinel, edgelens.ErrModel)) {
				t.Errorf("status %d and internals shown to the client: %v", status, shown)
			}
			if again := w.Header().Get("Retry-After"); (again != "") != (status == 503) {
				t.Errorf("status %d with Retry-After %q", status, again)
			}
		})
	}
}

func TestPanicBecomesProblem(t *testing.T) {
	s := newServer(t, nil)
	s.recognizer.panics = true
	w := s.do(formRequest("/api/recognize", "file", []byte("x")))
	if p := problem(t, w); w.Code != 500 || strings.Contains(w.Body.String(), "a bug") {
		t.Errorf("got %d %v", w.Code, p)
	}
	s.recognizer.panics = false
	if w := s.do(formRequest("/api/recognize", "file", []byte("x"))); w.Code != 200 {
		t.Errorf("after the panic: %d", w.Code)
	}
}

// The budget for uploads rejects at once what would not fit into memory, and
// is fully released afterwards.
func TestUploadBudget(t *testing.T) {
	s := newServer(t, func(c *api.Config, _ *api.Parts) { c.MaxImageBytes, c.MaxUploadBytes = 4<<10, 100<<10 })
	body, feed := io.Pipe()
	first := request("POST", "/api/recognize", "image/jpeg", body)
	first.ContentLength = -1 // unknown, so it reserves the first step: 64 kB
	done := make(chan *httptest.ResponseRecorder)
	go func() { done <- s.do(first) }()
	if _, err := feed.Write([]byte("x")); err != nil { // returns once the handler reads
		t.Fatal(err)
	}
	second := request("POST", "/api/recognize", "image/jpeg", strings.NewReader("y"))
	second.ContentLength = -1
	w := s.do(second)
	if p := problem(t, w); w.Code != 503 || p["code"] != "busy" || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %v", w.Code, p)
	}
	if err := feed.Close(); err != nil {
		t.Fatal(err)
	}
	if w := <-done; w.Code != 200 {
		t.Errorf("the first upload: %d %s", w.Code, w.Body)
	}
	for range 5 {
		again := request("POST", "/api/recognize", "image/jpeg", strings.NewReader("y"))
		again.ContentLength = -1
		if w := s.do(again); w.Code != 200 {
			t.Fatalf("the budget did not come back: %d", w.Code)
		}
	}
}

func TestOperation(t *testing.T) {
	for name, c := range map[string]struct {
		target      string
		waiting     waiting
		status      int
		contentType string
		want        string
	}{
		"healthy":            {"/healthz", nil, 200, "application/json", `"ok"`},
		"healthy though not": {"/healthz", waiting{"model: loading"}, 200, "application/json", `"ok"`},
		"ready":              {"/readyz", nil, 200, "application/json", `"ok"`},
		"not ready":          {"/readyz", waiting{"model: loading"}, 503, "application/json", `"waiting":["model: loading"]`},
		"unavailable":        {"/readyz", waiting{"degraded: clock: behind", "model: loading"}, 503, "application/json", `{"reasons":[{"name":"clock","reason":"behind","severity":"degraded"},{"name":"model","reason":"loading","severity":"unavailable"}],"status":"unavailable","waiting":["model: loading"]}`},
		"degraded":           {"/readyz", waiting{"degraded: clock: behind"}, 200, "application/json", `{"reasons":[{"name":"clock","reason":"behind","severity":"degraded"}],"status":"degraded"}`},
		"metrics":            {"/metrics", nil, 200, "text/plain", "edgelens_http_responses_total"},
		"openapi":            {"/openapi.yaml", nil, 200, "application/yaml", "openapi: 3"},
		"docs":               {"/docs", nil, 200, "text/html", "/api/recognize_cached"},
		"docs without parts": {"/docs", nil, 200, "text/html", "top_k"},
		"models":             {"/api/models", nil, 200, "application/json", `"name":"m"`},
		"who runs a model":   {"/api/models/m", nil, 200, "application/json", `"delegate":"xnnpack","delegated_operators":62`},
		"its operators":      {"/api/models/m", nil, 200, "application/json", `"operators":66`},
		"runtime of a model": {"/api/models/m", nil, 200, "application/json", `"runtime":{"accelerator":"gpu","name":"litert","version":"2.3.0"}`},
		"system":             {"/api/system", nil, 200, "application/json", `{"accelerators":[{"name":"gpu","problem":"none found"}],"architecture":"arm64","cores":4,"processor_features":["asimddp"],"runtimes":[{"name":"tflite","version":"2.17.1"},{"name":"litert","problem":"it is not installed","version":"2.3.0"}],"version":"v1"}`},
		"facts of a model":   {"/api/models/known", nil, 200, "application/json", `"operators":[{"count":2,"delegated":true,"name":"CONV_2D","type":"int8"}]`},
		"one model":          {"/api/models/missing", nil, 200, "application/json", "not there"},
		"front door":         {"/", nil, 302, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Readiness = c.waiting })
			s.do(request("GET", "/healthz", "", nil)) // so that there is something to count
			w := s.do(request("GET", c.target, "", nil))
			if w.Code != c.status || !strings.HasPrefix(w.Header().Get("Content-Type"), c.contentType) || !strings.Contains(w.Body.String(), c.want) {
				t.Errorf("got %d %s: %.300s", w.Code, w.Header().Get("Content-Type"), w.Body)
			}
		})
	}
}

// HEAD is GET without the body, over a real connection.
func TestHead(t *testing.T) {
	web := httptest.NewServer(newServer(t, nil))
	defer web.Close()
	for target, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/docs": 200, "/api/models": 200, "/nope": 404} {
		response, err := web.Client().Head(web.URL + target)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != want || len(body) != 0 {
			t.Errorf("%s: %d with %d bytes, %v", target, response.StatusCode, len(body), err)
		}
	}
}

// One line for each request, with its id and without content of the client's;
// none if the Recognizer logged it already.
func TestLogLines(t *testing.T) {
	image := []byte("a-image-that-must-not-be-logged")
	encoded := base64.StdEncoding.EncodeToString(image)
	for name, c := range map[string]struct {
		request *http.Request
		lines   int
	}{
		"recognized":   {formRequest("/api/recognize", "file", image), 0},
		"refused":      {formRequest("/api/recognize?top_k=0", "file", image), 1},
		"not base64":   {request("POST", "/api/recognize", "application/json", jsonBody("!"+encoded)), 1},
		"broken json":  {request("POST", "/api/recognize", "application/json", strings.NewReader(`{"image":"`+encoded)), 1},
		"models":       {request("GET", "/api/models", "", nil), 1},
		"health probe": {request("GET", "/healthz", "", nil), 1}, // at debug level
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			w := s.do(c.request)
			log := s.log.String()
			if got := strings.Count(log, "\n"); got != c.lines {
				t.Errorf("%d lines, want %d:\n%s", got, c.lines, log)
			}
			if c.lines > 0 && !strings.Contains(log, w.Header().Get("X-Request-Id")) {
				t.Errorf("no request id in %s", log)
			}
			if strings.Contains(log, string(image)) || strings.Contains(log, encoded[:16]) {
				t.Errorf("the image is in the log: %s", log)
			}
		})
	}
}

func TestConfigValidate(t *testing.T) {
	if err := api.DefaultConfig().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	err := api.Config{Listen: "nonsense", MaxImageBytes: 1, MaxUploadBytes: 1, ReadTimeout: 1}.Validate()
	for _, name := range []string{"listen", "max_image_bytes", "max_upload_bytes", "read_timeout"} {
		if err == nil || !strings.Contains(err.Error(), name+" must") {
			t.Errorf("no error about %s in %v", name, err)
		}
	}
}

func BenchmarkUpload100kB(b *testing.B) {
	s := newServer(&testing.T{}, nil).Handler
	image := bytes.Repeat([]byte("0123456789"), 10_000)
	contentType, body := form("file", image)
	b.SetBytes(int64(len(image)))
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, request("POST", "/api/recognize", contentType, bytes.NewReader(body.Bytes()))); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}

package api_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

var router = sync.OnceValues(func() (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	return legacy.NewRouter(doc)
})

// matchesDescription fails if a response does not conform to openapi.yaml. Calls
// that are not in it pass.
func matchesDescription(t testing.TB, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	router, err := router()
	if err != nil {
		t.Fatal(err)
	}
	route, parameters, err := router.FindRoute(r)
	if err != nil {
		return
	}
	result := w.Result()
	if route.Operation.Responses.Status(w.Code) == nil {
		t.Errorf("%s %s answers %d, which openapi.yaml does not mention", r.Method, r.URL, w.Code)
		return
	}
	if err := openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: parameters, Route: route},
		Status:                 w.Code, Header: w.Header(), Body: io.NopCloser(result.Body),
	}); err != nil {
		t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
}

// The generated code and the served file are of the same openapi.yaml.
func TestServedDescription(t *testing.T) {
	want, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, nil)
	if w := s.do(request("GET", "/openapi.yaml", "", nil)); w.Body.String() != string(want) {
		t.Error("/openapi.yaml is not api/openapi.yaml")
	}
}

func init() {
	// Plain bodies have no structure to check.
	for _, contentType := range []string{"text/html", "text/csv", "application/x-ndjson"} {
		openapi3filter.RegisterBodyDecoder(contentType, openapi3filter.FileBodyDecoder)
	}
}

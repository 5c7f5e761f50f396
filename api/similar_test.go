package api_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/api"
)

// alike finds one result, and keeps what it was asked.
type alike struct {
	req    *edgelens.Request
	to     string
	filter edgelens.SimilarFilter
	err    error
}

func (a *alike) Similar(_ context.Context, req *edgelens.Request, f edgelens.SimilarFilter) ([]edgelens.SimilarResult, error) {
	a.req, a.filter = req, f
	return a.found()
}

func (a *alike) SimilarTo(_ context.Context, id string, f edgelens.SimilarFilter) ([]edgelens.SimilarResult, error) {
	a.to, a.filter = id, f
	return a.found()
}

func (a *alike) found() ([]edgelens.SimilarResult, error) {
	if a.err != nil {
		return nil, a.err
	}
	result, err := embedded{}.Result(context.Background(), "")
	return []edgelens.SimilarResult{{StoredResult: result, Similarity: 0.75}}, err
}

func similarServer(t *testing.T, a *alike) *server {
	return embeddingServer(t, func(p *api.Parts) { p.History, p.Similarity = embedded{}, a })
}

func TestSimilar(t *testing.T) {
	a := &alike{}
	s := similarServer(t, a)
	const query = "?limit=5&min_similarity=0.5&device=door&since=2026-06-01T10:00:00Z"
	want := edgelens.SimilarFilter{Device: "door", Since: time.Date(2026, 6, 1, 10, 0, 0, 0, time.UTC), Limit: 5, MinSimilarity: 0.5}
	var answer struct {
		Results []struct {
			Similarity float64
			Result     struct {
				Id     string
				Result map[string]any
			}
		}
	}
	check := func(code int, body []byte) {
		t.Helper()
		if err := json.Unmarshal(body, &answer); err != nil || code != 200 || len(answer.Results) != 1 || answer.Results[0].Similarity != 0.75 || answer.Results[0].Result.Id != jobID {
			t.Fatalf("%d %s", code, body)
		}
		if answer.Results[0].Result.Result["embedding"] != nil {
			t.Errorf("the embedding is in it: %s", body)
		}
		if a.filter != want {
			t.Errorf("filter %+v, want %+v", a.filter, want)
		}
	}
	w := s.do(request("POST", "/api/similar"+query+"&fit=pad", "image/jpeg", strings.NewReader(anImage)))
	check(w.Code, w.Body.Bytes())
	if string(a.req.Image) != anImage || a.req.View.Fit != edgelens.FitPad {
		t.Errorf("%+v", a.req)
	}
	w = s.do(request("GET", "/api/results/"+jobID+"/similar"+query, "", nil))
	check(w.Code, w.Body.Bytes())
	if a.to != jobID {
		t.Errorf("similar to %s", a.to)
	}
	contentType, body := form("file", []byte(anImage))
	want = edgelens.SimilarFilter{Limit: 10}
	w = s.do(request("POST", "/api/similar", contentType, body))
	check(w.Code, w.Body.Bytes())
}

func TestSimilarIsRefused(t *testing.T) {
	upload := func(target string) func(*server) (int, string) {
		return func(s *server) (int, string) {
			w := s.do(request("POST", target, "image/jpeg", strings.NewReader(anImage)))
			return w.Code, w.Body.String()
		}
	}
	get := func(target string) func(*server) (int, string) {
		return func(s *server) (int, string) {
			w := s.do(request("GET", target, "", nil))
			return w.Code, w.Body.String()
		}
	}
	for name, tc := range map[string]struct {
		do   func(*server) (int, string)
		err  error
		code int
		want string
	}{
		"no limit":             {upload("/api/similar?limit=0"), nil, 400, "limit"},
		"too many":             {upload("/api/similar?limit=101"), nil, 400, "100"},
		"similarity above 1":   {upload("/api/similar?min_similarity=1.5"), nil, 400, "min_similarity"},
		"another option":       {upload("/api/similar?top_k=3"), nil, 400, "top_k"},
		"no model":             {upload("/api/similar"), edgelens.ErrNoModel, 503, "no_model"},
		"no embedding":         {get("/api/results/" + jobID + "/similar"), edgelens.ErrNotFound, 404, "not_found"},
		"too many of a result": {get("/api/results/" + jobID + "/similar?limit=101"), nil, 400, "100"},
	} {
		if code, body := tc.do(similarServer(t, &alike{err: tc.err})); code != tc.code || !strings.Contains(body, tc.want) {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	s := similarServer(t, &alike{})
	contentType, body := fields(field{"top_k", "3", ""}, field{"file", anImage, "cat.jpg"})
	if w := s.do(request("POST", "/api/similar", contentType, body)); w.Code != 400 || !strings.Contains(w.Body.String(), "no option of this path") {
		t.Errorf("an option of recognitions in the form: %d %s", w.Code, w.Body)
	}
	off := embeddingServer(t, func(p *api.Parts) { p.History = embedded{} })
	for name, do := range map[string]func(*server) (int, string){"an image": upload("/api/similar"), "a result": get("/api/results/" + jobID + "/similar")} {
		if code, body := do(off); code != 404 || !strings.Contains(body, "similarity.enabled") {
			t.Errorf("%s, and it is off: %d %s", name, code, body)
		}
	}
}

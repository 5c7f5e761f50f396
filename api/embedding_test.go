package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"edgelens"
	"edgelens/api"
)

// extracting answers requests for embeddings.
type extracting struct{ *recognizer }

func (e extracting) Recognize(ctx context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	result, err := e.recognizer.Recognize(ctx, req)
	if err == nil && req.Task == edgelens.TaskEmbedding {
		result.Model.Name, result.Predictions, result.Embedding = req.Model, nil, []float32{.6, 0, .8}
	}
	return result, err
}

// embeddingServer has a classifier m and an extractor.
func embeddingServer(t *testing.T, edit func(*api.Parts)) *server {
	return newServer(t, func(_ *api.Config, p *api.Parts) {
		p.Recognizer = extracting{p.Recognizer.(*recognizer)}
		p.EmbeddingModel = "extractor"
		p.Models = append(p.Models.(modelList), edgelens.Model{ModelRef: edgelens.ModelRef{Name: "extractor"}, State: edgelens.ModelAvailable, Task: edgelens.TaskEmbedding})
		if edit != nil {
			edit(p)
		}
	})
}

// The task can be anywhere where options are, and chooses the model.
func TestTask(t *testing.T) {
	inForm, body := fields(field{"task", "embedding", ""}, field{"file", anImage, "cat.jpg"})
	for name, r := range map[string]*http.Request{
		"query":        request("POST", "/api/recognize?task=embedding", "image/jpeg", strings.NewReader(anImage)),
		"cached route": request("POST", "/api/recognize_cached?task=embedding", "image/jpeg", strings.NewReader(anImage)),
		"form":         request("POST", "/api/recognize", inForm, body),
		"JSON":         request("POST", "/api/recognize", "application/json", strings.NewReader(`{"image":"`+image64+`","task":"embedding"}`)),
	} {
		t.Run(name, func(t *testing.T) {
			s := embeddingServer(t, nil)
			w := s.do(r)
			var answer struct {
				Predictions []any
				Embedding   []float32
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 || len(answer.Embedding) != 3 || answer.Embedding[0] != .6 || answer.Predictions == nil || len(answer.Predictions) != 0 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if last := s.recognizer.last; last.Task != edgelens.TaskEmbedding || last.Model != "extractor" {
				t.Errorf("%+v", last)
			}
		})
	}
	s := embeddingServer(t, nil)
	if w := s.do(request("POST", "/api/recognize?task=classification", "image/jpeg", strings.NewReader(anImage))); w.Code != 200 || s.recognizer.last.Task != edgelens.TaskClassification || s.recognizer.last.Model != "" || strings.Contains(w.Body.String(), "embedding") {
		t.Errorf("%d %s, %+v", w.Code, w.Body, s.recognizer.last)
	}
}

func TestTaskIsRefused(t *testing.T) {
	for name, tc := range map[string]struct{ target, want string }{
		"no such task":        {"/api/recognize?task=segmentation", "classification or embedding"},
		"top_k":               {"/api/recognize?task=embedding&top_k=3", "top_k is for predictions"},
		"min_score":           {"/api/recognize?task=embedding&min_score=0.5", "min_score is for predictions"},
		"job of a classifier": {"/api/recognize_async?task=embedding&model=m", "task classification, not embedding"},
		"job of an extractor": {"/api/recognize_async?task=classification&model=extractor", "task embedding, not classification"},
		"misspelled":          {"/api/recognize?tasks=embedding", "did you mean task?"},
	} {
		s := embeddingServer(t, func(p *api.Parts) { p.Queue = &jobs{} })
		w := s.do(request("POST", tc.target, "image/jpeg", strings.NewReader(anImage)))
		if w.Code != 400 || !strings.Contains(w.Body.String(), tc.want) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	s := embeddingServer(t, func(p *api.Parts) { p.EmbeddingModel = "" })
	if w := s.do(request("POST", "/api/recognize?task=embedding", "image/jpeg", strings.NewReader(anImage))); w.Code != 400 || !strings.Contains(w.Body.String(), "model=NAME") {
		t.Errorf("no model: %d %s", w.Code, w.Body)
	}
}

func TestEmbeddingJob(t *testing.T) {
	queue := &jobs{}
	s := embeddingServer(t, func(p *api.Parts) { p.Queue = queue })
	w := s.do(request("POST", "/api/recognize_async?task=embedding", "image/jpeg", strings.NewReader(anImage)))
	if w.Code != 202 || queue.spec.Task != edgelens.TaskEmbedding || queue.spec.Model != "extractor" {
		t.Errorf("%d %s, %+v", w.Code, w.Body, queue.spec)
	}
}

// embedded is a history of one result with an embedding.
type embedded struct{ api.History }

func (embedded) Result(context.Context, string) (edgelens.StoredResult, error) {
	return edgelens.StoredResult{ID: jobID, Source: edgelens.SourceSync, Outcome: edgelens.OutcomeRecognized, Result: &edgelens.Result{Image: edgelens.ImageInfo{Format: "png"}, Embedding: []float32{.6, .8}}}, nil
}

func (e embedded) Results(ctx context.Context, _ edgelens.ResultFilter) ([]edgelens.StoredResult, string, error) {
	result, err := e.Result(ctx, "")
	return []edgelens.StoredResult{result}, "", err
}

// A list and an export leave the vectors out, which are in the single result.
func TestListsHaveNoEmbeddings(t *testing.T) {
	s := embeddingServer(t, func(p *api.Parts) { p.History = embedded{} })
	for target, want := range map[string]bool{
		"/api/results/" + jobID:             true,
		"/api/results":                      false,
		"/api/results/export":               false,
		"/api/results/export?format=ndjson": false,
	} {
		w := s.do(request("GET", target, "", nil))
		if w.Code != 200 || bytes.Contains(w.Body.Bytes(), []byte(`"embedding"`)) != want {
			t.Errorf("%s: %d %s, want an embedding: %v", target, w.Code, w.Body, want)
		}
	}
}

package api_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/api"
)

// headStore has one head, gate.
type headStore struct {
	err     error
	trained edgelens.Training
	rolled  int
	removed bool
}

func gateVersion(version int, live bool) edgelens.HeadVersion {
	return edgelens.HeadVersion{
		Name: "gate", Version: version, Live: live, Digest: "sha256:ab", Extractor: edgelens.ModelRef{Name: "extractor", Digest: "sha256:cd"},
		View: edgelens.View{Fit: edgelens.FitPad, Region: edgelens.Region{Width: 0.5, Height: 1}}, Labels: []string{"closed", "open"}, Method: "softmax", Examples: 12,
		Scale: 5, Threshold: 0.7, CreatedAt: time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC),
		Report: &edgelens.TrainingReport{Method: "softmax", L2: 1e-3, Folds: 5, Labels: []edgelens.LabelCount{{Label: "closed", Count: 6}, {Label: "open", Count: 6}},
			HeldOut: 12, Right: 11, Accuracy: 11.0 / 12, Low: 0.6, High: 0.98, Confusion: [][]int{{6, 0}, {1, 5}}, Took: time.Second},
	}
}

func (h *headStore) Heads() ([]edgelens.HeadVersion, error) {
	return []edgelens.HeadVersion{gateVersion(2, true), {Name: "lost", Version: 1, Live: true, Problem: "its file is damaged"}}, h.err
}

func (h *headStore) Versions(name string) ([]edgelens.HeadVersion, error) {
	if name != "gate" {
		return nil, fmt.Errorf("%w: there is no head %q", edgelens.ErrNotFound, name)
	}
	return []edgelens.HeadVersion{gateVersion(2, true), gateVersion(1, false)}, h.err
}

func (h *headStore) Train(_ context.Context, _ string, t edgelens.Training) (edgelens.HeadVersion, error) {
	h.trained = t
	return gateVersion(3, true), h.err
}

func (h *headStore) Progress() *edgelens.TrainingProgress {
	return &edgelens.TrainingProgress{Name: "gate", Done: 3, Total: 26}
}

func (h *headStore) Rollback(_ string, version int) (edgelens.HeadVersion, error) {
	h.rolled = version
	return gateVersion(1, true), h.err
}

func (h *headStore) Remove(string) error {
	h.removed = h.err == nil
	return h.err
}

func TestHeads(t *testing.T) {
	h := &headStore{}
	s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Heads = h })
	for name, test := range map[string]struct{ method, path, want string }{
		"list":            {"GET", "/api/heads", `"training":{"done":3,"name":"gate","total":26}`},
		"a damaged one":   {"GET", "/api/heads", `{"labels":[],"live":true,"name":"lost","problem":"its file is damaged","version":1}`},
		"versions":        {"GET", "/api/heads/gate", `"region":"0,0,0.5,1"`},
		"report":          {"GET", "/api/heads/gate", `"confusion":[[6,0],[1,5]]`},
		"train":           {"POST", "/api/heads/gate/train?dataset=yard&method=imprinting&seed=7&threshold=0.5&candidate=true", `"version":3`},
		"rollback":        {"POST", "/api/heads/gate/rollback", `"version":1`},
		"a named version": {"POST", "/api/heads/gate/rollback?version=2", `"live":true`},
		"delete":          {"DELETE", "/api/heads/gate", ""},
	} {
		w := s.do(request(test.method, test.path, "", nil))
		if w.Code >= 300 || !strings.Contains(w.Body.String(), test.want) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if got := h.trained; got.Dataset != "yard" || got.Method != "imprinting" || got.Seed != 7 || got.Threshold == nil || *got.Threshold != 0.5 || !got.Candidate {
		t.Errorf("trained by %+v", got)
	}
	if !h.removed {
		t.Error("the head was not removed")
	}
}

func TestBadHeadRequests(t *testing.T) {
	for name, test := range map[string]struct {
		err          error
		method, path string
		status       int
	}{
		"without a dataset":      {nil, "POST", "/api/heads/gate/train", 400},
		"a negative seed":        {nil, "POST", "/api/heads/gate/train?dataset=d&seed=-1", 400},
		"version 0":              {nil, "POST", "/api/heads/gate/rollback?version=0", 400},
		"no such head":           {nil, "GET", "/api/heads/nothing", 404},
		"another one is trained": {&edgelens.Busy{RetryAfter: 5 * time.Second, Reason: "Another head is being trained."}, "POST", "/api/heads/gate/train?dataset=d", 503},
		"too few examples":       {fmt.Errorf("%w: too few examples", edgelens.ErrInvalid), "POST", "/api/heads/gate/train?dataset=d", 400},
		"the name of a file":     {fmt.Errorf("%w: a model file", edgelens.ErrConflict), "POST", "/api/heads/gate/train?dataset=d", 409},
		"the default model":      {fmt.Errorf("%w: the default model", edgelens.ErrConflict), "DELETE", "/api/heads/gate", 409},
		"a damaged version":      {fmt.Errorf("%w: damaged", edgelens.ErrModel), "POST", "/api/heads/gate/rollback", 500},
	} {
		s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Heads = &headStore{err: test.err} })
		w := s.do(request(test.method, test.path, "", nil))
		if w.Code != test.status {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if test.status == 503 && w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", name)
		}
	}
}

package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"edgelens"
	"edgelens/api"
)

// jsonOf returns a member of a JSON object as JSON; "" where there is none.
func jsonOf(t *testing.T, body map[string]any, name string) string {
	t.Helper()
	value, ok := body[name]
	if !ok {
		return ""
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const doorRegionJSON = `{"height":1,"width":0.5,"x":0.25,"y":0}`

// The view of a recognition, in every answer that has one.
func TestView(t *testing.T) {
	for want, view := range map[string]edgelens.ShownView{
		"":                           {}, // of an earlier version
		`{"count":1,"fit":"center"}`: {View: edgelens.View{Fit: edgelens.FitCenter}, Count: 1},
		`{"count":3,"fit":"sweep","region":` + doorRegionJSON + `}`: {View: edgelens.View{Fit: edgelens.FitSweep, Region: doorRegion}, Count: 3},
	} {
		result := &edgelens.Result{RequestID: "r", Image: edgelens.ImageInfo{Width: 1, Height: 1, Format: "jpeg"}, View: view}
		s, _ := newHistory(t, nil, edgelens.StoredResult{ID: resultID, CreatedAt: morning, Outcome: edgelens.OutcomeRecognized, Result: result})
		stored, _ := decoded(t, s.do(request("GET", "/api/results/"+resultID, "", nil)))["result"].(map[string]any)
		if got := jsonOf(t, stored, "view"); got != want {
			t.Errorf("in the history: %s, want %s", got, want)
		}
		s.recognizer.view = view
		if got := jsonOf(t, decoded(t, s.do(formRequest("/api/recognize", "file", []byte(anImage)))), "view"); got != want {
			t.Errorf("at once: %s, want %s", got, want)
		}
	}
}

// oneJob has one job.
type oneJob struct {
	otherJobs
	job edgelens.Job
}

func (j oneJob) Job(context.Context, string) (edgelens.Job, error) { return j.job, nil }

func (j oneJob) Jobs(context.Context, edgelens.JobFilter) ([]edgelens.Job, string, error) {
	return []edgelens.Job{j.job}, "", nil
}

// A job has the fit and region of its request, and its result what they led to.
func TestViewOfJobs(t *testing.T) {
	shown := edgelens.ShownView{View: edgelens.View{Fit: edgelens.FitPad, Region: doorRegion}, Count: 1}
	for name, c := range map[string]struct {
		view        edgelens.View
		result      *edgelens.Result
		fit, region string
	}{
		"not given":   {edgelens.View{}, nil, "", ""},
		"a fit":       {edgelens.View{Fit: edgelens.FitSweep}, nil, `"sweep"`, ""},
		"a region":    {edgelens.View{Region: doorRegion}, nil, "", doorRegionJSON},
		"with result": {edgelens.View{Region: doorRegion}, &edgelens.Result{Image: edgelens.ImageInfo{Format: "jpeg"}, View: shown}, "", doorRegionJSON},
	} {
		job := edgelens.Job{ID: jobID, JobSpec: edgelens.JobSpec{View: c.view}, Status: edgelens.JobQueued, CreatedAt: morning, Result: c.result}
		s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Jobs = oneJob{job: job} })
		one := decoded(t, s.do(request("GET", "/api/jobs/"+jobID, "", nil)))
		list, _ := decoded(t, s.do(request("GET", "/api/jobs", "", nil)))["jobs"].([]any)
		listed, _ := list[0].(map[string]any)
		for _, got := range []map[string]any{one, listed} {
			if fit, region := jsonOf(t, got, "fit"), jsonOf(t, got, "region"); fit != c.fit || region != c.region {
				t.Errorf("%s: fit %s, region %s", name, fit, region)
			}
			result, _ := got["result"].(map[string]any)
			if view := jsonOf(t, result, "view"); c.result != nil && view != `{"count":1,"fit":"pad","region":`+doorRegionJSON+`}` {
				t.Errorf("%s: view %s", name, view)
			}
		}
	}
}

// A device may be sent back as it was read.
func TestChangeDeviceToWhatWasRead(t *testing.T) {
	s, d := newDoors(t, nil)
	read := s.do(request("GET", "/api/devices/"+door, "", nil)).Body.String()
	w := s.do(request("PATCH", "/api/devices/"+door, "application/json", strings.NewReader(read)))
	if w.Code != 200 || len(d.changes) != 1 || *d.changes[0].Fit != edgelens.FitSweep || *d.changes[0].Region != doorRegion {
		t.Errorf("got %d %s, changes %+v", w.Code, w.Body, d.changes)
	}
}

// The recognizer's refusal of a region, which depends on the image, is the client's error.
func TestRegionTooSmall(t *testing.T) {
	s := newServer(t, nil)
	s.recognizer.err = fmt.Errorf("recognize: %w: the region has 2 by 480 pixels of the image; it must have at least 8 by 8", edgelens.ErrInvalid)
	w := s.do(formRequest("/api/recognize?region=0,0,0.003,1", "file", []byte(anImage)))
	if p := problem(t, w); w.Code != 400 || p["code"] != "invalid_request" || !strings.Contains(p["detail"].(string), "at least 8 by 8") {
		t.Errorf("got %d %v", w.Code, p)
	}
}

// The page describes both forms of a region.
func TestDocsOfRegions(t *testing.T) {
	w := newServer(t, nil).do(request("GET", "/docs", "", nil))
	for _, want := range []string{"string or object {height, width, x, y}", "[center stretch sweep pad]", "as shares"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%q is not in the page", want)
		}
	}
}

package api_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/api"
)

// eraser is an Erasure that notes what it is asked.
type eraser struct {
	counted, erased []edgelens.ErasureFilter
	answer          edgelens.Erased
	err             error
}

func (e *eraser) Count(_ context.Context, filter edgelens.ErasureFilter) (edgelens.Erased, error) {
	e.counted = append(e.counted, filter)
	return e.answer, e.err
}

func (e *eraser) Erase(_ context.Context, filter edgelens.ErasureFilter) (edgelens.Erased, error) {
	e.erased = append(e.erased, filter)
	return e.answer, e.err
}

func TestEraseResults(t *testing.T) {
	since := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		query           string
		status          int
		counted, erased []edgelens.ErasureFilter
		want            string
	}{
		"device":       {"device=door", 200, nil, []edgelens.ErasureFilter{{Device: "door"}}, `"dry_run":false,"examples":7,"image_bytes":99,"images":2,"jobs":3,"records":4,"results":5,"undelivered_events":6`},
		"person":       {"person=" + url.QueryEscape("Zoë 7"), 200, nil, []edgelens.ErasureFilter{{Person: "Zoë 7"}}, `"complete":true`},
		"time":         {"since=2026-05-01T00:00:00Z&until=2026-06-01T00:00:00Z", 200, nil, []edgelens.ErasureFilter{{Since: since, Until: since.AddDate(0, 1, 0)}}, ""},
		"dry run":      {"device=door&dry_run=true", 200, []edgelens.ErasureFilter{{Device: "door"}}, nil, `"dry_run":true`},
		"no dry run":   {"device=door&dry_run=false", 200, nil, []edgelens.ErasureFilter{{Device: "door"}}, ""},
		"no filter":    {"", 400, nil, nil, "must be given"},
		"dry run only": {"dry_run=true", 400, nil, nil, "must be given"},
		"empty device": {"device=", 400, nil, nil, ""},
		"empty person": {"person=&device=door", 400, nil, nil, ""},
		"long person":  {"device=door&person=" + strings.Repeat("a", 801), 400, nil, nil, ""},
		"misspelled":   {"device=door&persn=7", 400, nil, nil, "person"},
		"no time":      {"since=yesterday", 400, nil, nil, ""},
		"no boolean":   {"device=door&dry_run=perhaps", 400, nil, nil, ""},
		"label":        {"device=door&label=cat", 400, nil, nil, ""}, // a filter of the list that is none here
	} {
		t.Run(name, func(t *testing.T) {
			e := &eraser{answer: edgelens.Erased{Results: 5, Records: 4, Jobs: 3, Examples: 7, Images: 2, ImageBytes: 99, Undelivered: 6, Complete: true}}
			s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Erasure = e })
			w := s.do(request(http.MethodDelete, "/api/results?"+test.query, "", nil))
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, test.status, test.want)
			}
			if !sameFilters(e.counted, test.counted) || !sameFilters(e.erased, test.erased) {
				t.Errorf("counted %+v, erased %+v", e.counted, e.erased)
			}
		})
	}
}

func sameFilters(a, b []edgelens.ErasureFilter) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if !x.Since.Equal(y.Since) || !x.Until.Equal(y.Until) || x.ID != y.ID || x.Device != y.Device || x.Person != y.Person {
			return false
		}
	}
	return true
}

func TestEraseOneResult(t *testing.T) {
	const id = "0197a000-0000-7000-8000-00000000000b"
	e := &eraser{answer: edgelens.Erased{Results: 1, Complete: true}}
	s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Erasure = e })
	if w := s.do(request(http.MethodDelete, "/api/results/"+id, "", nil)); w.Code != 200 || len(e.erased) != 1 || e.erased[0].ID != id {
		t.Errorf("%d %s, %+v", w.Code, w.Body, e.erased)
	}
	if w := s.do(request(http.MethodDelete, "/api/results/seven", "", nil)); w.Code != 400 || len(e.erased) != 1 {
		t.Errorf("no id: %d %s", w.Code, w.Body)
	}
	e.answer = edgelens.Erased{Complete: true}
	if w := s.do(request(http.MethodDelete, "/api/results/"+id, "", nil)); w.Code != 404 {
		t.Errorf("an unknown one: %d %s", w.Code, w.Body)
	}
}

// The audit log has counts and the names of filters, also of an erasure that failed in the middle, and no content.
func TestErasureIsAudited(t *testing.T) {
	e := &eraser{answer: edgelens.Erased{Results: 5, Records: 4}, err: edgelens.ErrBusy}
	s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Erasure = e })
	if w := s.do(request(http.MethodDelete, "/api/results?device=door-7&person=Ottilie", "", nil)); w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	log := s.log.String()
	for _, want := range []string{"event=access", "action=erase", "filters=device,person", "dry_run=false", "complete=false", "results=5", "records=4"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in\n%s", want, log)
		}
	}
	if strings.Contains(log, "Ottilie") || strings.Contains(log, "door-7") {
		t.Errorf("the log has content:\n%s", log)
	}
}

// held are jobs that are held.
type held struct{ n int }

func (h held) ReleaseHeld(context.Context) (int, error) { return h.n, nil }

func TestReleaseJobs(t *testing.T) {
	s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Held = held{7} })
	if w := s.do(request(http.MethodPost, "/api/restore/release", "", nil)); w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"released":7}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if log := s.log.String(); !strings.Contains(log, "action=release") || !strings.Contains(log, "jobs=7") {
		t.Errorf("%s", log)
	}
	if w := newServer(t, nil).do(request(http.MethodPost, "/api/restore/release", "", nil)); w.Code != 200 {
		t.Errorf("without jobs: %d %s", w.Code, w.Body)
	}
}

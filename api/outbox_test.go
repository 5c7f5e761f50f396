package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/api"
)

// setAside is an Outbox of one event.
type setAside struct {
	filter edgelens.SetAsideFilter
	sink   string
	ids    []int64
	calls  int
}

func (s *setAside) ListSetAside(_ context.Context, filter edgelens.SetAsideFilter) ([]edgelens.SetAside, string, error) {
	s.filter = filter
	at := time.Date(2026, 4, 10, 8, 0, 0, 0, time.UTC)
	return []edgelens.SetAside{{ID: 17, Sink: "webhook", Device: "door", Event: "e", Kind: "verified", ReceivedAt: at, At: at, Reason: "too large"}}, "next", nil
}

func (s *setAside) RetrySetAside(_ context.Context, sink string, ids ...int64) (int, error) {
	s.sink, s.ids, s.calls = sink, ids, s.calls+1
	if len(ids) == 1 && ids[0] == 404 {
		return 0, fmt.Errorf("%w: no event with the id 404 is set aside", edgelens.ErrNotFound)
	}
	return 3, nil
}

func TestListSetAside(t *testing.T) {
	outbox := &setAside{}
	s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Outbox = outbox })
	w := s.do(request("GET", "/api/outbox?sink=webhook&device=door&limit=7&cursor=c", "", nil))
	if want := (edgelens.SetAsideFilter{Sink: "webhook", Device: "door", Limit: 7, Cursor: "c"}); w.Code != 200 || outbox.filter != want {
		t.Errorf("%d, filter %+v, want %+v", w.Code, outbox.filter, want)
	}
	for _, want := range []string{`"id":17`, `"set_aside_at":"2026-04-10T08:00:00Z"`, `"reason":"too large"`, `"next":"next"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s, want %s", w.Body, want)
		}
	}
	for _, query := range []string{"sink=webhok", "sink=", "device=", "device=%2F"} {
		if w := s.do(request("GET", "/api/outbox?"+query, "", nil)); w.Code != 400 {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
	if w := newServer(t, nil).do(request("GET", "/api/outbox", "", nil)); w.Code != 200 || !strings.Contains(w.Body.String(), `"events":[]`) {
		t.Errorf("without an outbox: %d %s", w.Code, w.Body)
	}
}

func TestRetrySetAside(t *testing.T) {
	for name, test := range map[string]struct {
		body   string
		status int
		sink   string
		ids    string
		calls  int
	}{
		"all":              {"", 200, "", "[]", 1},
		"an empty object":  {"{}", 200, "", "[]", 1},
		"a sink":           {`{"sink":"webhook"}`, 200, "webhook", "[]", 1},
		"some":             {`{"ids":[1,2]}`, 200, "", "[1 2]", 1},
		"none of them":     {`{"ids":[]}`, 200, "", "[]", 0},
		"unknown":          {`{"ids":[404]}`, 404, "", "[404]", 1},
		"misspelled":       {`{"id":[1]}`, 400, "", "[]", 0},
		"two sinks":        {`{"sink":"mqtt","sink":"webhook"}`, 400, "", "[]", 0},
		"in capitals, too": {`{"sink":"mqtt","Sink":"webhook"}`, 400, "", "[]", 0},
		"in capitals":      {`{"Sink":"webhook"}`, 400, "", "[]", 0},
		"twice ids":        {`{"ids":[1],"ids":[2]}`, 400, "", "[]", 0},
		"no JSON":          {`ids=1`, 400, "", "[]", 0},
		"white space":      {"\n", 400, "", "[]", 0},
		"another type":     {`{"ids":"1"}`, 400, "", "[]", 0},
		"an unknown sink":  {`{"sink":"webhok"}`, 400, "", "[]", 0},
		"null":             {`{"ids":null}`, 400, "", "[]", 0},
		"too many":         {`{"ids":[` + strings.TrimSuffix(strings.Repeat("1,", 1001), ",") + `]}`, 400, "", "[]", 0},
		"larger than that": {`{"ids":[` + strings.Repeat(" ", 70<<10) + `]}`, 413, "", "[]", 0},
	} {
		t.Run(name, func(t *testing.T) {
			outbox := &setAside{}
			s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Outbox = outbox })
			w := s.do(request("POST", "/api/outbox/retry", "application/json", strings.NewReader(test.body)))
			if w.Code != test.status || outbox.sink != test.sink || fmt.Sprint(outbox.ids) != test.ids || outbox.calls != test.calls {
				t.Errorf("%d %s, sink %q, ids %v, %d calls", w.Code, w.Body, outbox.sink, outbox.ids, outbox.calls)
			}
		})
	}
}

// A web page of another origin cannot retry events.
func TestForeignPageCannotRetryOutbox(t *testing.T) {
	outbox := &setAside{}
	s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Outbox = outbox })
	r := request("POST", "/api/outbox/retry", "text/plain", strings.NewReader("{}"))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if w := s.do(r); w.Code != http.StatusForbidden || outbox.calls != 0 {
		t.Errorf("%d, %d calls", w.Code, outbox.calls)
	}
}

package api_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"edgelens"
)

func TestEraseSensors(t *testing.T) {
	byDevice, byID := []edgelens.SeriesErasure{{Device: "hall"}}, []edgelens.SeriesErasure{{Series: hall}}
	for name, test := range map[string]struct {
		target          string
		status          int
		counted, erased []edgelens.SeriesErasure
		want            string
	}{
		"device":          {"?device=hall", 200, nil, byDevice, `"dry_run":false,"insights":3,"minutes":4,"points":5,"series":1,"undelivered_events":2`},
		"a strange name":  {"?device=" + url.QueryEscape("a/b <+#>"), 200, nil, []edgelens.SeriesErasure{{Device: "a/b <+#>"}}, ""},
		"series":          {"/" + hall, 200, nil, byID, `"complete":true`},
		"dry run":         {"?device=hall&dry_run=true", 200, byDevice, nil, `"dry_run":true`},
		"dry run, series": {"/" + hall + "?dry_run=true", 200, byID, nil, `"dry_run":true`},
		"no device":       {"", 400, nil, nil, ""},
		"an empty device": {"?device=", 400, nil, nil, ""},
		"a long device":   {"?device=" + strings.Repeat("a", 129), 400, nil, nil, "128"},
		"a misspelling":   {"?device=hall&dryrun=true", 400, nil, nil, "dryrun"},
		"no boolean":      {"?device=hall&dry_run=perhaps", 400, nil, nil, ""},
		"unknown series":  {"/" + resultID, 404, nil, nil, ""},
		"no id":           {"/hall", 400, nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, m := withMeters(t)
			m.answer = edgelens.ErasedSeries{Series: 1, Points: 5, Minutes: 4, Insights: 3, Undelivered: 2, Complete: true}
			w := s.do(request(http.MethodDelete, "/api/sensors"+test.target, "", nil))
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, test.status, test.want)
			}
			if !slices.Equal(m.counted, test.counted) || !slices.Equal(m.erased, test.erased) {
				t.Errorf("counted %+v, erased %+v", m.counted, m.erased)
			}
		})
	}
}

// The audit log has counts and the name of the filter, also of an erasure that failed in the middle, and no content.
func TestErasureOfSensorsIsAudited(t *testing.T) {
	s, m := withMeters(t)
	m.answer, m.eraseErr = edgelens.ErasedSeries{Points: 5, Minutes: 4}, edgelens.ErrBusy
	if w := s.do(request(http.MethodDelete, "/api/sensors?device=bedroom", "", nil)); w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	log := s.log.String()
	for _, want := range []string{"event=access", "action=erase", "filters=device", "dry_run=false", "complete=false", "series=0", "points=5", "per_minute=4", "insights=0"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in\n%s", want, log)
		}
	}
	if strings.Contains(log, "bedroom") {
		t.Errorf("the log has content:\n%s", log)
	}
}

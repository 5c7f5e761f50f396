package api_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"edgelens/api"
)

func TestPreferences(t *testing.T) {
	for name, test := range map[string]struct {
		headers []string
		wait    time.Duration
		applied string
	}{
		"none":                    {nil, 0, ""},
		"a wait":                  {[]string{"wait=5"}, 5 * time.Second, "wait=5"},
		"among others":            {[]string{"handling=strict", "return=minimal, Wait = 7; foo=bar"}, 7 * time.Second, "wait=7"},
		"quoted":                  {[]string{`wait="5"`}, 5 * time.Second, "wait=5"},
		"the first of two":        {[]string{"wait=5, wait=9", "wait=1"}, 5 * time.Second, "wait=5"},
		"longer than the maximum": {[]string{"wait=3600"}, time.Minute, "wait=60"},
		"nothing":                 {[]string{"wait=0"}, 0, ""},
		"negative":                {[]string{"wait=-5"}, 0, ""},
		"a fraction":              {[]string{"wait=0.5"}, 0, ""},
		"no number":               {[]string{"wait=soon"}, 0, ""},
		"no value":                {[]string{"wait"}, 0, ""},
		"beyond 64 bits":          {[]string{"wait=99999999999999999999"}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			r := httptest.NewRequest("POST", "http://localhost/api/recognize", strings.NewReader(anImage))
			r.Header["Prefer"] = test.headers
			r.Header.Set("Content-Type", "image/jpeg")
			w := s.do(r)
			if w.Code != 200 || w.Header().Get("Preference-Applied") != test.applied {
				t.Errorf("%d with Preference-Applied %q, want %q", w.Code, w.Header().Get("Preference-Applied"), test.applied)
			}
			if got := s.recognizer.wait; got > test.wait || got < test.wait-time.Second {
				t.Errorf("the recognition may take %v, want %v", got, test.wait)
			}
		})
	}
	t.Run("respond-async", func(t *testing.T) {
		j := &jobs{}
		s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Jobs, p.Queue = j, j })
		r := httptest.NewRequest("POST", "http://localhost/api/recognize", strings.NewReader(anImage))
		r.Header.Set("Prefer", "wait=5, respond-async")
		r.Header.Set("Content-Type", "image/jpeg")
		if w := s.do(r); w.Code != 202 || w.Header().Get("Preference-Applied") != "respond-async" {
			t.Errorf("%d with Preference-Applied %q, want 202 with respond-async", w.Code, w.Header().Get("Preference-Applied"))
		}
	})
}

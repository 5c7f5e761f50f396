package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestSensorDelete(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path+"?"+r.URL.RawQuery)
		fmt.Fprintf(w, `{"dry_run":%v,"complete":%v,"series":1,"points":20,"minutes":3,"insights":2,"undelivered_events":4}`,
			r.URL.Query().Get("dry_run") == "true", len(asked) > 1)
	}))
	defer server.Close()
	for name, test := range map[string]struct {
		args   []string
		status int
		want   string
		asked  string
	}{
		"dry run":    {[]string{"--device", "room 101"}, 0, "1 series with 20 points, 3 minutes, 2 insights and 4 undelivered events would be erased; --yes erases them", "DELETE /api/sensors?device=room+101&dry_run=true"},
		"in two":     {[]string{"--device", "hall", "--yes"}, 0, "2 series with 40 points, 6 minutes, 4 insights and 8 undelivered events erased", "DELETE /api/sensors?device=hall|DELETE /api/sensors?device=hall"},
		"one":        {[]string{"--id", "a/b"}, 0, "would be", "DELETE /api/sensors/a/b?dry_run=true"},
		"no filter":  {[]string{"--yes"}, 2, "--device or --id", ""},
		"both":       {[]string{"--device", "hall", "--id", "x"}, 2, "either", ""},
		"no service": {[]string{"--device", "hall", "--server", "http://127.0.0.1:1"}, 1, "--server", ""},
	} {
		t.Run(name, func(t *testing.T) {
			asked = nil
			status, out, err := runCommand(t, nil, append([]string{"sensor", "delete", "--server", server.URL}, test.args...)...)
			if status != test.status || !strings.Contains(out+err, test.want) {
				t.Errorf("status %d %s%s, want %q", status, out, err, test.want)
			}
			if got := strings.Join(asked, "|"); got != test.asked {
				t.Errorf("asked %q, want %q", got, test.asked)
			}
		})
	}
}

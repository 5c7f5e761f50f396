package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/api"
)

// meters are the sensors of these tests: "hall" and "attic", by their temperatures.
type meters struct {
	mu     sync.Mutex
	series []edgelens.Series
	recent map[string][]edgelens.Point
	query  edgelens.PointQuery
	filter edgelens.InsightFilter
	stream chan edgelens.Point
	lost   int64

	counted, erased []edgelens.SeriesErasure
	answer          edgelens.ErasedSeries
	eraseErr        error
}

var hall, attic = edgelens.SeriesID("hall", "temperature"), edgelens.SeriesID("attic", "temperature")

func newMeters() *meters {
	return &meters{stream: make(chan edgelens.Point, 10), recent: map[string][]edgelens.Point{}, series: []edgelens.Series{{ID: attic, Device: "attic", Field: "temperature"}, {ID: hall, Device: "hall", Field: "temperature"}}}
}

func (m *meters) Series(context.Context) ([]edgelens.Series, int64, error) { return m.series, 7, nil }

func (m *meters) DeviceOf(_ context.Context, id string) (string, error) {
	for _, s := range m.series {
		if s.ID == id {
			return s.Device, nil
		}
	}
	return "", fmt.Errorf("%w: no series has this id", edgelens.ErrNotFound)
}

func (m *meters) Points(_ context.Context, q edgelens.PointQuery) (edgelens.PointHistory, error) {
	m.query = q
	return edgelens.PointHistory{Step: q.Step, Points: []edgelens.PointSummary{{At: morning, Mean: 1.5, Min: 1, Max: 2, Count: 2, Anomalies: 1}}}, nil
}

func (m *meters) Recent(id string, after int64) (points []edgelens.Point) {
	for _, p := range m.recent[id] {
		if p.Seq > after {
			points = append(points, p)
		}
	}
	return points
}

func (m *meters) Follow([]string, int) (api.PointStream, error) { return m, nil }

func (m *meters) Run() string { return "run1" }

func (m *meters) Insights(_ context.Context, filter edgelens.InsightFilter) ([]edgelens.Insight, string, error) {
	m.filter = filter
	return []edgelens.Insight{{
		ID: resultID, Kind: edgelens.InsightAnomaly, State: edgelens.InsightRaised, Rule: "r", Series: hall, Device: "<script>alert(1)</script>", Field: "temperature",
		Severity: edgelens.InsightInfo, Summary: "It jumped.", Actions: []string{"Look."}, At: morning,
	}}, "next", nil
}

func (m *meters) CountSeries(_ context.Context, filter edgelens.SeriesErasure) (edgelens.ErasedSeries, error) {
	m.counted = append(m.counted, filter)
	return m.answer, m.eraseErr
}

func (m *meters) EraseSeries(_ context.Context, filter edgelens.SeriesErasure) (edgelens.ErasedSeries, error) {
	m.erased = append(m.erased, filter)
	return m.answer, m.eraseErr
}

// The rest is of the PointStream.
func (m *meters) C() <-chan edgelens.Point { return m.stream }

func (m *meters) Lost() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lost
}

func (*meters) Close() {}

func withMeters(t *testing.T) (*server, *meters) {
	m := newMeters()
	return newServer(t, func(_ *api.Config, p *api.Parts) { p.Sensors = m }), m
}

// What is not known to be fresh is not: each series has its state, and only what is known.
func TestSensorStates(t *testing.T) {
	now := time.Now()
	fresh := edgelens.Series{Points: 9, Last: 1, LastAt: now, ReceivedAt: now, Freshness: edgelens.FreshnessFresh, Window: edgelens.WindowStats{Count: 9, Mean: 2}}
	for name, test := range map[string]struct {
		change func(*edgelens.Series)
		state  string
	}{
		"fresh":               {func(*edgelens.Series) {}, "fresh"},
		"silent":              {func(s *edgelens.Series) { s.Silent = true }, "silent"},
		"stuck":               {func(s *edgelens.Series) { s.Stuck = true }, "stuck"},
		"unknown time":        {func(s *edgelens.Series) { s.Freshness = edgelens.FreshnessUnknown }, "unknown"},
		"not since the start": {func(s *edgelens.Series) { *s = edgelens.Series{LastAt: now.Add(-time.Hour), Last: 3} }, "unknown"},
		"long ago":            {func(s *edgelens.Series) { s.ReceivedAt = now.Add(-2 * time.Minute) }, "unknown"},
		"slow":                {func(s *edgelens.Series) { s.ReceivedAt, s.Interval = now.Add(-2*time.Minute), time.Minute }, "fresh"},
	} {
		t.Run(name, func(t *testing.T) {
			s, m := withMeters(t)
			one := fresh
			test.change(&one)
			one.ID, one.Device, one.Field = hall, "hall", "temperature"
			m.series = []edgelens.Series{one}
			w := s.do(request("GET", "/api/sensors", "", nil))
			var list struct {
				Dropped int64
				Sensors []struct {
					State, ID string
					Window    struct{ Mean *float64 }
					Last      *struct{ Value float64 }
				}
			}
			if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Sensors) != 1 || list.Dropped != 7 {
				t.Fatalf("%s %v", w.Body, err)
			}
			got := list.Sensors[0]
			if got.State != test.state || got.ID != hall || (got.Window.Mean == nil) != (one.Window.Count == 0) || got.Last == nil || got.Last.Value != one.Last {
				t.Errorf("%s", w.Body)
			}
		})
	}
}

func TestSensorPoints(t *testing.T) {
	s, m := withMeters(t)
	w := s.do(request("GET", "/api/sensors/"+hall+"/points?since=2026-04-10T08:00:00Z&until=2026-04-10T09:00:00Z&step=60", "", nil))
	if want := `{"points":[{"anomaly":true,"at":"` + morning.Format(time.RFC3339) + `","count":2,"max":2,"mean":1.5,"min":1}],"step":60}`; strings.TrimSpace(w.Body.String()) != want {
		t.Errorf("%s, want %s", w.Body, want)
	}
	if m.query.Series != hall || !m.query.Since.Equal(morning) || m.query.Step != time.Minute {
		t.Errorf("%+v", m.query)
	}
	w = s.do(request("GET", "/api/sensors/"+hall+"/points?format=csv", "", nil))
	if want := "at,mean,min,max,count,anomaly\n" + morning.Format(time.RFC3339) + ",1.5,1,2,2,true\n"; w.Body.String() != want || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/csv") {
		t.Errorf("%s %q, want %q", w.Header(), w.Body, want)
	}
	if w := s.do(request("GET", "/api/sensors/"+resultID+"/points", "", nil)); w.Code != 404 {
		t.Errorf("an unknown series: %d", w.Code)
	}
}

// Names are text, and escaped as JSON.
func TestInsightsAreListed(t *testing.T) {
	s, m := withMeters(t)
	w := s.do(request("GET", "/api/insights?limit=5&since=2026-04-10T08:00:00Z&cursor=abc", "", nil))
	var list struct {
		Next     string
		Insights []struct{ Device, Summary string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || list.Next != "next" || list.Insights[0].Device != "<script>alert(1)</script>" || strings.Contains(w.Body.String(), "<script>") {
		t.Errorf("%s %v", w.Body, err)
	}
	if m.filter.Limit != 5 || m.filter.Cursor != "abc" || !m.filter.Since.Equal(morning) {
		t.Errorf("%+v", m.filter)
	}
}

// follow opens a stream and returns its lines without comments.
func follow(t *testing.T, s *server, query, last string) (status int, lines <-chan string) {
	t.Helper()
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, web.URL+"/api/sensors/stream"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	response, err := web.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	found := make(chan string, 100)
	go func() {
		defer close(found)
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			if line := scanner.Text(); line != "" && !strings.HasPrefix(line, ":") {
				found <- line
			}
		}
	}()
	return response.StatusCode, found
}

func expectLines(t *testing.T, lines <-chan string, want ...string) {
	t.Helper()
	for _, line := range want {
		if got := <-lines; got != line {
			t.Fatalf("line %q, want %q", got, line)
		}
	}
}

func pointAt(series string, seq int64, value float64) edgelens.Point {
	return edgelens.Point{Series: series, Seq: seq, At: morning, Value: value}
}

func dataOf(series string, value float64) string {
	return fmt.Sprintf(`data: {"id":"%s","at":"%s","value":%v,"anomaly":false}`, series, morning.Format(time.RFC3339), value)
}

// A client that resumes gets what it missed of each series, once, and then what comes.
func TestSensorStreamResumes(t *testing.T) {
	s, m := withMeters(t)
	first, second := hall, attic
	if first > second { // the positions in an event's id are in this order
		first, second = second, first
	}
	m.recent[first] = []edgelens.Point{pointAt(first, 40, 1), pointAt(first, 41, 2)}
	m.recent[second] = []edgelens.Point{pointAt(second, 3, 3)}
	m.stream <- pointAt(first, 41, 2) // it came between the subscription and the reading of the window
	m.stream <- pointAt(first, 42, 4)
	_, lines := follow(t, s, "?id="+hall+"&id="+attic, "run1.14.2")
	expectLines(t, lines,
		"id: run1.15.2", "event: point", dataOf(first, 2),
		"id: run1.15.3", "event: point", dataOf(second, 3),
		"id: run1.16.3", "event: point", dataOf(first, 4))
	m.mu.Lock()
	m.lost = 5
	m.mu.Unlock()
	m.stream <- pointAt(second, 4, 5)
	expectLines(t, lines, "id: run1.16.4", "event: point", dataOf(second, 5), "event: lost", `data: {"count":5}`)
}

// After a restart of the service, all of its windows has been missed; a new stream begins with what comes.
func TestSensorStreamOfAnotherRun(t *testing.T) {
	s, m := withMeters(t)
	m.recent[hall] = []edgelens.Point{pointAt(hall, 1, 1)}
	_, lines := follow(t, s, "?id="+hall, "run0.zz")
	expectLines(t, lines, "event: gap", "data: {}", "id: run1.1", "event: point", dataOf(hall, 1))

	s, m = withMeters(t)
	m.stream <- pointAt(hall, 2, 2)
	_, lines = follow(t, s, "?id="+hall, "")
	expectLines(t, lines, "id: run1.2", "event: point", dataOf(hall, 2))
}

// A client that was away for longer than the windows reach back is sent what there is, and that there was more.
func TestSensorStreamHasGap(t *testing.T) {
	s, m := withMeters(t)
	m.recent[hall] = []edgelens.Point{pointAt(hall, 9, 1), pointAt(hall, 10, 2)}
	_, lines := follow(t, s, "?id="+hall, "run1.7")
	expectLines(t, lines, "event: gap", "data: {}", "id: run1.9", "event: point", dataOf(hall, 1))
	_, lines = follow(t, s, "?id="+hall, "run1.8")
	expectLines(t, lines, "id: run1.9", "event: point", dataOf(hall, 1))
}

func TestSensorStreamRefuses(t *testing.T) {
	s, _ := withMeters(t)
	many := "?id=" + hall + strings.Repeat("&id="+attic, 64)
	for name, test := range map[string]struct {
		query, last string
		status      int
	}{
		"no series": {"", "", 400}, "an unknown one": {"?id=" + resultID, "", 404}, "too many": {many, "", 400},
		"an id of other series": {"?id=" + hall, "run1.1.2", 400}, "no id": {"?id=" + hall, "17", 400}, "a bad number": {"?id=" + hall, "run1.!", 400},
	} {
		t.Run(name, func(t *testing.T) {
			if status, _ := follow(t, s, test.query, test.last); status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
		})
	}
}

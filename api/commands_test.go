package api_test

import (
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSendCommand(t *testing.T) {
	const body = `{"cmd":"open", "n":1.0, "name":"Łukasz <&>"}`
	most := `{"cmd":"` + strings.Repeat("x", 64<<10-10) + `"}`
	for name, c := range map[string]struct {
		query, contentType, body string
		want                     sent
	}{
		"json":           {"", "application/json", body, sent{body: body}},
		"curl -d":        {"", "application/x-www-form-urlencoded", body, sent{body: body}},
		"no type":        {"", "", body, sent{body: body}},
		"text":           {"", "text/plain; charset=utf-8", body, sent{body: body}},
		"broken type":    {"", "a/b/c;;", body, sent{body: body}},
		"a form's type":  {"", "multipart/form-data", body, sent{body: body}},
		"white space":    {"", "", "\r\n " + body + "\n", sent{body: body}},
		"empty object":   {"", "", "{}", sent{body: "{}"}},
		"64 KiB":         {"", "", most, sent{body: most}},
		"ttl":            {"?ttl=90s", "", body, sent{body: body, ttl: 90 * time.Second}},
		"ttl in seconds": {"?ttl=2.5", "", body, sent{body: body, ttl: 2500 * time.Millisecond}},
		"shortest ttl":   {"?ttl=2", "", body, sent{body: body, ttl: 2 * time.Second}},
		"longest ttl":    {"?ttl=24h", "", body, sent{body: body, ttl: 24 * time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			s, d := newDoors(t, nil)
			w := s.do(request("POST", "/api/devices/"+door+"/commands"+c.query, c.contentType, strings.NewReader(c.body)))
			url := "/api/devices/" + door + "/commands/" + commandID
			if got := decoded(t, w); w.Code != 202 || got["command_id"] != commandID || got["status"] != "queued" || got["status_url"] != url {
				t.Fatalf("got %d %v", w.Code, got)
			}
			if w.Header().Get("Location") != url || w.Header().Get("Retry-After") != "1" {
				t.Errorf("headers %v", w.Header())
			}
			c.want.device = door
			if !reflect.DeepEqual(d.sent, []sent{c.want}) {
				t.Errorf("sent %.200v, want %.200v", d.sent, c.want)
			}

			w = s.do(request("POST", "/"+c.query, c.contentType, strings.NewReader(c.body)))
			if w.Code != 200 || w.Body.String() != "ok" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
				t.Errorf("the default terminal: %d %s %q", w.Code, w.Header().Get("Content-Type"), w.Body)
			}
			c.want.device = ""
			if len(d.sent) != 2 || d.sent[1] != c.want {
				t.Errorf("sent %.200v to the default terminal, want %.200v", d.sent, c.want)
			}
		})
	}
}

func TestGetCommand(t *testing.T) {
	s, _ := newDoors(t, nil)
	w := s.do(request("GET", "/api/devices/"+door+"/commands/"+commandID, "", nil))
	const want = `{"body":{"cmd":"open","num":12345678901234567890},"created_at":"2026-04-10T08:00:00Z","deadline":"2026-04-10T08:01:00Z",` +
		`"detail":"The door is stuck.","device":"24dc:07.A_b-1","finished_at":"2026-04-10T08:00:02Z","id":"` + commandID + `","sent_at":"2026-04-10T08:00:01Z","status":"failed"}`
	if w.Code != 200 || strings.TrimSpace(w.Body.String()) != want {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestListDeviceCommands(t *testing.T) {
	s, _ := newDoors(t, nil)
	for query, want := range map[string]int{"": 3, "?limit=2": 2} {
		var list struct {
			Commands []struct{ ID, Device, Status, Detail string }
		}
		w := s.do(request("GET", "/api/devices/"+door+"/commands"+query, "", nil))
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != 200 || len(list.Commands) != want || list.Commands[0].ID != commandID || list.Commands[0].Detail != "The door is stuck." {
			t.Errorf("%s: %d %s %v", query, w.Code, w.Body, err)
		}
	}
}

func TestBadCommands(t *testing.T) {
	const fine = `{"cmd":"open"}`
	for name, c := range map[string]struct {
		query  string
		body   io.Reader
		status int
		want   string
	}{
		"no body":           {"", nil, 400, `such as {"cmd":"open"}`},
		"empty":             {"", strings.NewReader(""), 400, `such as {"cmd":"open"}`},
		"not JSON":          {"", strings.NewReader("cmd=open"), 400, `such as {"cmd":"open"}`},
		"cut off":           {"", strings.NewReader(`{"cmd":`), 400, `such as {"cmd":"open"}`},
		"two objects":       {"", strings.NewReader(fine + fine), 400, `such as {"cmd":"open"}`},
		"array":             {"", strings.NewReader(`[` + fine + `]`), 400, `such as {"cmd":"open"}`},
		"string":            {"", strings.NewReader(`"open"`), 400, `such as {"cmd":"open"}`},
		"null":              {"", strings.NewReader(`null`), 400, `such as {"cmd":"open"}`},
		"not UTF-8":         {"", strings.NewReader("{\"cmd\":\"\xff\"}"), 400, `such as {"cmd":"open"}`},
		"twice":             {"", strings.NewReader(`{"cmd":"open","cmd":"close"}`), 400, `the member "cmd" twice`},
		"twice within":      {"", strings.NewReader(`{"cmd":"open","list":[1,{"door":1,"x":{},"door":2}]}`), 400, `the member "door" twice`},
		"too deep":          {"", strings.NewReader(`{"a":` + strings.Repeat("[", 60_000)), 400, `such as {"cmd":"open"}`},
		"too large":         {"", strings.NewReader(`{"cmd":"` + strings.Repeat("x", 64<<10) + `"}`), 413, "65536 bytes"},
		"too large chunked": {"", io.MultiReader(strings.NewReader(`{"cmd":"` + strings.Repeat("x", 1<<20) + `"}`)), 413, "65536 bytes"},
		"huge":              {"", strings.NewReader(strings.Repeat(" ", 40<<20)), 413, "65536 bytes"},
		"ttl nonsense":      {"?ttl=soon", strings.NewReader(fine), 400, "ttl must"},
		"ttl zero":          {"?ttl=0", strings.NewReader(fine), 400, "ttl must"},
		"ttl negative":      {"?ttl=-5s", strings.NewReader(fine), 400, "ttl must"},
		"ttl too short":     {"?ttl=999ms", strings.NewReader(fine), 400, "ttl must"},
		"ttl too long":      {"?ttl=24h1s", strings.NewReader(fine), 400, "ttl must"},
		"ttl a huge number": {"?ttl=1e300", strings.NewReader(fine), 400, "ttl must"},
		"ttl infinite":      {"?ttl=Inf", strings.NewReader(fine), 400, "ttl must"},
		"ttl no number":     {"?ttl=NaN", strings.NewReader(fine), 400, "ttl must"},
	} {
		t.Run(name, func(t *testing.T) {
			s, d := newDoors(t, nil)
			body := ""
			if c.body != nil {
				read, err := io.ReadAll(c.body)
				if err != nil {
					t.Fatal(err)
				}
				body = string(read)
			}
			for _, target := range []string{"/api/devices/" + door + "/commands", "/"} {
				r := request("POST", target+c.query, "application/json", strings.NewReader(body))
				if strings.Contains(name, "chunked") {
					r.ContentLength = -1
				}
				w := s.do(r)
				if p := problem(t, w); w.Code != c.status || !strings.Contains(p["detail"].(string), c.want) {
					t.Errorf("%s: got %d %v, want %d with %q", target, w.Code, p["detail"], c.status, c.want)
				}
			}
			if len(d.sent) != 0 {
				t.Errorf("sent all the same: %.200v", d.sent)
			}
		})
	}
}

func TestSameNameInDifferentObjects(t *testing.T) {
	for _, body := range []string{
		`{"cmd":"open","a":{"cmd":1},"b":[{"a":1},{"a":2},"a","a"]}`,
		`{"a":"b","b":"a","c":[["a"],"a",{}],"d":{"e":[],"f":"e"}}`,
	} {
		s, d := newDoors(t, nil)
		if w := s.do(request("POST", "/api/devices/"+door+"/commands", "application/json", strings.NewReader(body))); w.Code != 202 || len(d.sent) != 1 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

func TestOwnPagesMaySendCommands(t *testing.T) {
	s, d := newDoors(t, nil)
	r := from("http://localhost:8080", request("POST", "/", "", strings.NewReader(`{}`)))
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if w := s.do(r); w.Code != 200 || len(d.sent) != 1 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestCommandsAreNotLogged(t *testing.T) {
	const secret = "secret-code-4711"
	for _, body := range []string{`{"pin":"` + secret + `"}`, `{"pin":"` + secret} {
		s, _ := newDoors(t, nil)
		s.do(request("POST", "/", "", strings.NewReader(body)))
		if log := s.log.String(); strings.Contains(log, secret) || strings.Count(log, "\n") != 1 {
			t.Errorf("the log: %s", log)
		}
	}
}

package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

type object = map[string]any

// fake answers as the API that the page uses (api/openapi.yaml), with what a test puts in. It is safe for concurrent use.
type fake struct {
	*httptest.Server
	http.Handler

	mu       sync.Mutex
	session  object
	health   object
	devices  []object
	results  []object // newest first
	sensors  []object
	insights []object
	datasets []object
	states   []object
	// taught are the examples that were given.
	taught []object
	points map[string][]object
	// failing has the status of paths that fail.
	failing map[string]int
	// calls are those that change something.
	calls []string
	// commanded is the body of the last command.
	commanded object
	// resumed are the values of Last-Event-ID.
	resumed []string
	streams map[chan string]string
	seq     int
	// open counts streams, which end with done.
	open map[string]int
	done chan struct{}
}

// newFake serves the page and an empty API.
func newFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{session: object{"scopes": []string{"admin"}, "see_all": true}, health: object{"status": "ok"}, failing: map[string]int{}, points: map[string][]object{}, streams: map[chan string]string{}, open: map[string]int{}, done: make(chan struct{})}
	f.Handler = f.handler(newPage(t))
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() {
		close(f.done)
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

// listDevices answers as the service does, but for cursors, which the page needs none of.
func (f *fake) listDevices(r *http.Request) any {
	query := r.URL.Query()
	counts, found := map[string]int{"all": 0, "online": 0, "offline": 0, "quarantined": 0, "refused": 0}, []object{}
	for _, device := range f.devices {
		if !strings.Contains(strings.ToLower(fmt.Sprint(device["id"], " ", device["display_name"])), strings.ToLower(query.Get("search"))) {
			continue
		}
		counts["all"]++
		switch {
		case device["state"] == "refused":
			counts["refused"]++
		case device["online"] == true:
			counts["online"]++
		default:
			counts["offline"]++
		}
		if device["state"] == "quarantined" {
			counts["quarantined"]++
		}
		if online := query.Get("online"); (online == "" || online == fmt.Sprint(device["online"])) && (query.Get("state") == "" || query.Get("state") == device["state"]) {
			found = append(found, device)
		}
	}
	answer := object{"devices": found, "counts": counts}
	if limit, err := strconv.Atoi(query.Get("limit")); err == nil && limit < len(found) {
		answer["devices"], answer["next"] = found[:limit], "next"
	}
	return answer
}

func (f *fake) edit(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) handler(page http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", page)
	mux.Handle("GET /page/", page)
	get := func(path string, answer func(r *http.Request) any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if status := f.failing[r.URL.Path]; status != 0 {
				problem(w, status)
				return
			}
			if content := answer(r); content != nil {
				writeJSON(w, 200, content)
				return
			}
			problem(w, 404)
		})
	}
	get("/api/session", func(*http.Request) any { return f.session })
	get("/readyz", func(*http.Request) any { return f.health })
	get("/api/activity", func(*http.Request) any { return activity(len(f.results) > 0) })
	get("/api/devices", f.listDevices)
	get("/api/devices/{id}", func(r *http.Request) any { return find(f.devices, "id", r.PathValue("id")) })
	get("/api/devices/{id}/records", func(r *http.Request) any { return f.records(r.PathValue("id")) })
	get("/api/devices/{id}/commands", func(r *http.Request) any {
		return object{"commands": []object{{"id": "c0", "device": r.PathValue("id"), "status": "failed", "detail": "The door is stuck.", "created_at": now(time.Hour), "body": object{"cmd": "open"}, "deadline": now(time.Hour)}}}
	})
	get("/api/not-understood", func(*http.Request) any { return object{"not_understood": []object{}} })
	get("/api/results", f.listResults)
	get("/api/results/{id}", func(r *http.Request) any { return find(f.results, "id", r.PathValue("id")) })
	get("/api/states", func(*http.Request) any { return object{"states": orEmpty(f.states)} })
	get("/api/datasets", func(*http.Request) any { return object{"datasets": orEmpty(f.datasets)} })
	get("/api/datasets/{name}/examples", func(r *http.Request) any {
		return object{"examples": []object{{"id": "e1", "dataset": r.PathValue("name"), "label": "open"}}}
	})
	mux.HandleFunc("GET /api/datasets/{name}/examples/{id}/image", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(scene(r.PathValue("id")))
	})
	mux.HandleFunc("POST /api/datasets/{name}/examples", f.addExample)
	get("/api/models", func(*http.Request) any { return object{"models": models()} })
	get("/api/system", func(*http.Request) any { return system(f.health) })
	get("/api/ledger", func(*http.Request) any { return kept() })
	get("/api/settings", func(*http.Request) any { return object{"settings": settings()} })
	get("/api/sensors", func(*http.Request) any { return object{"sensors": orEmpty(f.sensors), "dropped": 0} })
	get("/api/sensors/{id}/points", func(r *http.Request) any { return object{"points": orEmpty(f.points[r.PathValue("id")])} })
	get("/api/insights", func(*http.Request) any { return object{"insights": orEmpty(f.insights)} })
	mux.HandleFunc("GET /api/results/{id}/image", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(scene(r.PathValue("id")))
	})
	mux.HandleFunc("GET /api/events", f.stream)
	mux.HandleFunc("GET /api/sensors/stream", f.stream)
	mux.HandleFunc("POST /api/recognize", func(w http.ResponseWriter, r *http.Request) {
		file, _, err := r.FormFile("file")
		if err != nil {
			problem(w, 400)
			return
		}
		_ = file.Close()
		w.Header().Set("X-Cache", "MISS")
		writeJSON(w, 200, recognition("Egyptian cat", 0.83))
	})
	mux.HandleFunc("/api/", f.change)
	return mux
}

// addExample takes an example of a result, but those with the label "taken".
func (f *fake) addExample(w http.ResponseWriter, r *http.Request) {
	var body object
	_ = json.NewDecoder(r.Body).Decode(&body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, r.Method+" "+r.URL.Path)
	switch body["label"] {
	case "taken":
		problem(w, 409)
		return
	case "known":
		writeJSON(w, 200, object{"id": "e0", "dataset": r.PathValue("name"), "label": "known"})
		return
	}
	f.taught = append(f.taught, body)
	writeJSON(w, 201, object{"id": "e1", "dataset": r.PathValue("name"), "label": body["label"]})
}

// change notes any other call, and applies changes of devices.
func (f *fake) change(w http.ResponseWriter, r *http.Request) {
	var body object
	_ = json.NewDecoder(r.Body).Decode(&body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, r.Method+" "+r.URL.Path)
	device := find(f.devices, "id", strings.TrimPrefix(r.URL.Path, "/api/devices/"))
	switch {
	case r.Method == http.MethodPatch && device != nil:
		for key, value := range body {
			device.(object)[key] = value
		}
		writeJSON(w, 200, device)
	case r.Method == http.MethodDelete:
		w.WriteHeader(204)
	case strings.HasSuffix(r.URL.Path, "/commands"):
		f.commanded = body
		writeJSON(w, 202, object{"command_id": "c1", "status": "queued", "status_url": r.URL.Path + "/c1"})
	case strings.HasSuffix(r.URL.Path, "/commands/c1"):
		writeJSON(w, 200, object{"id": "c1", "device": "1026700", "status": "acknowledged", "created_at": now(0), "body": f.commanded, "deadline": now(time.Minute)})
	case r.Method == http.MethodPost:
		writeJSON(w, 200, models()[1])
	default:
		problem(w, 404)
	}
}

// listResults filters by label and device and pages by three fourths of the limit, so that tests see pages.
func (f *fake) listResults(r *http.Request) any {
	query := r.URL.Query()
	limit, _ := strconv.Atoi(query.Get("limit"))
	from, _ := strconv.Atoi(query.Get("cursor"))
	var matching []object
	for _, one := range f.results {
		best := ""
		if result, ok := one["result"].(object); ok {
			best = result["predictions"].([]object)[0]["label"].(string)
		}
		if (query.Get("label") == "" || query.Get("label") == best) && (query.Get("device") == "" || query.Get("device") == one["device"]) && (query.Get("outcome") == "" || query.Get("outcome") == one["outcome"]) {
			matching = append(matching, one)
		}
	}
	to := min(len(matching), from+limit)
	page := object{"results": orEmpty(matching[min(from, to):to])}
	if to < len(matching) {
		page["next"] = strconv.Itoa(to)
	}
	return page
}

func (f *fake) records(device string) any {
	if find(f.devices, "id", device) == nil {
		return nil
	}
	records := []object{}
	answer := object{}
	for _, one := range f.results {
		if one["device"] != device || len(records) == 50 {
			continue
		}
		record := object{"result_id": one["id"], "at": one["created_at"], "outcome": one["outcome"]}
		if url, ok := one["image_url"]; ok {
			record["image_url"] = url
			if answer["last_image_url"] == nil {
				answer["last_image_url"] = url
			}
		}
		if result, ok := one["result"].(object); ok {
			record["label"], record["probability"] = result["predictions"].([]object)[0]["label"], result["predictions"].([]object)[0]["probability"]
		}
		records = append(records, record)
	}
	answer["records"] = records
	return answer
}

// stream serves events until the client leaves.
func (f *fake) stream(w http.ResponseWriter, r *http.Request) {
	frames := make(chan string, 10_000)
	f.edit(func() {
		f.streams[frames] = r.URL.Path
		f.open[r.URL.Path]++
		f.resumed = append(f.resumed, r.Header.Get("Last-Event-ID"))
	})
	defer f.edit(func() {
		delete(f.streams, frames)
		f.open[r.URL.Path]--
	})
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, ": hello\n\n")
	control := http.NewResponseController(w)
	_ = control.Flush()
	for {
		select {
		case frame := <-frames:
			if _, err := fmt.Fprint(w, frame); err != nil {
				return
			}
			for len(frames) > 0 {
				fmt.Fprint(w, <-frames)
			}
			_ = control.Flush()
		case <-r.Context().Done():
			return
		case <-f.done:
			return
		}
	}
}

// emit sends an event to all streams of a path; a full one misses it, as the service's slow readers do.
func (f *fake) emit(path, kind string, data any) {
	encoded, _ := json.Marshal(data)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seq++
	frame := fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", f.seq, kind, encoded)
	for frames, of := range f.streams {
		if of == path {
			select {
			case frames <- frame:
			default:
			}
		}
	}
}

func (f *fake) openStreams(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open[path]
}

func writeJSON(w http.ResponseWriter, status int, content any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(content)
}

func problem(w http.ResponseWriter, status int) {
	writeJSON(w, status, object{"status": status, "code": "test", "detail": fmt.Sprintf("A sentence about the error %d.", status), "request_id": "0197a000-0000-7000-8000-000000000001"})
}

func orEmpty(list []object) []object {
	if list == nil {
		return []object{}
	}
	return list
}

func find(list []object, key, value string) any {
	for _, one := range list {
		if one[key] == value {
			return one
		}
	}
	return nil
}

func now(ago time.Duration) string { return time.Now().Add(-ago).UTC().Format(time.RFC3339Nano) }

// scene returns a JPEG that differs by its name.
func scene(name string) []byte {
	shift := float64(len(name))
	for _, r := range name {
		shift += float64(r)
	}
	drawn := image.NewRGBA(image.Rect(0, 0, 320, 200))
	for y := range 200 {
		for x := range 320 {
			wave := 20 * math.Sin(float64(x)/50+shift)
			level := uint8(90 + y/3)
			if float64(y) > 120+wave {
				level = uint8(200 - y/2)
			}
			drawn.Set(x, y, color.RGBA{level / 2, level, uint8(120 + x/4), 255})
		}
	}
	var encoded bytes.Buffer
	_ = jpeg.Encode(&encoded, drawn, nil)
	return encoded.Bytes()
}

package main

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// withoutJSON are the commands that have no --json, with the reason.
var withoutJSON = map[string]string{
	"edgelens serve":                 "runs until it is stopped, and prints nothing but its log, which log_format makes JSON",
	"edgelens worker":                "as serve",
	"edgelens terminal capture":      "prints lines of JSON always",
	"edgelens identity jwks":         "prints a JSON Web Key Set always",
	"edgelens device seal":           "prints the envelope",
	"edgelens device open":           "prints the message in it, as it is",
	"edgelens help":                  "prints help",
	"edgelens completion bash":       "prints a script for a shell",
	"edgelens completion fish":       "as the one for bash",
	"edgelens completion powershell": "as the one for bash",
	"edgelens completion zsh":        "as the one for bash",
}

// resultCommands returns the commands below cmd that do something: not those that only list others, nor hidden ones.
func resultCommands(cmd *cobra.Command) (all []*cobra.Command) {
	for _, sub := range cmd.Commands() {
		if sub.Hidden {
			continue
		}
		if !sub.HasSubCommands() || sub.Name() == "bench" { // which measures itself
			all = append(all, sub)
		}
		all = append(all, resultCommands(sub)...)
	}
	return all
}

// Every command that prints a result prints JSON, too, and its names are documented.
func TestEveryResultIsAvailableAsJSON(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "command-line.md"))
	if err != nil {
		t.Fatal(err)
	}
	root := newRoot(nil)
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	commands := resultCommands(root)
	if len(commands) < 30 {
		t.Fatalf("only %d commands were found", len(commands))
	}
	known := map[string]bool{}
	for _, cmd := range commands {
		path := cmd.CommandPath()
		known[path] = true
		has := cmd.Flags().Lookup("json") != nil
		if reason := withoutJSON[path]; reason != "" {
			if has {
				t.Errorf("%s has --json, and is listed as one that needs none: %s", path, reason)
			}
			continue
		}
		if !has {
			t.Errorf("%s has no --json: add jsonFlag, and its names to docs/command-line.md", path)
		}
		if row := "| `" + strings.TrimPrefix(path, "edgelens ") + "` |"; !strings.Contains(string(text), row) {
			t.Errorf("docs/command-line.md has no row %q", row)
		}
	}
	for path := range withoutJSON {
		if !known[path] {
			t.Errorf("%s is listed as one without --json, and there is no such command", path)
		}
	}
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// checkNames reports the names in a JSON value that are not in snake_case.
func checkNames(t *testing.T, value any) {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			if !snakeCase.MatchString(name) {
				t.Errorf("the name %q is not in snake_case", name)
			}
			checkNames(t, inner)
		}
	case []any:
		for _, inner := range v {
			checkNames(t, inner)
		}
	}
}

// readJSON returns the lines of JSON that a command printed.
func readJSON(t *testing.T, out string) (lines []any) {
	t.Helper()
	for line := range strings.Lines(out) {
		var value any
		if err := json.Unmarshal([]byte(line), &value); err != nil {
			t.Errorf("%v: %q", err, line)
			continue
		}
		checkNames(t, value)
		lines = append(lines, value)
	}
	return lines
}

// names returns the names of an object, or of the first one in an array, in order.
func names(value any) string {
	if list, ok := value.([]any); ok && len(list) > 0 {
		value = list[0]
	}
	object, _ := value.(map[string]any)
	return strings.Join(slices.Sorted(maps.Keys(object)), ",")
}

// apiStandIn answers as a service would.
func apiStandIn(t *testing.T) string {
	t.Helper()
	const job = `{"id":"0196b2c4-0000-7000-8000-000000000001","status":"succeeded","created_at":"2026-05-01T10:00:00Z","attempts":1}`
	const example = `{"id":"0196b2c4-0000-7000-8000-000000000002","dataset":"gate","label":"open","sha256":"00","bytes":3,"extractor":{"name":"x","digest":"y"},"created_at":"2026-05-01T10:00:00Z"}`
	const dataset = `{"name":"gate","extractor":{"name":"x","digest":"y"},"labels":[{"label":"open","count":1}],"examples":1,"image_bytes":3,"created_at":"2026-05-01T10:00:00Z","changed_at":"2026-05-01T10:00:00Z"}`
	answers := map[string]string{
		"POST /api/recognize_async":               `{"task_id":"0196b2c4-0000-7000-8000-000000000001","status":"queued","status_url":"x"}`,
		"GET /api/jobs/{id}":                      job,
		"DELETE /api/jobs/{id}":                   job,
		"GET /api/jobs":                           `{"jobs":[` + job + `]}`,
		"POST /api/restore/release":               `{"released":3}`,
		"GET /api/outbox":                         `{"events":[{"id":17,"event":"e","sink":"webhook","kind":"record","device":"door","reason":"410 Gone","received_at":"2026-04-10T08:00:00Z","set_aside_at":"2026-04-10T08:00:01Z"}]}`,
		"POST /api/outbox/retry":                  `{"retried":2}`,
		"DELETE /api/results":                     `{"dry_run":true,"complete":true,"results":2,"records":1,"jobs":2,"images":1,"image_bytes":15,"undelivered_events":3}`,
		"DELETE /api/sensors":                     `{"dry_run":true,"complete":true,"series":2,"points":9,"minutes":3,"insights":1,"undelivered_events":0}`,
		"GET /api/datasets":                       `{"datasets":[` + dataset + `]}`,
		"GET /api/datasets/gate":                  dataset,
		"POST /api/datasets/gate/embed":           `{"done":1,"left":0}`,
		"GET /api/datasets/gate/examples":         `{"examples":[` + example + `]}`,
		"POST /api/datasets/gate/examples":        example,
		"PATCH /api/datasets/gate/examples/{id}":  example,
		"DELETE /api/datasets/gate/examples/{id}": "",
		"GET /readyz":                             `{"status":"degraded","reasons":[{"name":"delivery","reason":"401 of the webhook","severity":"degraded"}]}`,
	}
	mux := http.NewServeMux()
	for route, answer := range answers {
		mux.HandleFunc(route, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) })
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// What scripts read of commands that call a service: docs/command-line.md has the same names.
func TestJSONOfCommandsThatCallAService(t *testing.T) {
	const job = "attempts,created_at,id,status"
	folder := t.TempDir()
	url, image := apiStandIn(t), filepath.Join(folder, "open", "a.jpg")
	if err := errors.Join(os.Mkdir(filepath.Dir(image), 0o700), os.WriteFile(image, []byte("no matter"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"job submit " + image:                    "file,id",
		"job submit --wait " + image:             job,
		"job status x":                           job,
		"job wait x":                             job,
		"job cancel x":                           job,
		"job list":                               job,
		"job release":                            "released",
		"outbox list":                            "device,event,id,kind,reason,received_at,set_aside_at,sink",
		"outbox retry":                           "retried",
		"results delete --person Alice":          "complete,dry_run,examples,image_bytes,images,jobs,records,results,undelivered_events",
		"dataset list":                           "changed_at,created_at,examples,extractor,image_bytes,labels,name",
		"dataset show gate":                      "changed_at,created_at,examples,extractor,image_bytes,labels,name",
		"dataset examples gate":                  "bytes,created_at,dataset,extractor,id,label,sha256",
		"dataset add gate --label open " + image: "bytes,created_at,dataset,extractor,id,label,sha256",
		"dataset import gate " + folder:          "added,dataset,known,skipped",
		"dataset label gate x closed":            "bytes,created_at,dataset,extractor,id,label,sha256",
		"dataset delete gate x":                  "dataset,examples",
		"dataset embed gate":                     "dataset,embeddings",
		"sensor delete --device hall":            "complete,dry_run,insights,minutes,points,series,undelivered_events",
		"health":                                 "ready,reasons,status,url",
	} {
		t.Run(line, func(t *testing.T) {
			args := append(strings.Fields(line), "--json", "--server", url)
			if args[0] == "health" {
				args[len(args)-2] = "--url"
			}
			status, out, text := runCommand(t, nil, args...)
			lines := readJSON(t, out)
			if status != 0 || len(lines) != 1 || names(lines[0]) != want {
				t.Errorf("status %d %s%s, want the names %s", status, out, text, want)
			}
		})
	}
}

// What cannot be used is JSON, too, with the status of a failure.
func TestJSONOfServiceThatIsNotReady(t *testing.T) {
	status, out, text := runCommand(t, nil, "health", "--json", "--url", answering(t, 503, `{"status":"unavailable","reasons":[{"name":"model","reason":"loading","severity":"unavailable"}]}`))
	lines := readJSON(t, out)
	if status != 1 || len(lines) != 1 || names(lines[0]) != "problem,ready,reasons,status,url" || !strings.Contains(text, "unavailable: model: loading") {
		t.Errorf("status %d %s%s", status, out, text)
	}
	status, out, _ = runCommand(t, nil, "health", "--json", "--url", "http://127.0.0.1:1")
	if status != 1 || !strings.Contains(out, `"status":"unknown"`) || !strings.Contains(out, `"reasons":[]`) {
		t.Errorf("status %d %s", status, out)
	}
}

func TestJSONOfCertificate(t *testing.T) {
	status, out, text := runCommand(t, nil, "tls", "self-signed", "--json", "--host", "edge.example", "--folder", t.TempDir())
	lines := readJSON(t, out)
	if status != 0 || len(lines) != 1 || names(lines[0]) != "certificate,hosts,key,sha256" || !strings.Contains(out, `"edge.example"`) {
		t.Errorf("status %d %s%s", status, out, text)
	}
}

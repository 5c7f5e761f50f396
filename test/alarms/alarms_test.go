//go:build cgo

package alarms

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// service is a service that runs.
type service struct {
	program string
	// address and broker are where it listens, host:port.
	address, broker string
	stop            func()
}

// startService starts the service with a model of colors, which is not the default one: that is missing, and the quality
// model answers in its place.
func startService(t *testing.T) *service {
	t.Helper()
	folder := t.TempDir()
	s, installed := &service{program: filepath.Join(folder, "edgelens"), address: testutil.FreeAddress(t), broker: testutil.FreeAddress(t)}, filepath.Join(folder, "models")
	build := exec.Command("go", "build", "-o", s.program, "./cmd/edgelens")
	build.Dir = "../.."
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build edgelens: %v\n%s", err, output)
	}
	if err := os.Mkdir(installed, 0o700); err != nil {
		t.Fatal(err)
	}
	model := modeltest.Mean(modeltest.Options{Side: 32, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()})
	if err := os.WriteFile(filepath.Join(installed, "colors.tflite"), model, 0o600); err != nil {
		t.Fatal(err)
	}
	log, stop := run(t, exec.Command(s.program, "serve", "--listen", s.address, "--mqtt-listen", s.broker, "--data-dir", testutil.ShortDir(t),
		"--models-dir", installed, "--recognize-allow-stand-in=true"))
	testutil.Eventually(t, "the service is ready", func() bool { return log.Contains("msg=ready") })
	s.stop = stop
	return s
}

// use has some recognitions, jobs, cache hits, errors, and an image of a camera.
func (s *service) use(t *testing.T) {
	t.Helper()
	red := modeltest.Image(modeltest.Red, 64, 48)
	for _, call := range []struct {
		path   string
		body   []byte
		status int
	}{
		{"recognize?model=colors", red, 200}, {"recognize?model=colors", red, 200}, {"recognize", red, 200}, {"recognize?model=colors", []byte("no image"), 415},
		{"recognize_async?model=colors", red, 202},
	} {
		response, err := http.Post("http://"+s.address+"/api/"+call.path, "application/octet-stream", bytes.NewReader(call.body))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != call.status {
			t.Errorf("%s: %s, want %d", call.path, response.Status, call.status)
		}
	}
	camera := exec.Command(s.program, "terminal", "simulate", "--dialect", "camera", "--broker", "mqtt://"+s.broker, "--rate", "0", "--records", "1", "--duration", "10s")
	if output, err := camera.CombinedOutput(); err != nil {
		t.Errorf("simulate a camera: %v\n%s", err, output)
	}
}

// Prometheus reads the service and loads the alarms; one fires for the reason that it is for, another once the service is
// gone. Each query of the dashboard is valid, and has what there is to show.
func TestWithRealPrometheus(t *testing.T) {
	testutil.SkipIfShort(t, "it builds and starts programs")
	if _, err := exec.LookPath("prometheus"); err != nil {
		t.Skip("there is no prometheus on PATH: make alarms-check installs it")
	}
	s := startService(t)
	service := s.address
	p := startPrometheus(t, service)
	s.use(t)
	testutil.Eventually(t, "the target is up", func() bool {
		n, err := p.query(`up{job="edgelens",instance="` + service + `"} == 1`)
		return err == nil && n == 1
	})
	checkRules(t, p)
	p.fires("EdgelensStandInModel", service)
	if page, err := get("http://" + service + "/docs/runbook"); err != nil || !strings.Contains(string(page), `id="stand-in-model"`) {
		t.Errorf("the runbook has no section for it: %v", err)
	}
	checkDashboard(t, p)
	if found, ok := p.alert("EdgelensDown"); ok {
		t.Errorf("it is up: %+v", found)
	}
	s.stop()
	p.fires("EdgelensDown", service)
}

// checkRules checks that every alert is loaded and evaluated without an error.
func checkRules(t *testing.T, p *prometheus) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, "prometheus", "edgelens.rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Count(string(text), "- alert: ")
	type rule struct{ Name, Health, LastError string }
	var data struct{ Groups []struct{ Rules []rule } }
	all := func() (rules []rule) {
		if err := p.ask("/api/v1/rules", &data); err != nil {
			t.Fatal(err)
		}
		for _, group := range data.Groups {
			rules = append(rules, group.Rules...)
		}
		return rules
	}
	testutil.Eventually(t, "the rules are evaluated", func() bool {
		rules := all()
		return len(rules) > 0 && !strings.Contains(rules[len(rules)-1].Health, "unknown")
	})
	rules := all()
	if len(rules) != want || want == 0 {
		t.Errorf("%d rules are loaded, want %d", len(rules), want)
	}
	for _, one := range rules {
		if one.Health != "ok" || one.LastError != "" {
			t.Errorf("%s: %s %s", one.Name, one.Health, one.LastError)
		}
	}
}

// emptyHere are the panels that have nothing to show of this service, with the reason.
var emptyHere = map[string]string{
	"Temperature": "not every machine has a sensor",
}

// checkDashboard evaluates the queries of each panel as Grafana would.
func checkDashboard(t *testing.T, p *prometheus) {
	t.Helper()
	type panel struct {
		Title   string
		Targets []struct{ Expr string }
		Panels  []panel
	}
	var dashboard struct{ Panels []panel }
	text, err := os.ReadFile(filepath.Join(deploy, "grafana", "dashboards", "edgelens.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, "there are rates", func() bool {
		n, err := p.query(`rate(edgelens_requests_total{job="edgelens"}[5m])`)
		return err == nil && n > 0
	})
	asChosen := strings.NewReplacer("$job", "edgelens", "$instance", ".*")
	names, queries := regexp.MustCompile(`(?:edgelens|process)_[a-z0-9_]+|ALERTS`), 0
	for _, row := range dashboard.Panels {
		for _, one := range append(row.Panels, row) {
			for _, target := range one.Targets {
				queries++
				expression := asChosen.Replace(target.Expr)
				if strings.Contains(expression, "$") {
					t.Errorf("%s: a variable is not known here: %s", one.Title, expression)
				}
				reason := emptyHere[one.Title]
				for _, name := range names.FindAllString(expression, -1) {
					if known, err := p.query("count({__name__=\"" + name + "\"})"); err != nil || known == 0 && reason == "" {
						t.Errorf("%s: there is no metric %s (%v)", one.Title, name, err)
					}
				}
				if n, err := p.query(expression); err != nil || n == 0 && reason == "" {
					t.Errorf("%s has %d series, %v: %s", one.Title, n, err, expression)
				}
			}
		}
	}
	if queries < 30 {
		t.Errorf("only %d queries were found", queries)
	}
	if n, err := p.query("edgelens_build_info"); err != nil || n != 1 {
		t.Errorf("the variables of the dashboard have %d values: %v", n, err)
	}
}

//go:build cgo

package alarms

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"edgelens/internal/testutil"
)

// deploy has the files that are tested.
const deploy = "../../deploy"

// prometheus is a Prometheus that evaluates the alarms.
type prometheus struct {
	t   *testing.T
	url string
}

// startPrometheus starts Prometheus with the files of deploy, adapted to the address of a service and to a test's patience:
// it reads and evaluates each second, and alerts fire after two. The times themselves are tested by promtool.
func startPrometheus(t *testing.T, service string) *prometheus {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("there is no prometheus on PATH: make alarms-check installs it")
	}
	folder := t.TempDir()
	for name, changes := range map[string][][2]string{
		"prometheus.yaml":     {{`localhost:8080`, service}, {`_interval: 15s`, `_interval: 1s`}},
		"edgelens.rules.yaml": {{`for: [0-9]+m`, `for: 2s`}},
	} {
		text, err := os.ReadFile(filepath.Join(deploy, "prometheus", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, change := range changes {
			old := regexp.MustCompile(change[0])
			if !old.Match(text) {
				t.Fatalf("%s has no %s", name, change[0])
			}
			text = old.ReplaceAll(text, []byte(change[1]))
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &prometheus{t, "http://" + testutil.FreeAddress(t)}
	run(t, exec.Command(program, "--config.file", filepath.Join(folder, "prometheus.yaml"), "--storage.tsdb.path", filepath.Join(folder, "data"),
		"--web.listen-address", strings.TrimPrefix(p.url, "http://"), "--log.level", "warn"))
	testutil.Eventually(t, "Prometheus is ready", func() bool { _, err := get(p.url + "/-/ready"); return err == nil })
	return p
}

// run runs a command until the test ends, or the returned function ends it.
func run(t *testing.T, command *exec.Cmd) (log *testutil.LogBuffer, stop func()) {
	t.Helper()
	log = &testutil.LogBuffer{}
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait() // it was ended by a signal
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("the output of %s:\n%s", filepath.Base(command.Path), log)
		}
	})
	return log, stop
}

func get(address string) ([]byte, error) {
	response, err := http.Get(address)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", address, response.Status, body)
	}
	return body, err
}

// ask reads the data of a call of Prometheus's API.
func (p *prometheus) ask(path string, data any) error {
	body, err := get(p.url + path)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, &struct{ Data any }{data})
}

// query evaluates an expression, and returns how many series it has now.
func (p *prometheus) query(expression string) (int, error) {
	var data struct{ Result []any }
	err := p.ask("/api/v1/query?query="+url.QueryEscape(expression), &data)
	return len(data.Result), err
}

// alert is one that fires or is about to.
type alert struct {
	State               string
	Labels, Annotations map[string]string
}

func (p *prometheus) alert(name string) (found alert, ok bool) {
	p.t.Helper()
	var data struct{ Alerts []alert }
	if err := p.ask("/api/v1/alerts", &data); err != nil {
		p.t.Fatal(err)
	}
	for _, one := range data.Alerts {
		if one.Labels["alertname"] == name {
			return one, true
		}
	}
	return alert{}, false
}

// fires waits until an alert fires, and checks what it has.
func (p *prometheus) fires(name, service string) {
	p.t.Helper()
	testutil.Eventually(p.t, name+" fires", func() bool { found, ok := p.alert(name); return ok && found.State == "firing" })
	found, _ := p.alert(name)
	if found.Labels["severity"] == "" || found.Labels["instance"] != service || !strings.HasPrefix(found.Annotations["summary"], service+": ") ||
		!strings.HasPrefix(found.Annotations["runbook_url"], "http://"+service+"/docs/runbook#") {
		p.t.Errorf("%s: %+v", name, found)
	}
}

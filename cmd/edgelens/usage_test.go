package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/internal/testutil"
)

// Wrong command lines have a status of their own, and a sentence that helps; unknown commands fail at every level.
func TestExitStatuses(t *testing.T) {
	environ := []string{"EDGELENS_DATA_DIR=" + t.TempDir()}
	for line, test := range map[string]struct {
		status int
		want   string
	}{
		"":                                     {0, ""},
		"--version":                            {0, ""},
		"--help":                               {0, ""},
		"model":                                {0, ""},
		"nonsense":                             {2, "there are: backup, bench"},
		"model lisst":                          {2, "did you mean edgelens model list?"},
		"model nonsense":                       {2, "there are: add, dequantize, inspect, list"},
		"bench nothing":                        {2, "edgelens bench"},
		"key create extra --name a":            {2, "takes no arguments"},
		"recognize":                            {2, "at least 1"},
		"config --nonsense":                    {2, "unknown flag"},
		"config --listen":                      {2, "needs an argument"},
		"config --listen nonsense":             {1, "host:port"},
		"model verify none":                    {1, ""},
		"job list --server http://127.0.0.1:1": {1, "--server"},
		"device revoke -gate":                  {2, "edgelens device revoke -- -gate"},
		"device revoke -- -gate":               {1, ""},
	} {
		t.Run(line, func(t *testing.T) {
			status, _, err := runCommand(t, environ, strings.Fields(line)...)
			if status != test.status || !strings.Contains(err, test.want) {
				t.Errorf("status %d, %q, want %d, %q", status, err, test.status, test.want)
			}
		})
	}
}

// The id of a key is never read as flags, wherever it is; values of flags and what is behind -- stay where they are.
func TestKeyIDsLast(t *testing.T) {
	const one, two = "-m4jkEPoUyHBg5wLFSGbGbNKVCZ6gp1nYsHl6Hrq8jU", "--4jkEPoUyHBg5wLFSGbGbNKVCZ6gp1nYsHl6Hrq8jU"
	for line, want := range map[string]string{
		"device key remove " + one:                          "device key remove -- " + one,
		"device key remove " + two + " --json":              "device key remove --json -- " + two,
		"device key remove --data-dir " + one + " " + two:   "device key remove --data-dir " + one + " -- " + two,
		"identity remove --json " + one:                     "identity remove --json -- " + one,
		"identity remove -- " + one:                         "identity remove -- " + one,
		"identity remove " + one + " -- " + two:             "identity remove -- " + one + " " + two,
		"cluster status -n " + one:                          "cluster status -n " + one,
		"identity remove " + one[:42]:                       "identity remove " + one[:42],
		"identity remove " + one[:42] + "V":                 "identity remove " + one[:42] + "V",
		"identity remove m" + one[1:] + " --json --nothing": "identity remove m" + one[1:] + " --json --nothing",
	} {
		if got := strings.Join(keyIDsLast(newRoot(nil), strings.Fields(line)), " "); got != want {
			t.Errorf("%s\nis %s\nnot %s", line, got, want)
		}
	}
}

func TestVersionFlag(t *testing.T) {
	if status, out, _ := runCommand(t, nil, "--version"); status != 0 || out != "edgelens "+version+"\n" {
		t.Errorf("%d %q", status, out)
	}
}

// The help lists the commands in groups, with examples.
func TestHelpIsGrouped(t *testing.T) {
	_, out, _ := runCommand(t, nil, "--help")
	for _, want := range []string{"Run:\n", "Use:\n", "Operate:\n", "Models and speed:\n", "Devices:\n", "Examples:\n  edgelens serve\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("the help lacks %q:\n%s", want, out)
		}
	}
}

// EDGELENS_SERVER is the server of commands that call one, and no setting; a flag is stronger.
func TestServerVariable(t *testing.T) {
	environ := []string{"EDGELENS_SERVER=http://127.0.0.1:1", "EDGELENS_DATA_DIR=" + t.TempDir()}
	if status, _, err := runCommand(t, environ, "job", "list"); status != 1 || !strings.Contains(err, "127.0.0.1:1") {
		t.Errorf("%d %s", status, err)
	}
	if status, _, err := runCommand(t, environ, "job", "list", "--server", "http://127.0.0.1:2"); status != 1 || !strings.Contains(err, "127.0.0.1:2") {
		t.Errorf("%d %s", status, err)
	}
	if status, _, err := runCommand(t, environ, "config"); status != 0 {
		t.Errorf("%d %s", status, err)
	}
	if status, _, err := runCommand(t, append(environ, "EDGELENS_SERVERS=x"), "config"); status != 1 || !strings.Contains(err, "EDGELENS_SERVERS is not a setting") {
		t.Errorf("%d %s", status, err)
	}
}

// config shows where each value was set, and secrets where that is wanted.
func TestConfigShowsSources(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	environ := []string{"EDGELENS_WEBHOOK_SECRET=" + secret, "EDGELENS_DATA_DIR=" + t.TempDir()}
	for name, test := range map[string]struct {
		args    []string
		secret  bool
		sources bool
	}{
		"as it is": {nil, false, false}, "with secrets": {[]string{"--show-secrets"}, true, false}, "with sources": {[]string{"--sources"}, false, true},
	} {
		_, out, _ := runCommand(t, environ, append([]string{"config", "--log-level", "warn"}, test.args...)...)
		if strings.Contains(out, secret) != test.secret || strings.Contains(out, `log_level: "warn" # flag; `) != test.sources || strings.Contains(out, "# environment; ") != test.sources {
			t.Errorf("%s:\n%s", name, out)
		}
	}
	_, out, _ := runCommand(t, environ, "config", "--json", "--ledger-max-bytes", "3GiB")
	var settings []jsonSetting
	if err := json.Unmarshal([]byte(out), &settings); err != nil || strings.Contains(out, secret) {
		t.Fatalf("%v: %s", err, out)
	}
	byKey := map[string]jsonSetting{}
	for _, s := range settings {
		byKey[s.Key] = s
	}
	if got := byKey["ledger.max_bytes"]; got.Value != "3221225472" || got.Source != "flag" || got.Type != "int" {
		t.Errorf("%+v", got)
	}
	if got := byKey["webhook.secret"]; !got.Masked || got.Source != "environment" {
		t.Errorf("%+v", got)
	}
}

// The shell completes the values of settings, scopes and models.
func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine.tflite"), []byte("no model, but a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"EDGELENS_MODELS_DIR=" + dir, "EDGELENS_DATA_DIR=" + testutil.ShortDir(t)}
	for line, want := range map[string]string{
		"serve --log-level ": "debug\ninfo\nwarn\nerror\n", "key create --scopes ": "recognize\n", "recognize --model ": "mine\n", "bench tune --goal ": "latency\nthroughput\n",
	} {
		_, out, _ := runCommand(t, environ, append([]string{"__complete"}, strings.Split(line, " ")...)...)
		if !strings.Contains(out, want) {
			t.Errorf("%q completes to %q", line, out)
		}
	}
}

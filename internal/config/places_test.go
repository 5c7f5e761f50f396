package config_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"edgelens"
	"edgelens/internal/config"
)

func TestDefaultDataFolder(t *testing.T) {
	for name, test := range map[string]struct {
		user    int
		home    string // by the list of users
		environ []string
		want    string
	}{
		"root":                    {0, "/root", []string{"HOME=/root", "XDG_DATA_HOME=/root/data"}, "/var/lib/edgelens"},
		"a system user":           {999, "/nonexistent", nil, "/var/lib/edgelens"},
		"a user":                  {1000, "/home/ada", []string{"HOME=/home/ada"}, "/home/ada/.local/share/edgelens"},
		"a user with XDG":         {1000, "/home/ada", []string{"HOME=/home/ada", "XDG_DATA_HOME=/data"}, "/data/edgelens"},
		"a relative XDG":          {1000, "/home/ada", []string{"HOME=/home/ada", "XDG_DATA_HOME=data"}, "/home/ada/.local/share/edgelens"},
		"an empty XDG":            {1000, "/home/ada", []string{"HOME=/home/ada", "XDG_DATA_HOME="}, "/home/ada/.local/share/edgelens"},
		"no environment":          {1000, "/home/ada", nil, "/home/ada/.local/share/edgelens"},
		"a relative home":         {1000, "/home/ada", []string{"HOME=."}, "/home/ada/.local/share/edgelens"},
		"no home":                 {1000, "", nil, ""},
		"an engine's random user": {1000670000, "", []string{"HOME=/"}, "/.local/share/edgelens"},
	} {
		got, err := config.DataDirOf(test.user, test.home, test.environ)
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%s: %q, %v; want %q", name, got, err, test.want)
		}
		if err != nil && !strings.Contains(err.Error(), "--data-dir") {
			t.Errorf("%s: %v does not state what to do", name, err)
		}
	}
}

// The default is the user's, wherever the program is started, and is shown as derived.
func TestDataFolderDoesNotDependOnWorkingFolder(t *testing.T) {
	var folders []string
	for range 2 {
		t.Chdir(t.TempDir())
		c, err := source{environ: []string{"HOME=/home/ada"}}.load(t)
		if err != nil {
			t.Fatal(err)
		}
		if s := settingOf(t, c, "data_dir"); s.Source != edgelens.SettingDerived || s.Value != c.DataDir {
			t.Errorf("%+v", s)
		}
		folders = append(folders, c.DataDir)
	}
	if folders[0] != folders[1] || !filepath.IsAbs(folders[0]) {
		t.Errorf("%q", folders)
	}
}

func withLedger(t *testing.T, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, dir, "ledger.db", "rows")
}

// A ledger in ./data is not forgotten, and the command that the error gives moves it.
func TestFormerDataFolder(t *testing.T) {
	for name, test := range map[string]struct {
		former, present, set bool
		folder               bool // the new folder exists, with models
		stops                bool
	}{
		"nothing in ./data":                 {},
		"a ledger there alone":              {former: true, stops: true},
		"a ledger there, models here":       {former: true, folder: true, stops: true},
		"ledgers in both":                   {former: true, present: true},
		"a ledger there, data_dir set to x": {former: true, set: true},
	} {
		t.Run(name, func(t *testing.T) {
			here, now := t.TempDir(), filepath.Join(t.TempDir(), "share", "edge lens")
			t.Chdir(here)
			if test.former {
				withLedger(t, "data")
			}
			if test.folder {
				writeFile(t, mkdir(t, filepath.Join(now, "models")), "a.tflite", "model")
			}
			if test.present {
				withLedger(t, now)
			}
			c, err := source{args: []string{"--data-dir=" + now}}.load(t)
			if err != nil {
				t.Fatal(err)
			}
			if !test.set {
				config.AsDefaultFolder(c)
			}
			err = c.CheckFormerData()
			if !test.stops {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, edgelens.ErrInvalid) {
				t.Fatalf("%v, want a refusal", err)
			}
			command := regexp.MustCompile(`run: (.*); or set data_dir to (.*)$`).FindStringSubmatch(err.Error())
			if command == nil || command[2] != filepath.Join(here, "data") {
				t.Fatalf("no command in %v", err)
			}
			if out, err := exec.Command("sh", "-c", command[1]).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v %s", command[1], err, out)
			}
			if err := c.CheckFormerData(); err != nil {
				t.Errorf("after it was moved: %v", err)
			}
			if _, err := os.Stat(filepath.Join(now, "ledger.db")); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat("data"); !os.IsNotExist(err) {
				t.Errorf("./data is left: %v", err)
			}
			if _, err := os.Stat(filepath.Join(now, "models", "a.tflite")); test.folder && err != nil {
				t.Error(err)
			}
		})
	}
}

func mkdir(t *testing.T, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A user's command is not about an empty folder of the user's where the machine has a service.
func TestOwnDataFolder(t *testing.T) {
	system, none := t.TempDir(), filepath.Join(t.TempDir(), "none")
	for name, test := range map[string]struct {
		user         int
		system       string
		set, present bool
		stops        bool
	}{
		"a user, and a service":             {1000, system, false, false, true},
		"a user with data, and a service":   {1000, system, false, true, false},
		"a user who names the folder":       {1000, system, true, false, false},
		"a user, and no service":            {1000, none, false, false, false},
		"root, and a service without a key": {0, system, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			own := filepath.Join(t.TempDir(), "own")
			if test.present {
				withLedger(t, own)
			}
			c, err := source{args: []string{"--data-dir=" + own}}.load(t)
			if err != nil {
				t.Fatal(err)
			}
			if !test.set {
				config.AsDefaultFolder(c)
			}
			err = config.CheckOwnDataOf(c, test.user, test.system)
			if (err != nil) != test.stops || err != nil && !strings.Contains(err.Error(), "sudo") {
				t.Errorf("%v, want an error: %v", err, test.stops)
			}
		})
	}
}

// The file of the machine's service is for root and system users, and only where there is no other.
func TestSystemFile(t *testing.T) {
	system := writeFile(t, t.TempDir(), "edgelens.yaml", "model: of-the-machine\n")
	own := writeFile(t, t.TempDir(), "own.yaml", "model: named\n")
	for name, test := range map[string]struct {
		user    int
		here    bool
		environ []string
		want    string
	}{
		"root":                    {0, false, nil, system},
		"a system user":           {105, false, nil, system},
		"a user":                  {1000, false, nil, "edgelens.yaml"},
		"root, a file here":       {0, true, nil, "edgelens.yaml"},
		"root, one that is named": {0, false, []string{"EDGELENS_CONFIG=" + own}, own},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if test.here {
				writeFile(t, ".", "edgelens.yaml", "")
			}
			if got := config.FileOf(parse(t, nil), test.environ, test.user, system); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

package config_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"

	"edgelens/internal/certificate"
	"edgelens/internal/config"
)

var update = flag.Bool("update", false, "write the golden files")

// source is the configuration of one run of the program.
type source struct {
	args    []string
	environ []string
	// file is the text of the file that --config names; "" names none.
	file string
}

// load runs config.Load in a folder without an edgelens.yaml.
func (s source) load(t testing.TB) (*config.Config, error) {
	t.Helper()
	args := s.args
	if s.file != "" {
		args = append([]string{"--config=" + writeFile(t, t.TempDir(), "settings.yaml", s.file)}, args...)
	}
	return config.Load(parse(t, args), s.environ)
}

func parse(t testing.TB, args []string) *pflag.FlagSet {
	t.Helper()
	flags := pflag.NewFlagSet("edgelens", pflag.ContinueOnError)
	config.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatalf("parse %q: %v", args, err)
	}
	return flags
}

func writeFile(t testing.TB, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func print(t testing.TB, c *config.Config) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// effective returns every setting by its key in the file, read from what Print
// writes.
func effective(t testing.TB, c *config.Config) map[string]string {
	t.Helper()
	values := effectiveText(t, print(t, c))
	for key, secret := range map[string]string{"webhook.secret": c.Webhook.Secret, "webhook.headers": c.Webhook.Headers, "telemetry.traces.headers": c.Traces.Headers} {
		if shown := values[key]; shown != "" && shown != "***" {
			t.Errorf("%s is shown", key)
		}
		values[key] = secret
	}
	return values
}

var derivedMark = regexp.MustCompile(`(?m)^( *)# `)

// effectiveText is effective of what was printed, with its masks.
func effectiveText(t testing.TB, text string) map[string]string {
	t.Helper()
	var tree map[string]any
	text = derivedMark.ReplaceAllString(text, "$1") // derived settings are printed as comments
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatalf("Print did not write YAML: %v", err)
	}
	values := map[string]string{}
	for key, value := range tree {
		section, nested := value.(map[string]any)
		if !nested {
			values[key] = fmt.Sprint(value)
		}
		for k, v := range section {
			values[key+"."+k] = fmt.Sprint(v)
		}
	}
	return values
}

// flagOf and environOf are the rules by which a setting is named.
func flagOf(key string) string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(key)
}

func environOf(key string) string {
	return "EDGELENS_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// fileOf returns a file that sets one key.
func fileOf(key, value string) string {
	section, rest, nested := strings.Cut(key, ".")
	if nested {
		return fmt.Sprintf("%s:\n  %s: %q\n", section, rest, value)
	}
	return fmt.Sprintf("%s: %q\n", key, value)
}

// writeCertificates writes the files that the values of those settings name into the current folder, all alike.
func writeCertificates(t *testing.T) {
	t.Helper()
	certificate, key, err := certificate.SelfSigned{Hosts: []string{"a.example"}, Days: 90, Now: time.Now()}.Make()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		if err := errors.Join(os.WriteFile(name+".pem", certificate, 0o600), os.WriteFile(name+".key", key, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryFlagHasKey(t *testing.T) {
	var flags, keys []string
	parse(t, nil).VisitAll(func(f *pflag.Flag) {
		if f.Name != "config" && !f.Hidden && !strings.HasPrefix(f.Usage, "file with the value of ") { // retired settings are hidden, and secrets have two flags
			flags = append(flags, f.Name)
		}
		if f.Usage == "" {
			t.Errorf("--%s has no help", f.Name)
		}
	})
	c := config.Default()
	for key := range effective(t, &c) {
		keys = append(keys, flagOf(key))
		if _, ok := valid[key]; !ok {
			t.Errorf("%s is new: give it three values in this test, so that its precedence is tested", key)
		}
	}
	slices.Sort(flags)
	slices.Sort(keys)
	if !slices.Equal(flags, keys) {
		t.Errorf("flags  %v\nprinted %v\nwant the same", flags, keys)
	}
}

func TestPrecedence(t *testing.T) {
	t.Chdir(t.TempDir())
	writeCertificates(t)
	for key, values := range valid {
		t.Run(key, func(t *testing.T) {
			flag := "--" + flagOf(key) + "=" + values[0]
			environ := environOf(key) + "=" + values[1]
			file := fileOf(key, values[2])
			for name, test := range map[string]struct {
				source source
				want   string
			}{
				"flag alone":             {source{args: []string{flag}}, values[0]},
				"environment alone":      {source{environ: []string{environ}}, values[1]},
				"file alone":             {source{file: file}, values[2]},
				"flag over environment":  {source{args: []string{flag}, environ: []string{environ}}, values[0]},
				"flag over file":         {source{args: []string{flag}, file: file}, values[0]},
				"environment over file":  {source{environ: []string{environ}, file: file}, values[1]},
				"flag over all the rest": {source{[]string{flag}, []string{environ}, file}, values[0]},
			} {
				if companion := companions[key]; companion != "" {
					test.source.args = append(test.source.args, companion)
				}
				c, err := test.source.load(t)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if got := effective(t, c)[key]; got != test.want {
					t.Errorf("%s: %q, want %q", name, got, test.want)
				}
			}
		})
	}
}

func TestDefaultsApplyWithoutSources(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, s := range map[string]source{
		"nothing":                    {},
		"other programs' names":      {environ: []string{"HOME=/root", "LISTEN=x", "EDGELENSX=1", "edgelens_listen=x", "", "="}},
		"names of tests":             {environ: []string{"EDGELENS_TEST_SHARED=/somewhere", "EDGELENS_TEST_=x", "EDGELENS_TEST_ANYTHING=x"}},
		"an empty file name":         {environ: []string{"EDGELENS_CONFIG="}},
		"comments alone":             {file: "# listen: 127.0.0.1:1\n"},
		"a line break":               {file: "\n"},
		"a document with nothing":    {file: "---\n"},
		"a document with a null":     {file: "--- null\n"},
		"an empty mapping":           {file: "{}\n"},
		"a section commented out":    {file: "http:\n  # read_timeout: 5s\ncache:\n"},
		"a section with nothing":     {file: "http: {}\n"},
		"a document that ends twice": {file: "---\n...\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := s.load(t)
			if err != nil {
				t.Fatal(err)
			}
			want := config.Default()
			want.DataDir = c.DataDir // the user's
			config.AsDefaultFolder(&want)
			want.Complete()
			if !reflect.DeepEqual(*c, want) {
				t.Errorf("%s\nwant\n%s", print(t, c), print(t, &want))
			}
		})
	}
}

func TestEmptyFile(t *testing.T) {
	path := writeFile(t, t.TempDir(), "settings.yaml", "")
	if _, err := config.Load(parse(t, []string{"--config", path}), nil); err != nil {
		t.Error(err)
	}
}

func TestFilePrecedence(t *testing.T) {
	folder := t.TempDir()
	named := func(name, model string) string { return writeFile(t, folder, name, "model: "+model+"\n") }
	flag, environ := named("flag.yaml", "by-flag"), named("env.yaml", "by-environment")
	tests := map[string]struct {
		source source
		exists bool // whether the current folder has an edgelens.yaml
		want   string
	}{
		"none":                     {source{}, false, ""},
		"the one in this folder":   {source{}, true, "from-here"},
		"the environment's":        {source{environ: []string{"EDGELENS_CONFIG=" + environ}}, true, "by-environment"},
		"the flag's":               {source{args: []string{"--config", flag}}, true, "by-flag"},
		"flag over environment":    {source{args: []string{"--config", flag}, environ: []string{"EDGELENS_CONFIG=" + environ}}, true, "by-flag"},
		"flag over a missing file": {source{args: []string{"--config", flag}, environ: []string{"EDGELENS_CONFIG=/nonesuch"}}, true, "by-flag"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			here := t.TempDir()
			t.Chdir(here)
			if test.exists {
				writeFile(t, here, "edgelens.yaml", "model: from-here\n")
			}
			c, err := test.source.load(t)
			if err != nil {
				t.Fatal(err)
			}
			if c.Model != test.want {
				t.Errorf("model %q, want %q", c.Model, test.want)
			}
		})
	}
}

// Settings derived from others or from the machine are shown as comments.
func TestPrintMarksDerivedSettings(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := source{args: []string{"--data-dir=/first"}}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	text := print(t, c)
	for _, key := range []string{"\n# models_dir: \"/first/models\"", "\n  # concurrency: "} {
		if !strings.Contains("\n"+text, key) {
			t.Errorf("no %q in\n%s", key, text)
		}
	}
	other, err := source{file: strings.Replace(text, "/first", "/second", 1)}.load(t)
	if err != nil || other.ModelsDir != "/second/models" {
		t.Errorf("%v, %v", other, err)
	}
}

func TestPrintLoadsBack(t *testing.T) {
	t.Chdir(t.TempDir())
	writeCertificates(t)
	everything := source{}
	for key, values := range valid {
		if key == "webhook.secret" || key == "webhook.headers" || key == "telemetry.traces.headers" {
			continue // a mask does not load back: TestPrintHidesSecrets
		}
		everything.file += strings.TrimSuffix(fmt.Sprintf("%s: %q", key, values[2]), "\n") + "\n"
	}
	for name, s := range map[string]source{
		"defaults":                       {},
		"every setting":                  everything,
		"text that needs quotes in YAML": {args: []string{"--model=null", "--model-mirror=# no: \"comment\"\\\t\u00e9\u2028\n\x01'", "--data-dir=1e3", "--models-dir=~"}},
		"numbers as names":               {args: []string{"--model=0x10", "--data-dir=yes"}},
		"no cache, long times":           {args: []string{"--cache-max-entries=0", "--cache-ttl=1h0.5s"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := s.load(t)
			if err != nil {
				t.Fatal(err)
			}
			again, err := source{file: print(t, c)}.load(t)
			if err != nil {
				t.Fatalf("%v in\n%s", err, print(t, c))
			}
			config.ForgetSources(again, c)
			if !reflect.DeepEqual(*again, *c) {
				t.Errorf("%s\nloaded back:\n%s", print(t, c), print(t, again))
			}
		})
	}
}

// TestFlagNames freezes the names of all flags.
func TestFlagNames(t *testing.T) {
	var names []string
	parse(t, nil).VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	slices.Sort(names)
	got := strings.Join(names, "\n") + "\n"
	golden := filepath.Join("testdata", "flags.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("flags:\n%s\nwant:\n%s\nUsers rely on these names. For one that was added: go test ./internal/config -update", got, want)
	}
	for _, promised := range []string{"--listen", "--data-dir", "--models-dir", "--model"} {
		if !slices.Contains(names, promised) {
			t.Errorf("%s is documented and missing", promised)
		}
	}
}

func TestFlagsByPrefix(t *testing.T) {
	flags := pflag.NewFlagSet("edgelens", pflag.ContinueOnError)
	config.AddFlags(flags, "cache.", "model")
	var names []string
	flags.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	slices.Sort(names)
	want := []string{"cache-max-entries", "cache-shared", "cache-ttl", "config", "model", "model-mirror", "model-mirror-file", "models-dir"}
	if !slices.Equal(names, want) {
		t.Errorf("flags %v, want %v", names, want)
	}
	t.Chdir(t.TempDir())
	c, err := config.Load(flags, []string{"EDGELENS_LOG_LEVEL=debug"})
	if err != nil || c.Log.LogLevel != "debug" {
		t.Errorf("a setting without a flag: %v, %v", c, err)
	}
}

func TestComplete(t *testing.T) {
	t.Chdir(t.TempDir())
	tests := map[string]struct {
		args []string
		want map[string]string
	}{
		"models folder":                  {[]string{"--data-dir=/d"}, map[string]string{"models_dir": filepath.Join("/d", "models")}},
		"models folder set":              {[]string{"--data-dir=/d", "--models-dir=/m"}, map[string]string{"models_dir": "/m"}},
		"one job more than interpreters": {[]string{"--inference-interpreters=7"}, map[string]string{"jobs.concurrency": "8"}},
		"concurrency of jobs set":        {[]string{"--inference-interpreters=7", "--jobs-concurrency=3"}, map[string]string{"jobs.concurrency": "3"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := source{args: test.args}.load(t)
			if err != nil {
				t.Fatal(err)
			}
			if interpreters := c.Inference.InterpretersOrCores(); c.Recognize.Slots != interpreters+1 {
				t.Errorf("%d slots for %d interpreters, want one more", c.Recognize.Slots, interpreters)
			}
			got := effective(t, c)
			for key, want := range test.want {
				if got[key] != want {
					t.Errorf("%s: %q, want %q", key, got[key], want)
				}
			}
		})
	}
}

// Settings of a former version do not stop the start, wherever they are.
func TestRetiredSettings(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, s := range map[string]source{
		"flags":       {args: []string{"--recognize-workers=5", "--recognize-queue=-1"}},
		"environment": {environ: []string{"EDGELENS_RECOGNIZE_WORKERS=5", "EDGELENS_RECOGNIZE_QUEUE=7"}},
		"file":        {file: "recognize:\n  workers: 5\n  queue: many\n  timeout: 7s\n"},
		"all of them": {args: []string{"--recognize-workers=5"}, environ: []string{"EDGELENS_RECOGNIZE_WORKERS=5"}, file: "recognize: {queue: 3, workers: 2}"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := s.load(t)
			if err != nil {
				t.Fatal(err)
			}
			warnings := c.Retired()
			if len(warnings) != 2 || !strings.Contains(warnings[0], "recognize.workers") || !strings.Contains(warnings[1], "recognize.queue") {
				t.Errorf("warnings %q, want one for each of the two", warnings)
			}
			var logged bytes.Buffer
			c.WarnOfRetired(slog.New(slog.NewTextHandler(&logged, nil)))
			if strings.Count(logged.String(), "event=setting_retired") != 2 {
				t.Errorf("logged %q", logged.String())
			}
			if text := print(t, c); strings.Contains(text, "workers") || strings.Contains(text, "queue:") {
				t.Errorf("Print writes retired settings:\n%s", text)
			}
		})
	}
	if c, err := (source{}).load(t); err != nil || len(c.Retired()) > 0 {
		t.Errorf("without them: %v, %v", c.Retired(), err)
	}
}

// FuzzFile gives Load a file of arbitrary text.
func FuzzFile(f *testing.F) {
	for _, text := range []string{
		"", "# nothing\n", "listen: 127.0.0.1:0\nhttp: {read_timeout: 5s}\n", "http.read_timeout: 5s", "- a\n- b\n",
		"listen: [a]\n", "? [a]\n: b\n", "a: &a [*a]\n", "a: &a {b: *a}\n", "<<: {listen: x}\n", "listen: !!binary aGk=\n",
		"--- a\n--- b\n", "\t", "{", "\xff", "model: null", "cache: {ttl: 1s, ttl: 2s}", "0: 1\n", "! : x", "&a *a : b",
	} {
		f.Add([]byte(text))
	}
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		path := writeFile(t, folder, "settings.yaml", string(text))
		c, err := config.Load(parse(t, []string{"--config", path}), nil)
		if err != nil {
			var errs *config.Errors
			if c != nil || !errors.As(err, &errs) || len(errs.List) == 0 {
				t.Fatalf("configuration %v with error %v, want *Errors alone", c, err)
			}
			return
		}
		again, err := source{file: print(t, c)}.load(t)
		if err != nil && strings.Contains(print(t, c), "***") && strings.Contains(err.Error(), "put the real value there") {
			return // a secret
		}
		if err != nil {
			t.Fatalf("what Print wrote does not load back: %v\n%s", err, print(t, c))
		}
		config.ForgetSources(again, c)
		if !reflect.DeepEqual(*again, *c) {
			t.Fatalf("what Print wrote does not load back: %v\n%s", err, print(t, c))
		}
	})
}

// A setting that is true or false is a switch, and takes no value from the next
// argument.
func TestSwitches(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, c := range map[string]struct {
		args []string
		want bool
		rest []string
	}{
		"alone":                   {[]string{"--ledger-keep-images"}, true, nil},
		"in front of a flag":      {[]string{"--ledger-keep-images", "--model", "m"}, true, nil},
		"in front of an argument": {[]string{"--ledger-keep-images", "false"}, true, []string{"false"}},
		"with a value":            {[]string{"--ledger-keep-images=false"}, false, nil},
		"not at all":              {nil, false, nil},
	} {
		flags := parse(t, c.args)
		got, err := config.Load(flags, nil)
		if err != nil || got.Ledger.KeepImages != c.want || !slices.Equal(flags.Args(), c.rest) && len(c.rest) > 0 {
			t.Errorf("%s: %v, %v, %q", name, got.Ledger.KeepImages, err, flags.Args())
		}
	}
	usage := parse(t, nil).FlagUsages()
	for _, want := range []string{"--ledger-keep-images ", "--cache-ttl duration", "--cache-max-entries int", "--model string"} {
		if !strings.Contains(usage, want) {
			t.Errorf("the help lacks %q", want)
		}
	}
}

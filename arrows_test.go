package edgelens_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// module is the import path of the root package.
const module = "edgelens"

// anything, in arrows, lets a package import every other package.
const anything = "*"

// shared is the row of the small packages that every other may import.
const shared = "internal"

// arrows lists, for each row, which packages of this module its packages may import,
// besides the root package, the shared ones and others of the same row. A row is a folder
// with all below it that has no row of its own.
var arrows = map[string][]string{
	"":                     nil, // the root package: see also outside
	"models":               nil,
	"inference":            {"models"},
	"inference/fake":       {"inference", "models"},
	"inference/litert":     {"inference", "models"},
	"inference/tflite":     {"inference", "models"},
	"inference/runtimes":   {"inference", "inference/litert", "inference/tflite", "models"}, // one Backend of both
	"preprocess":           {"models"},
	"preprocess/sandbox":   {"models", "preprocess"},
	"recognize":            {"models"},
	"worker":               nil,
	"api":                  nil,
	"terminal":             {"internal/notify", "terminal/clock"},
	"terminal/clock":       nil, // the rules for times that devices send
	"sensor":               {"internal/stream", "terminal/clock"},
	"sensor/uplink":        {"terminal"},           // its own connection to the broker
	"sensor/simulator":     {"sensor", "terminal"}, // sends to a broker
	"homeassistant":        nil,
	"homeassistant/link":   {"homeassistant", "terminal"}, // its own connection to the broker
	"identity":             nil,                           // keys, certificates, signatures, sealed messages
	"learn":                nil,                           // datasets, heads, federated rounds, states
	"learn/heads":          {"learn", "internal/datadir"}, // the versions of heads, in the data folder
	"learn/serving":        {"learn", "models"},           // heads as models
	"web":                  nil,                           // the page: a black box to the API
	"benchmarks":           nil,                           // the HTTP load generator is a black box
	"benchmarks/suite":     {anything},                    // it measures the core
	"benchmarks/runner":    {anything},
	"benchmarks/history":   {anything}, // fills a ledger, and starts a service on it
	"cmd/edgelens":         {anything},
	shared:                 nil,
	"internal/access":      nil,        // the keys of clients
	"internal/app":         {anything}, // wiring
	"internal/backup":      nil,        // the form of a backup
	"internal/cache":       nil,
	"internal/client":      {"api", "internal/supervise"}, // the API's types, and a broker's health
	"internal/control":     {"internal/datadir"},
	"internal/datadir":     nil,
	"internal/ledger":      {"internal/datadir"},
	"internal/stream":      nil, // statistics of values that come one by one
	"internal/supervise":   {"internal/datadir"},
	"internal/systemd":     nil, // reports to the service manager
	"internal/tuned":       {"internal/datadir"},
	"internal/notify":      nil, // with the events and the webhook below it
	"internal/telemetry":   nil,
	"internal/cluster":     nil,                                         // deploys to Kubernetes
	"internal/config":      {anything},                                  // the packages whose Config it gathers
	"test":                 nil,                                         // black boxes; their tests use models/modeltest
	"examples":             nil,                                         // what users copy; their tests run the program
	"test/homeassistant":   {"terminal", "learn"},                       // plays a terminal, has a head
	"test/abuse":           {"benchmarks", "terminal"},                  // an attacker: loads, hostile inputs, terminals
	"tools/install-litert": {"inference/litert", "inference/runtimes"},  // LiteRT for tests
	"tools/parameters":     nil,                                         // writes the table of query parameters
	"tools/sbom":           nil,                                         // completes the list of components
	"tools/quality":        {"models", "inference", "inference/tflite"}, // a program that evaluates the built-in model
	"tools/studies":        {anything},                                  // programs that measure the core once
}

// outside lists which rows alone may import a package from elsewhere, or one
// below it.
var outside = map[string][]string{
	"gocv.io/x/gocv":                 {"preprocess"},
	"github.com/mattn/go-tflite":     {"inference/tflite"},
	"github.com/labstack/echo":       {"api"},
	"github.com/hibiken/asynq":       {"worker"},
	"github.com/mattn/go-sqlite3":    {"internal/ledger"},
	"github.com/pressly/goose":       {"internal/ledger"},
	"github.com/eclipse/paho.golang": {"terminal"},
	"github.com/DataDog/sketches-go": {"internal/stream"},
	"github.com/elastic":             {"preprocess/sandbox"},
	"github.com/landlock-lsm":        {"preprocess/sandbox"},
	"github.com/coreos/go-systemd":   {"internal/systemd"},
	"go.opentelemetry.io":            {"internal/telemetry"},
	"k8s.io":                         {"internal/cluster"},
	"sigs.k8s.io":                    {"internal/cluster"},
	"github.com/go-jose/go-jose":     {"identity"},
	"C":                              {"preprocess", "inference/tflite", "inference/litert"},
}

// rowOf returns the longest row of arrows that holds the package in folder.
func rowOf(folder string) (string, bool) {
	for dir := folder; dir != "."; dir = path.Dir(dir) {
		if _, ok := arrows[dir]; ok {
			return dir, true
		}
		if dir == "" {
			break
		}
	}
	return "", false
}

// supportsTests reports whether the package in folder exists only for tests: its
// name ends in "test", like net/http/httptest, or it is testutil.
func supportsTests(folder string) bool {
	return strings.HasSuffix(folder, "test") || folder == "internal/testutil"
}

// violation describes what is wrong with the package in folder ("" is the root)
// importing imported; "" if nothing is.
func violation(folder, imported string) string {
	from, ok := rowOf(folder)
	if !ok {
		return fmt.Sprintf("folder %q has no row in the table of arrows", folder)
	}
	to, ours := strings.CutPrefix(imported, module+"/")
	if imported == module {
		to, ours = "", true
	}
	if !ours {
		return violationOfOutside(folder, from, imported)
	}
	if from == "" {
		return "the root package may import the standard library only"
	}
	if supportsTests(to) && !supportsTests(folder) {
		return imported + " is for tests and may be imported by _test.go files only"
	}
	target, ok := rowOf(to)
	switch {
	case !ok:
		return fmt.Sprintf("folder %q has no row in the table of arrows", to)
	case strings.HasPrefix(target, "cmd/"):
		return "nothing may import a program"
	case target == "", target == from, target == shared:
		return ""
	case slices.Contains(arrows[from], target), slices.Contains(arrows[from], anything):
		return ""
	}
	return fmt.Sprintf("%s may not import %s: no arrow leads from %q to %q", folder, imported, from, target)
}

// violationOfOutside is violation for a package that is not of this module.
func violationOfOutside(folder, from, imported string) string {
	first, _, _ := strings.Cut(imported, "/")
	if from == "" && (strings.Contains(first, ".") || imported == "C") {
		return "the root package may import the standard library only"
	}
	for owned, rows := range outside {
		if imported != owned && !strings.HasPrefix(imported, owned+"/") {
			continue
		}
		if !slices.Contains(rows, from) {
			return fmt.Sprintf("%s may not import %s: only %s may", folder, imported, strings.Join(rows, " and "))
		}
	}
	return ""
}

// importsOf returns the imports of every Go file of this module that is not a
// test, whatever its build tags, by file name relative to the root.
func importsOf(t *testing.T, root string) map[string][]string {
	t.Helper()
	imports := map[string][]string{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if rel != "." && notOurs(name, rel) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		imports[filepath.ToSlash(rel)] = nil
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports[filepath.ToSlash(rel)] = append(imports[filepath.ToSlash(rel)], imported)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("read the imports of %s: %v", root, err)
	}
	return imports
}

// notOurs reports whether a folder holds no packages of this module: what the
// go command leaves out, what git ignores, and other modules.
func notOurs(name, rel string) bool {
	base := filepath.Base(name)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" {
		return true
	}
	if slices.Contains([]string{"bin", "build", "data", "dist"}, rel) {
		return true
	}
	_, err := os.Stat(filepath.Join(name, "go.mod"))
	return err == nil
}

// folderOf returns the folder of a file as violation takes it.
func folderOf(file string) string {
	if dir := path.Dir(file); dir != "." {
		return dir
	}
	return ""
}

func TestImportsFollowArrows(t *testing.T) {
	imports := importsOf(t, ".")
	if _, ok := imports["errors.go"]; !ok {
		t.Fatal("errors.go was not found: this test does not read the module's root")
	}
	files := make([]string, 0, len(imports))
	for file := range imports {
		files = append(files, file)
	}
	sort.Strings(files)
	for _, file := range files {
		if _, ok := rowOf(folderOf(file)); !ok {
			t.Errorf("%s: its folder has no row in the table of arrows; add one, and give the reason in docs/adr if it is a new part", file)
			continue
		}
		for _, imported := range imports[file] {
			if violated := violation(folderOf(file), imported); violated != "" {
				t.Errorf("%s: %s", file, violated)
			}
		}
	}
}

func TestArrowsForbid(t *testing.T) {
	tests := map[string]struct {
		folder, imported string
		forbidden        bool
	}{
		"root, standard library":           {"", "net/http", false},
		"root, other module":               {"", "golang.org/x/sync/errgroup", true},
		"root, own package":                {"", "edgelens/models", true},
		"root, cgo":                        {"", "C", true},
		"any package, root":                {"internal/cache", "edgelens", false},
		"any package, other module":        {"internal/cache", "github.com/maypok86/otter/v2", false},
		"adapter, other adapter":           {"api", "edgelens/worker", true},
		"adapter, package below another":   {"api", "edgelens/terminal/fungxi", true},
		"adapter, core":                    {"worker", "edgelens/recognize", true},
		"adapter, own sub-package":         {"terminal", "edgelens/terminal/fungxi", false},
		"sub-package, its adapter":         {"terminal/fungxi", "edgelens/terminal", false},
		"core, backend":                    {"recognize", "edgelens/inference/tflite", true},
		"core, models":                     {"recognize", "edgelens/models", false},
		"contract, its backend":            {"inference", "edgelens/inference/tflite", true},
		"backend, its contract":            {"inference/tflite", "edgelens/inference", false},
		"backend, other backend":           {"inference/fake", "edgelens/inference/tflite", true},
		"runtime, other runtime":           {"inference/litert", "edgelens/inference/tflite", true},
		"models, inference":                {"models", "edgelens/inference", true},
		"gocv in preprocess":               {"preprocess", "gocv.io/x/gocv", false},
		"gocv elsewhere":                   {"recognize", "gocv.io/x/gocv", true},
		"gocv in the program":              {"cmd/edgelens", "gocv.io/x/gocv", true},
		"below gocv elsewhere":             {"api", "gocv.io/x/gocv/contrib", true},
		"go-tflite in its backend":         {"inference/tflite", "github.com/mattn/go-tflite", false},
		"go-tflite in the contract":        {"inference", "github.com/mattn/go-tflite", true},
		"echo in api":                      {"api", "github.com/labstack/echo/v4", false},
		"traces in telemetry":              {"internal/telemetry", "go.opentelemetry.io/proto/otlp/trace/v1", false},
		"traces elsewhere":                 {"recognize", "go.opentelemetry.io/proto/otlp/trace/v1", true},
		"echo elsewhere":                   {"internal/telemetry", "github.com/labstack/echo/v4", true},
		"cgo in preprocess":                {"preprocess", "C", false},
		"cgo elsewhere":                    {"internal/ledger", "C", true},
		"load generator, core":             {"benchmarks/load", "edgelens/api", true},
		"report, core":                     {"benchmarks/report", "edgelens/inference", true},
		"suite, core":                      {"benchmarks/suite", "edgelens/inference", false},
		"suite, test support":              {"benchmarks/suite", "edgelens/models/modeltest", true},
		"suite, a program":                 {"benchmarks/suite", "edgelens/cmd/edgelens", true},
		"program, everything":              {"cmd/edgelens", "edgelens/inference/tflite", false},
		"any package, a program":           {"internal/config", "edgelens/cmd/edgelens", true},
		"adapter, shared package":          {"api", "edgelens/internal/similar", false},
		"shared package, ledger":           {"internal/similar", "edgelens/internal/ledger", true},
		"adapter, ledger":                  {"api", "edgelens/internal/ledger", true},
		"sensor, times of devices":         {"sensor/payload", "edgelens/terminal/clock", false},
		"sensor, the bridge":               {"sensor", "edgelens/terminal", true},
		"Home Assistant, the bridge":       {"homeassistant", "edgelens/terminal", true},
		"its connection, sessions":         {"homeassistant/link", "edgelens/terminal/session", false},
		"sensor, statistics":               {"sensor", "edgelens/internal/stream", false},
		"adapter, statistics":              {"api", "edgelens/internal/stream", true},
		"terminal, notify":                 {"terminal", "edgelens/internal/notify/event", false},
		"config, an adapter":               {"internal/config", "edgelens/api", false},
		"program, test support":            {"cmd/edgelens", "edgelens/models/modeltest", true},
		"own row, test support":            {"models", "edgelens/models/modeltest", true},
		"shared, test support":             {"worker", "edgelens/internal/testutil", true},
		"the shared row, test support":     {"internal/clip", "edgelens/internal/testutil", true},
		"program, shared test support":     {"cmd/edgelens", "edgelens/internal/testutil", true},
		"test support, shared one":         {"internal/supervise/supervisetest", "edgelens/internal/testutil", false},
		"test support, what it serves":     {"models/modeltest", "edgelens/models", false},
		"test support, beyond its row":     {"models/modeltest", "edgelens/api", true},
		"test support, other test support": {"inference/inferencetest", "edgelens/models/modeltest", false},
		"folder without a row":             {"newroom", "fmt", true},
		"import of a folder without a row": {"cmd/edgelens", "edgelens/newroom", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			violated := violation(test.folder, test.imported)
			if (violated != "") != test.forbidden {
				t.Errorf("package in %q importing %q: %q, want forbidden: %v", test.folder, test.imported, violated, test.forbidden)
			}
		})
	}
}

func TestArrowsReadEveryBuild(t *testing.T) {
	root := t.TempDir()
	files := map[string]string{
		"go.mod":                   "module edgelens\n",
		"api/handlers.go":          "package api\n\nimport _ \"edgelens/worker\"\n",
		"api/handlers_test.go":     "package api\n\nimport _ \"edgelens/ledger\"\n",
		"api/stub_arm.go":          "//go:build never\n\npackage api\n\nimport _ \"gocv.io/x/gocv\"\n",
		"api/testdata/x.go":        "package x\n\nimport _ \"edgelens/web\"\n",
		"build/go/src/fmt/fmt.go":  "package fmt\n\nimport _ \"edgelens/web\"\n",
		"tools/go.mod":             "module edgelens/tools\n",
		"tools/generate/gen.go":    "package generate\n\nimport _ \"edgelens/web\"\n",
		"models/modeltest/file.go": "package modeltest\n",
	}
	for name, text := range files {
		full := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := importsOf(t, root)
	want := map[string][]string{
		"api/handlers.go":          {"edgelens/worker"},
		"api/stub_arm.go":          {"gocv.io/x/gocv"},
		"models/modeltest/file.go": nil,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("imports read: %v, want %v", got, want)
	}
}

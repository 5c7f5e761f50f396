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

// anything, in arrows, lets a room import every other package.
const anything = "*"

// arrows says which packages of this module the packages of a room may
// import, besides the root package and others of the same room. A room is a
// folder with all below it that has no row of its own.
var arrows = map[string][]string{
	"":                 nil, // the root package: see also outside
	"models":           nil,
	"inference":        {"models"},
	"inference/fake":   {"inference", "models"},
	"inference/tflite": {"inference", "models"},
	"preprocess":       {"models"},
	"recognize":        {"models"},
	"cache":            nil,
	"ledger":           nil,
	"supervise":        nil,
	"internal":         nil, // small machinery that several rooms share
	"api":              {"internal"},
	"worker":           nil,
	"event":            nil,
	"deliver":          nil,
	"webhook":          {"deliver", "event"},
	"terminal":         {"deliver", "event", "internal"},
	"telemetry":        nil,
	"web":              nil,
	"benchmarks":       nil,
	"config":           {anything}, // the packages whose Config it gathers
	"cmd/edgelens":     {anything},
	"faulttest":        nil, // black box; its tests borrow models/modeltest
	"arm64test":        nil, // the same

	"models/quality/evaluate": {"models", "inference", "inference/tflite"}, // a program to judge the built-in model with
}

// outside says which rooms alone may import a package from elsewhere, or one
// below it.
var outside = map[string][]string{
	"gocv.io/x/gocv":                 {"preprocess"},
	"github.com/mattn/go-tflite":     {"inference/tflite"},
	"github.com/labstack/echo":       {"api"},
	"github.com/hibiken/asynq":       {"worker"},
	"github.com/mattn/go-sqlite3":    {"ledger"},
	"github.com/pressly/goose":       {"ledger"},
	"github.com/eclipse/paho.golang": {"terminal"},
	"C":                              {"preprocess", "inference/tflite"},
}

// room returns the longest row of arrows that holds the package in folder.
func room(folder string) (string, bool) {
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

// supportsTests reports whether the package in folder is there for tests: its
// name ends in "test", like net/http/httptest.
func supportsTests(folder string) bool { return strings.HasSuffix(folder, "test") }

// faultOf says what is wrong with the package in folder ("" is the root)
// importing imported; "" means nothing.
func faultOf(folder, imported string) string {
	from, ok := room(folder)
	if !ok {
		return fmt.Sprintf("folder %q has no row in the table of arrows", folder)
	}
	to, ours := strings.CutPrefix(imported, module+"/")
	if imported == module {
		to, ours = "", true
	}
	if !ours {
		return faultOfOutside(folder, from, imported)
	}
	if from == "" {
		return "the root package may import the standard library only"
	}
	if supportsTests(to) && !supportsTests(folder) {
		return imported + " is for tests and may be imported by _test.go files only"
	}
	target, ok := room(to)
	switch {
	case !ok:
		return fmt.Sprintf("folder %q has no row in the table of arrows", to)
	case strings.HasPrefix(target, "cmd/"):
		return "nothing may import a program"
	case target == "", target == from:
		return ""
	case slices.Contains(arrows[from], target), slices.Contains(arrows[from], anything):
		return ""
	}
	return fmt.Sprintf("%s may not import %s: no arrow leads from %q to %q", folder, imported, from, target)
}

// faultOfOutside is faultOf for a package that is not of this module.
func faultOfOutside(folder, from, imported string) string {
	first, _, _ := strings.Cut(imported, "/")
	if from == "" && (strings.Contains(first, ".") || imported == "C") {
		return "the root package may import the standard library only"
	}
	for owned, rooms := range outside {
		if imported != owned && !strings.HasPrefix(imported, owned+"/") {
			continue
		}
		if !slices.Contains(rooms, from) {
			return fmt.Sprintf("%s may not import %s: only %s may", folder, imported, strings.Join(rooms, " and "))
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

// folderOf returns the folder of a file as faultOf takes it.
func folderOf(file string) string {
	if dir := path.Dir(file); dir != "." {
		return dir
	}
	return ""
}

func TestImportsFollowTheArrows(t *testing.T) {
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
		if _, ok := room(folderOf(file)); !ok {
			t.Errorf("%s: its folder has no row in the table of arrows; add one, and say why in docs/adr if it is a new room", file)
			continue
		}
		for _, imported := range imports[file] {
			if fault := faultOf(folderOf(file), imported); fault != "" {
				t.Errorf("%s: %s", file, fault)
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
		"everyone, root":                   {"cache", "edgelens", false},
		"everyone, other module":           {"cache", "github.com/maypok86/otter/v2", false},
		"face, other face":                 {"api", "edgelens/worker", true},
		"face, room below other face":      {"api", "edgelens/terminal/fungxi", true},
		"face, core":                       {"worker", "edgelens/recognize", true},
		"face, own sub-package":            {"terminal", "edgelens/terminal/fungxi", false},
		"sub-package, its face":            {"terminal/fungxi", "edgelens/terminal", false},
		"core, backend":                    {"recognize", "edgelens/inference/tflite", true},
		"core, models":                     {"recognize", "edgelens/models", false},
		"contract, its backend":            {"inference", "edgelens/inference/tflite", true},
		"backend, its contract":            {"inference/tflite", "edgelens/inference", false},
		"backend, other backend":           {"inference/fake", "edgelens/inference/tflite", true},
		"models, inference":                {"models", "edgelens/inference", true},
		"gocv in preprocess":               {"preprocess", "gocv.io/x/gocv", false},
		"gocv elsewhere":                   {"recognize", "gocv.io/x/gocv", true},
		"gocv in the program":              {"cmd/edgelens", "gocv.io/x/gocv", true},
		"below gocv elsewhere":             {"api", "gocv.io/x/gocv/contrib", true},
		"go-tflite in its backend":         {"inference/tflite", "github.com/mattn/go-tflite", false},
		"go-tflite in the contract":        {"inference", "github.com/mattn/go-tflite", true},
		"echo in api":                      {"api", "github.com/labstack/echo/v4", false},
		"echo elsewhere":                   {"telemetry", "github.com/labstack/echo/v4", true},
		"cgo in preprocess":                {"preprocess", "C", false},
		"cgo elsewhere":                    {"ledger", "C", true},
		"program, everything":              {"cmd/edgelens", "edgelens/inference/tflite", false},
		"anyone, a program":                {"config", "edgelens/cmd/edgelens", true},
		"config, a face":                   {"config", "edgelens/api", false},
		"program, test support":            {"cmd/edgelens", "edgelens/models/modeltest", true},
		"own room, test support":           {"models", "edgelens/models/modeltest", true},
		"test support, what it serves":     {"models/modeltest", "edgelens/models", false},
		"test support, beyond its room":    {"models/modeltest", "edgelens/api", true},
		"test support, other test support": {"inference/inferencetest", "edgelens/models/modeltest", false},
		"folder without a row":             {"newroom", "fmt", true},
		"import of a folder without a row": {"cmd/edgelens", "edgelens/newroom", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			fault := faultOf(test.folder, test.imported)
			if (fault != "") != test.forbidden {
				t.Errorf("package in %q importing %q: fault %q, want forbidden: %v", test.folder, test.imported, fault, test.forbidden)
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

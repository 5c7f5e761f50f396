//go:build cgo

package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens"
	"edgelens/api"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// labelledFolder has two images of the label red and one of blue, a file that is no image, and the red one as blue, too.
func labelledFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	red := modeltest.Image(modeltest.Red, 20, 20)
	for path, content := range map[string][]byte{
		"red/1.png": red, "red/2.png": modeltest.Image(modeltest.Red, 30, 20), "blue/1.png": modeltest.Image(modeltest.Blue, 20, 20),
		"red/3.png": []byte("no image"), "red/0.png": red,
	} {
		path = filepath.Join(folder, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// featuresEnvironment is colorsEnvironment with an extractor, which has the default name.
func featuresEnvironment(t *testing.T) []string {
	t.Helper()
	environ := colorsEnvironment(t)
	dir, _ := strings.CutPrefix(environ[0], "EDGELENS_DATA_DIR=")
	features := file(t, "features.tflite", modeltest.Mean(modeltest.Options{Side: 32, DType: models.Uint8}))
	if _, err := models.Add(filepath.Join(dir, "models"), models.Addition{File: features, Task: edgelens.TaskEmbedding}); err != nil {
		t.Fatal(err)
	}
	return append(environ, "EDGELENS_RECOGNIZE_EMBEDDING_MODEL=features")
}

// A folder is imported, listed, corrected and removed, with a service and an extractor.
func TestDatasetCommands(t *testing.T) {
	url := serveWith(t, featuresEnvironment(t))
	folder := labelledFolder(t)
	run := func(want int, args ...string) (string, string) {
		t.Helper()
		status, out, text := runCommand(t, nil, append(append([]string{"dataset"}, args...), "--server", url)...)
		if status != want {
			t.Fatalf("%v: %d %s%s", args, status, out, text)
		}
		return out, text
	}
	out, text := run(1, "import", "colors", folder, "--fit", "pad")
	if !strings.Contains(out, "3 added, 1 known, 1 skipped") || !strings.Contains(text, filepath.Join(folder, "red", "3.png")+": skipped") {
		t.Errorf("import: %s%s", out, text)
	}
	if out, _ := run(1, "import", "colors", folder); !strings.Contains(out, "0 added, 4 known, 1 skipped") {
		t.Errorf("import again: %s", out)
	}
	if out, _ := run(0, "show", "colors"); !strings.Contains(out, "pad") || !strings.Contains(out, "blue   1") || !strings.Contains(out, "red    2") {
		t.Errorf("show: %s", out)
	}
	out, _ = run(0, "examples", "colors", "--label", "blue", "--json")
	var examples []api.Example
	if err := json.Unmarshal([]byte(out), &examples); err != nil || len(examples) != 1 || examples[0].Extractor.Name != "features" {
		t.Fatalf("examples: %s, %v", out, err)
	}
	id := examples[0].Id.String()
	if out, _ := run(0, "label", "colors", id, "navy"); !strings.Contains(out, "navy") {
		t.Errorf("label: %s", out)
	}
	if _, text := run(1, "add", "colors", "--label", "blue", filepath.Join(folder, "red", "1.png")); !strings.Contains(text, `"red"`) {
		t.Errorf("the same image with another label: %s", text)
	}
	if _, text := run(1, "add", "colors", "--label", "red", "--fit", "center", filepath.Join(folder, "red", "1.png")); !strings.Contains(text, "fit") {
		t.Errorf("another fit: %s", text)
	}
	if out, _ := run(0, "embed", "colors"); !strings.Contains(out, "0 embeddings made") {
		t.Errorf("embed: %s", out)
	}
	if out, _ := run(0, "delete", "colors", id); !strings.Contains(out, "1 example of colors removed") {
		t.Errorf("delete: %s", out)
	}
	if out, _ := run(0, "list"); !strings.Contains(out, "colors") {
		t.Errorf("list: %s", out)
	}
	run(0, "delete", "colors", "--all")
	if out, _ := run(0, "list"); strings.Contains(out, "colors") {
		t.Errorf("list of none: %s", out)
	}
	for name, args := range map[string][]string{
		"nothing to delete": {"delete", "colors"}, "both": {"delete", "colors", id, "--all"}, "nothing to add": {"add", "colors", "--label", "x"},
		"a result and a file": {"add", "colors", "--label", "x", "--result", id, folder},
	} {
		if status, out, text := runCommand(t, nil, append(append([]string{"dataset"}, args...), "--server", url)...); status != 2 {
			t.Errorf("%s: %d %s%s", name, status, out, text)
		}
	}
}

// An example can be made of a result whose image is kept, and is erased with it.
func TestExampleOfResult(t *testing.T) {
	url := serveWith(t, append(featuresEnvironment(t), "EDGELENS_LEDGER_KEEP_IMAGES=true"))
	blue := file(t, "blue.png", modeltest.Image(modeltest.Blue, 20, 20))
	run := func(args ...string) string {
		t.Helper()
		status, out, text := runCommand(t, nil, append(args, "--server", url)...)
		if status != 0 {
			t.Fatalf("%v: %d %s%s", args, status, out, text)
		}
		return out
	}
	run("job", "submit", "--wait", blue)
	response, err := http.Get(url + "/api/results?limit=1")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var page api.ResultList
	if err := json.NewDecoder(response.Body).Decode(&page); err != nil || len(page.Results) != 1 {
		t.Fatalf("results: %+v, %v", page, err)
	}
	run("dataset", "add", "colors", "--label", "navy", "--result", page.Results[0].Id.String())
	if out := run("dataset", "show", "colors"); !strings.Contains(out, "navy   1") {
		t.Errorf("show: %s", out)
	}
	if out := run("results", "delete", "--since", "2026-01-01", "--yes"); !strings.Contains(out, "1 results, 0 records, 1 jobs, 1 examples, 2 images") {
		t.Errorf("erase: %s", out)
	}
	if out := run("dataset", "list"); strings.Contains(out, "colors") {
		t.Errorf("the example is left: %s", out)
	}
}

package client_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edgelens"
	"edgelens/internal/client"
)

// receiver answers examples by their content: "known", "busy" once, "other" (another label), "broken", "full", or new ones.
type receiver struct {
	got  []string
	busy bool
}

func (s *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	image, _ := io.ReadAll(r.Body)
	s.got = append(s.got, r.Method+" "+r.URL.Path+"?"+r.URL.RawQuery+" "+string(image))
	refuse := func(status int, detail string) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"detail":"`+detail+`"}`)
	}
	switch string(image) {
	case "known":
		_, _ = io.WriteString(w, `{"dataset":"gate"}`)
	case "busy":
		if s.busy = !s.busy; s.busy {
			refuse(503, "busy")
			return
		}
		w.WriteHeader(201)
		_, _ = io.WriteString(w, `{"dataset":"gate"}`)
	case "other":
		refuse(409, "the dataset has this image as closed")
	case "broken":
		refuse(422, "it is truncated")
	case "full":
		refuse(507, "learn.max_examples")
	default:
		w.WriteHeader(201)
		_, _ = io.WriteString(w, `{"dataset":"gate"}`)
	}
}

// folderOf creates files by path and content, and returns their folder.
func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for file, content := range files {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestImportFolder(t *testing.T) {
	service := &receiver{}
	server := httptest.NewServer(service)
	defer server.Close()
	folder := folderOf(t, map[string]string{
		"open/1.jpg": "first", "open/2.png": "known", "open/3.jpg": "busy", "closed/1.jpg": "other", "closed/2.jpg": "broken", "notes.txt": "no image", ".cache/1.jpg": "hidden",
		"open/4.jpg": "", "open/5.jpg/x": "of a folder",
	})
	var progress []int
	outcome, err := client.Client{Server: server.URL}.ImportFolder(t.Context(), "gate", folder, client.ExampleOptions{
		Extractor: "x", View: edgelens.View{Fit: edgelens.FitPad},
	}, func(done, all int) { progress = append(progress, done, all) })
	if err != nil || outcome.Dataset != "gate" || outcome.Added != 2 || outcome.Known != 1 || len(outcome.Skipped) != 4 {
		t.Fatalf("%+v, %v", outcome, err)
	}
	if one := outcome.Skipped[0]; one.File != filepath.Join(folder, "closed", "1.jpg") || !strings.Contains(one.Reason, "as closed") {
		t.Errorf("%+v", one)
	}
	if one := outcome.Skipped[2]; !strings.HasSuffix(one.File, "4.jpg") || !strings.Contains(one.Reason, "empty") {
		t.Errorf("%+v", one)
	}
	if !slices.Equal(progress, []int{0, 7, 1, 7, 2, 7, 3, 7, 4, 7, 5, 7, 6, 7, 7, 7}) {
		t.Errorf("progress %v", progress)
	}
	if want := "POST /api/datasets/gate/examples?extractor=x&fit=pad&label=open first"; !slices.Contains(service.got, want) {
		t.Errorf("requests %q, want %q among them", service.got, want)
	}
}

// What refuses every image ends the import; what was added until then is known to the next one.
func TestImportEnds(t *testing.T) {
	server := httptest.NewServer(&receiver{})
	defer server.Close()
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"full":      {map[string]string{"open/1.jpg": "first", "open/2.jpg": "full", "open/3.jpg": "more"}, "learn.max_examples"},
		"no labels": {map[string]string{"1.jpg": "first"}, "no folder"},
		"no images": {map[string]string{"open/notes.txt": "x"}, "there is no .jpg"},
	} {
		outcome, err := client.Client{Server: server.URL}.ImportFolder(t.Context(), "gate", folderOf(t, test.files), client.ExampleOptions{}, func(int, int) {})
		if err == nil || !strings.Contains(err.Error(), test.want) || (name == "full") != (outcome.Added == 1) {
			t.Errorf("%s: %+v, %v", name, outcome, err)
		}
	}
}

// The calls about datasets have their paths, and escape what is in them.
func TestDatasetCalls(t *testing.T) {
	var got []string
	left := 2
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, strings.TrimSpace(r.Method+" "+r.URL.EscapedPath()+"?"+r.URL.RawQuery+" "+string(body)))
		switch {
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		case strings.HasSuffix(r.URL.Path, "/embed"):
			left--
			_, _ = io.WriteString(w, `{"done":3,"left":`+string(rune('0'+left))+`}`)
		default:
			_, _ = io.WriteString(w, `{}`)
		}
	}))
	defer server.Close()
	c := client.Client{Server: server.URL}
	ctx := t.Context()
	_, err := c.Datasets(ctx)
	noError(t, err)
	_, err = c.Dataset(ctx, "a/b")
	noError(t, err)
	_, err = c.Examples(ctx, "gate", "open", 7)
	noError(t, err)
	_, err = c.LabelExample(ctx, "gate", "id", "closed")
	noError(t, err)
	noError(t, c.RemoveExample(ctx, "gate", "id"))
	noError(t, c.RemoveDataset(ctx, "gate"))
	done, err := c.EmbedDataset(ctx, "gate", "x", func(int, int) {})
	noError(t, err)
	for name, call := range map[string]error{"a dataset": c.RemoveDataset(ctx, ""), "an example": c.RemoveExample(ctx, "gate", ""), "its dataset": c.RemoveExample(ctx, "", "id")} {
		if !errors.Is(call, edgelens.ErrInvalid) {
			t.Errorf("%s without a name: %v", name, call)
		}
	}
	if done != 6 {
		t.Errorf("%d embeddings, want 6", done)
	}
	want := []string{
		"GET /api/datasets?", "GET /api/datasets/a%2Fb?", "GET /api/datasets/gate/examples?label=open&limit=7", `PATCH /api/datasets/gate/examples/id? {"label":"closed"}`,
		"DELETE /api/datasets/gate/examples/id?", "DELETE /api/datasets/gate?", "POST /api/datasets/gate/embed?extractor=x", "POST /api/datasets/gate/embed?extractor=x",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

package models_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/models"
)

func TestPullMirrors(t *testing.T) {
	good := t.TempDir()
	write(t, good, "mean.tflite", content)
	spoiled := t.TempDir()
	write(t, spoiled, "mean.tflite", bytes.ToUpper(content))
	short := t.TempDir()
	write(t, short, "mean.tflite", content[:10])
	web, _ := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		switch r.URL.RequestURI() {
		case "/there/mean.tflite", "/there/mean.tflite?token=hush":
			whole(w, r)
		default:
			http.NotFound(w, r)
		}
	})
	secret := strings.Replace(web, "http://", "http://user:hush@", 1)
	for name, tc := range map[string]struct {
		mirror     string
		fromMirror bool
		want       string // in the error when the source fails too
	}{
		"folder":           {good, true, ""},
		"file URL":         {"file://" + good, true, ""},
		"web":              {web + "/there", true, ""},
		"web with slash":   {web + "/there/?token=hush", true, ""},
		"folder without":   {t.TempDir(), false, "mean.tflite: no such file or directory"},
		"folder spoiled":   {spoiled, false, "mean.tflite: its content is corrupt or differs from the manifest: expected sha256 "},
		"folder truncated": {short, false, "mean.tflite: it has 10 bytes; the manifest has"},
		"web without":      {secret + "/gone?token=hush", false, "/gone/mean.tflite: it responded with 404 Not Found"},
		"other scheme":     {"ftp://user:hush@example.org/x", false, "a mirror is a folder, a file:///folder URL or an http(s) URL"},
		"no URL":           {"http://user:hush@exa mple.org", false, "the mirror: its URL cannot be read"},
		"no server":        {"http://user:hush@127.0.0.1:1/", false, "127.0.0.1:1/mean.tflite: dial tcp"},
	} {
		t.Run(name, func(t *testing.T) {
			source, requests := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { whole(w, r) })
			p := quick()
			p.Mirror = tc.mirror
			mustPull(t, p, modelEntry(source), t.TempDir())
			if got := requests.Load() == 0; got != tc.fromMirror {
				t.Errorf("from the mirror: %v, want %v", got, tc.fromMirror)
			}
			if tc.fromMirror {
				return
			}
			gone, _ := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { w.WriteHeader(http.StatusGone) })
			dir := t.TempDir()
			mustFailPull(t, p, modelEntry(gone), dir, tc.want, gone+": it responded with 410 Gone", "EDGELENS_MODEL_MIRROR")
			if err := p.Pull(t.Context(), modelEntry(gone), dir); strings.Contains(err.Error(), "hush") {
				t.Errorf("a secret shows in %v", err)
			}
		})
	}
}

func TestPullResumesPartOfMirror(t *testing.T) {
	mirror, _ := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n > 1 {
			panic(http.ErrAbortHandler)
		}
		r.Header.Del("Range")
		http.ServeContent(&shortWriter{w, 100_000}, r, "", time.Time{}, bytes.NewReader(bytes.ToUpper(content)))
	})
	source, requests := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { whole(w, r) })
	p := quick()
	p.Mirror = mirror
	mustPull(t, p, modelEntry(source), t.TempDir())
	if requests.Load() != 2 { // the rest, then all of it
		t.Errorf("%d requests to the source", requests.Load())
	}
}

func TestPullWithoutSource(t *testing.T) {
	mustFailPull(t, quick(), modelEntry(""), t.TempDir(), "names no source, and no mirror is set", "EDGELENS_MODEL_MIRROR")
}

func TestPullRefusesPlainRedirect(t *testing.T) {
	plain, requests := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { whole(w, r) })
	tls := httptest.NewTLSServer(http.RedirectHandler(plain, http.StatusFound))
	t.Cleanup(tls.Close)
	p := quick()
	p.Client = tls.Client()
	mustFailPull(t, p, modelEntry(tls.URL), t.TempDir(), "redirects from https to http")
	if requests.Load() != 0 {
		t.Error("the redirect was followed")
	}
}

func TestPullRefusesPaths(t *testing.T) {
	mirror := t.TempDir()
	write(t, mirror, "x.tflite", content)
	for _, name := range []string{"../x.tflite", "/x.tflite", "", ".."} {
		e := models.Entry{Name: "x", File: fileOf(name, content, "")}
		p := quick()
		p.Mirror = mirror
		if err := p.Pull(t.Context(), e, t.TempDir()); !errors.Is(err, edgelens.ErrModel) {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

func TestPullRealModels(t *testing.T) {
	dir := t.TempDir()
	p := &models.Puller{Mirror: filepath.Join(testutil.Shared(t), "models")}
	r := open(t, dir)
	for _, e := range models.Builtin().Models {
		e.File.Source = "" // tests stay off the network
		if e.Labels != nil {
			e.Labels.Source = ""
		}
		if err := p.Pull(t.Context(), e, dir); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Get(e.Name); err != nil {
			t.Error(err)
		}
	}
}

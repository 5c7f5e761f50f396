package web_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"edgelens/web"
)

// maxTransferred is the maximum size of all files of the page as they are sent.
const maxTransferred = 200_000

func newPage(t testing.TB) *web.Page {
	t.Helper()
	page, err := web.New()
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// ask sends a request with headers in pairs.
func ask(page http.Handler, target string, headers ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	page.ServeHTTP(w, r)
	return w.Result()
}

var links = regexp.MustCompile(`(?:href|src)="(/page/[^"]+)"`)

// addresses returns those of all files that the page links.
func addresses(t testing.TB, page http.Handler) []string {
	t.Helper()
	body, err := io.ReadAll(ask(page, "/").Body)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	var all []string
	for _, m := range links.FindAllSubmatch(body, -1) {
		if name := string(m[1]); !found[name] {
			found[name] = true
			all = append(all, name)
		}
	}
	if len(all) < 10 {
		t.Fatalf("the page links only %v", all)
	}
	return all
}

func TestPageIsSmall(t *testing.T) {
	page := newPage(t)
	files := addresses(t, page)
	base := files[0][:strings.LastIndex(files[0], "/")+1]
	total := 0
	for _, target := range append(files, "/", base[:strings.Index(base[len(web.Prefix):], "/")+len(web.Prefix)+1]+"strings.json") {
		response := ask(page, target, "Accept-Encoding", "gzip, br")
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != 200 {
			t.Fatalf("%s: %d, %v", target, response.StatusCode, err)
		}
		total += len(body)
	}
	t.Logf("%d files, %d bytes", len(files)+2, total)
	if total > maxTransferred {
		t.Errorf("the page is %d bytes, want at most %d", total, maxTransferred)
	}
}

// What a browser keeps must have another address in another version, and what keeps its address must be asked for again.
func TestPageHeaders(t *testing.T) {
	page := newPage(t)
	script := ""
	for _, name := range addresses(t, page) {
		if strings.HasSuffix(name, "/js/app.js") {
			script = name
		}
	}
	for target, want := range map[string]struct{ contentType, caching string }{
		"/":                            {"text/html; charset=utf-8", "private, no-cache"},
		"/?view=history&label=%3Cb%3E": {"text/html; charset=utf-8", "private, no-cache"},
		script:                         {"text/javascript; charset=utf-8", "private, max-age=31536000, immutable"},
	} {
		response := ask(page, target, "Accept-Encoding", "gzip")
		h := response.Header
		if response.StatusCode != 200 || h.Get("Content-Type") != want.contentType || h.Get("Cache-Control") != want.caching || h.Get("Content-Encoding") != "gzip" || h.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %d %v", target, response.StatusCode, h)
		}
		if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'self'") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "require-trusted-types-for 'script'") {
			t.Errorf("%s: Content-Security-Policy %q", target, policy)
		}
		unpacked, err := gzip.NewReader(response.Body)
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		compressed, err := io.ReadAll(unpacked)
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		plain := ask(page, target, "Accept-Encoding", "br, gzip;q=0")
		body, _ := io.ReadAll(plain.Body)
		if string(body) != string(compressed) || plain.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: the plain and the compressed file differ", target)
		}
		if plain.Header.Get("ETag") == h.Get("ETag") {
			t.Errorf("%s: two representations have the ETag %s", target, h.Get("ETag"))
		}
		for tag, status := range map[string]int{h.Get("ETag"): 304, "W/" + h.Get("ETag"): 304, `"x", ` + h.Get("ETag"): 304, `"x"`: 200, plain.Header.Get("ETag"): 200} {
			if again := ask(page, target, "Accept-Encoding", "gzip", "If-None-Match", tag); again.StatusCode != status {
				t.Errorf("%s with If-None-Match %s: %d, want %d", target, tag, again.StatusCode, status)
			}
		}
	}
	for _, target := range []string{"/page/", "/page/0123/js/app.js", strings.Replace(script, "app.js", "nope.js", 1), strings.Replace(script, "app.js", "../index.html", 1), "/page"} {
		if response := ask(page, target); response.StatusCode != 404 {
			t.Errorf("%s: %d, want 404", target, response.StatusCode)
		}
	}
}

// The policy forbids inline scripts and styles, so the page must have none: they would be dropped in silence.
func TestPageHasNothingInline(t *testing.T) {
	body, err := os.ReadFile("static/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{`<script>`, `<style`, ` style=`, ` on[a-z]+=`, `javascript:`, `https?://`} {
		if found := regexp.MustCompile(pattern).Find(body); found != nil {
			t.Errorf("index.html has %q", found)
		}
	}
	for name, text := range scripts(t) {
		for _, pattern := range []string{`innerHTML`, `outerHTML`, `insertAdjacentHTML`, `document\.write`, `\beval\(`, `new Function`, `DOMParser`, `setHTML`, `(from|import\(|fetch\(|src[:=]) *['"` + "`" + `]https?:`} {
			if found := regexp.MustCompile(pattern).FindString(text); found != "" {
				t.Errorf("%s has %q", name, found)
			}
		}
	}
}

// scripts returns the text of the page's own modules by name.
func scripts(t testing.TB) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir("static/js", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		found[name] = string(text)
		return err
	})
	if err != nil || len(found) == 0 {
		t.Fatalf("read the scripts: %v", err)
	}
	return found
}

// texts returns the table of strings.
func texts(t testing.TB) map[string]map[string]string {
	t.Helper()
	content, err := os.ReadFile("static/strings.json")
	if err != nil {
		t.Fatal(err)
	}
	var table map[string]map[string]string
	if err := json.Unmarshal(content, &table); err != nil {
		t.Fatal(err)
	}
	return table
}

var (
	placeholder = regexp.MustCompile(`\{(\w+)\}`)
	textUse     = regexp.MustCompile("\\bt\\(\\s*(?:[^'`()]*\\? )?'([^']+)'(?:\\s*:\\s*'([^']+)')?")
	familyUse   = regexp.MustCompile("`([a-z_.]+\\.)\\$\\{[^}]+\\}(\\.[a-z_]+)?`")
	wordUse     = regexp.MustCompile(`\bword\('([a-z_]+)'`)
	quoted      = regexp.MustCompile(`'([a-z_0-9]+(?:\.[a-z_0-9]+)+)'`)
)

// Every text is in both languages, with the same placeholders.
func TestTextsHaveBothLanguages(t *testing.T) {
	for key, languages := range texts(t) {
		if len(languages) != 2 || languages["en"] == "" || languages["zh"] == "" {
			t.Errorf("%s: %v, want en and zh", key, languages)
			continue
		}
		names := func(text string) string {
			found := map[string]bool{}
			for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
				found[m[1]] = true
			}
			encoded, _ := json.Marshal(found)
			return string(encoded)
		}
		if names(languages["en"]) != names(languages["zh"]) {
			t.Errorf("%s has other placeholders in Chinese: %v", key, languages)
		}
	}
}

// Every text that the page uses is in the table, and the table has no text that the page does not use.
func TestTextsAreThoseOfThePage(t *testing.T) {
	table := texts(t)
	has := func(key string) bool { return table[key] != nil || table[key+".other"] != nil }
	used, families := map[string]bool{}, []string{}
	for name, text := range scripts(t) {
		for _, m := range textUse.FindAllStringSubmatch(text, -1) {
			for _, key := range m[1:] {
				if key == "" {
					continue
				}
				used[key] = true
				if !has(key) {
					t.Errorf("%s uses the text %q, which strings.json lacks", name, key)
				}
			}
		}
		for _, m := range quoted.FindAllStringSubmatch(text, -1) {
			used[m[1]] = true
		}
		for _, m := range familyUse.FindAllStringSubmatch(text, -1) {
			families = append(families, m[1])
		}
		for _, m := range wordUse.FindAllStringSubmatch(text, -1) {
			families = append(families, m[1]+".")
		}
	}
	for _, family := range families {
		found := false
		for key := range table {
			found = found || strings.HasPrefix(key, family)
		}
		if !found {
			t.Errorf("the page uses texts %s..., of which strings.json has none", family)
		}
	}
	for key := range table {
		plain := strings.TrimSuffix(strings.TrimSuffix(key, ".one"), ".other")
		ofFamily := false
		for _, family := range families {
			ofFamily = ofFamily || strings.HasPrefix(key, family)
		}
		if !used[plain] && !used[key] && !ofFamily {
			t.Errorf("strings.json has %q, which the page does not use", key)
		}
	}
}

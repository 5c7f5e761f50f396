// Package web is the page for people: HTML, style and scripts that run as they are, without a build step, embedded in
// the program. The page uses the same API as every other client.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Prefix is the path below which the page's files are; the page itself is at "/".
const Prefix = "/page/"

// policy is the Content-Security-Policy (https://www.w3.org/TR/CSP3/) of the page: its own files, images of its own or
// from the user's disk, and requests to this service. Nothing inline runs, and no text can become markup.
const policy = "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

//go:embed static
var embedded embed.FS

// file is one file as it is sent.
type file struct {
	contentType string
	plain       []byte
	// compressed returns the content in gzip, nil where that saves nothing.
	compressed func() []byte
	etag       string
}

// Page serves the page and its files. It is an http.Handler, and safe for concurrent use.
type Page struct {
	// base is the path of the files of this version: another version has others, so browsers keep them.
	base  string
	index *file
	files map[string]*file
}

// New returns the page. It compresses the files, which takes some 20 ms.
func New() (*Page, error) {
	static, err := fs.Sub(embedded, "static")
	if err != nil {
		return nil, err
	}
	contents, err := read(static)
	if err != nil {
		return nil, fmt.Errorf("read the page's files: %w", err)
	}
	p := &Page{base: Prefix + version(contents) + "/", files: map[string]*file{}}
	for name, content := range contents {
		if name == "index.html" {
			content = p.linked(content, contents)
		}
		p.files[name] = newFile(name, content)
	}
	p.index = p.files["index.html"]
	delete(p.files, "index.html")
	return p, nil
}

func read(static fs.FS) (map[string][]byte, error) {
	contents := map[string][]byte{}
	err := fs.WalkDir(static, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		contents[name], err = fs.ReadFile(static, name)
		return err
	})
	return contents, err
}

// version is made of all files.
func version(contents map[string][]byte) string {
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		fmt.Fprintf(hash, "%s %d\n", name, len(contents[name]))
		hash.Write(contents[name])
	}
	return hex.EncodeToString(hash.Sum(nil))[:12]
}

// linked returns index.html with the paths of the files: all styles, and all modules, which a browser would otherwise
// find one after the other.
func (p *Page) linked(index []byte, contents map[string][]byte) []byte {
	var head strings.Builder
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		switch {
		case path.Ext(name) == ".css":
			fmt.Fprintf(&head, "<link rel=\"stylesheet\" href=\"%s%s\">\n", p.base, name)
		case path.Ext(name) == ".js" && path.Dir(name) != ".":
			fmt.Fprintf(&head, "<link rel=\"modulepreload\" href=\"%s%s\">\n", p.base, name)
		}
	}
	return []byte(strings.NewReplacer("{{head}}", head.String(), "{{base}}", p.base).Replace(string(index)))
}

func newFile(name string, content []byte) *file {
	contentType := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) { // what the system's table has may differ
	case ".html":
		contentType = "text/html; charset=utf-8"
	case ".js":
		contentType = "text/javascript; charset=utf-8"
	case ".css":
		contentType = "text/css; charset=utf-8"
	case ".json":
		contentType = "application/json"
	case ".svg":
		contentType = "image/svg+xml"
	case ".txt":
		contentType = "text/plain; charset=utf-8"
	}
	sum := sha256.Sum256(content)
	return &file{
		contentType: contentType, plain: content, etag: base64.RawURLEncoding.EncodeToString(sum[:12]),
		// At the first request: all of them take a twentieth of the start.
		compressed: sync.OnceValue(func() []byte { return compress(content) }),
	}
}

// compress returns the content in gzip, nil where that saves nothing.
func compress(content []byte) []byte {
	var compressed bytes.Buffer
	w, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if err != nil {
		return nil
	}
	_, err = w.Write(content)
	if err = errors.Join(err, w.Close()); err != nil || compressed.Len() >= len(content) {
		return nil
	}
	return compressed.Bytes()
}

// ServeHTTP implements http.Handler for GET.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" {
		// The address of the page stays, so that it must be asked for again; its files have other ones in each version.
		p.index.serve(w, r, "private, no-cache")
		return
	}
	name, found := strings.CutPrefix(r.URL.Path, p.base)
	if f := p.files[name]; found && f != nil {
		f.serve(w, r, "private, max-age=31536000, immutable")
		return
	}
	http.Error(w, "There is no such file of the page: reload it, as the service may have another version now.", http.StatusNotFound)
}

// serve writes a file, compressed where the client accepts it.
func (f *file) serve(w http.ResponseWriter, r *http.Request, caching string) {
	h := w.Header()
	body, etag := f.plain, `"`+f.etag+`"`
	if acceptsGzip(r) {
		if compressed := f.compressed(); compressed != nil {
			body, etag = compressed, `"`+f.etag+`-gzip"`
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", caching)
	h.Set("ETag", etag)
	h.Add("Vary", "Accept-Encoding")
	if matches(r.Header.Get("If-None-Match"), etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client may be gone
}

// acceptsGzip reads Accept-Encoding (RFC 9110 12.5.3). A weight counts only where it is 0.
func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			value, found := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
			q, err := strconv.ParseFloat(value, 64)
			return !found || err == nil && q > 0
		}
	}
	return false
}

// matches reads If-None-Match (RFC 9110 13.1.2).
func matches(header, etag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); strings.TrimPrefix(one, "W/") == etag || one == "*" {
			return true
		}
	}
	return false
}

package models_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestPullResumes(t *testing.T) {
	half := len(content) / 2
	for name, tc := range map[string]struct {
		part    []byte
		handler func(w http.ResponseWriter, r *http.Request)
		want    []string // the Range of each request
	}{
		"206": {content[:half], whole, []string{fmt.Sprintf("bytes=%d-", half)}},
		"200 starts again": {
			bytes.ToUpper(content[:half]), func(w http.ResponseWriter, _ *http.Request) { w.Write(content) },
			[]string{fmt.Sprintf("bytes=%d-", half)},
		},
		"416 starts again": {
			content[:half], func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Range") != "" {
					w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
					return
				}
				whole(w, r)
			},
			[]string{fmt.Sprintf("bytes=%d-", half), ""},
		},
		"206 of another range starts again": {
			content[:half], func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Range") != "" {
					r.Header.Set("Range", "bytes=7-")
				}
				whole(w, r)
			},
			[]string{fmt.Sprintf("bytes=%d-", half), ""},
		},
		"spoiled part starts again": {bytes.ToUpper(content[:half]), whole, []string{fmt.Sprintf("bytes=%d-", half), ""}},
		"complete part":             {content, whole, nil},
		"complete but spoiled":      {bytes.ToUpper(content), whole, []string{""}},
		"part longer than the file": {append(bytes.Clone(content), 'x'), whole, []string{""}},
		"empty part":                {nil, whole, []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			var ranges []string
			url, _ := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
				ranges = append(ranges, r.Header.Get("Range"))
				tc.handler(w, r)
			})
			dir := t.TempDir()
			write(t, dir, "mean.tflite.part", tc.part)
			mustPull(t, quick(), modelEntry(url), dir)
			if fmt.Sprintf("%q", ranges) != fmt.Sprintf("%q", tc.want) {
				t.Errorf("asked for %q, want %q", ranges, tc.want)
			}
		})
	}
}

func TestPullRetries(t *testing.T) {
	for name, handler := range map[string]func(w http.ResponseWriter, r *http.Request, n int){
		"5xx": func(w http.ResponseWriter, r *http.Request, n int) {
			if n < 4 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			whole(w, r)
		},
		"broken connection": func(w http.ResponseWriter, r *http.Request, n int) {
			if n < 4 {
				panic(http.ErrAbortHandler)
			}
			whole(w, r)
		},
		"breaks off every third": func(w http.ResponseWriter, r *http.Request, n int) {
			whole(&shortWriter{w, 100_000}, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := serve(t, handler)
			mustPull(t, quick(), modelEntry(url), t.TempDir())
		})
	}
}

// shortWriter breaks the connection after left bytes.
type shortWriter struct {
	http.ResponseWriter
	left int
}

func (s *shortWriter) Write(p []byte) (int, error) {
	if len(p) > s.left {
		s.ResponseWriter.Write(p[:s.left])
		s.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	s.left -= len(p)
	return s.ResponseWriter.Write(p)
}

func TestPullErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		handler  func(w http.ResponseWriter, r *http.Request, n int)
		want     []string
		requests int32
		part     bool // whether the part is kept, to resume
	}{
		"404": {
			func(w http.ResponseWriter, r *http.Request, _ int) { http.NotFound(w, r) },
			[]string{"404 Not Found"}, 1, false,
		},
		"5xx without end": {
			func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusBadGateway) },
			[]string{"502 Bad Gateway (tried 4 times)"}, 4, false,
		},
		"corrupted": {
			func(w http.ResponseWriter, _ *http.Request, _ int) { w.Write(bytes.ToUpper(content)) },
			[]string{"expected sha256 " + hexSum(content), "got " + hexSum(bytes.ToUpper(content))}, 1, false,
		},
		"a login page": {
			func(w http.ResponseWriter, _ *http.Request, _ int) { io.WriteString(w, "<html>") },
			[]string{fmt.Sprintf("it has 6 bytes; the manifest has %d", len(content))}, 1, false,
		},
		"truncated": {
			func(w http.ResponseWriter, _ *http.Request, _ int) {
				w.(http.Flusher).Flush() // so that there is no Content-Length
				w.Write(content[:1000])
			},
			[]string{fmt.Sprintf("it ended after 1000 of %d bytes (tried 4 times)", len(content))}, 4, true,
		},
		"too long": {
			func(w http.ResponseWriter, _ *http.Request, _ int) {
				w.(http.Flusher).Flush()
				for {
					if _, err := w.Write(content); err != nil {
						return
					}
				}
			},
			[]string{"it has more than the"}, 1, false,
		},
		"continues nothing": {
			func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusPartialContent) },
			[]string{"206 Partial Content"}, 1, false,
		},
		"redirects in circles": {
			func(w http.ResponseWriter, r *http.Request, _ int) { http.Redirect(w, r, "/", http.StatusFound) },
			[]string{"redirects more than 10 times"}, 10, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			url, requests := serve(t, tc.handler)
			dir := t.TempDir()
			mustFailPull(t, quick(), modelEntry(url), dir, append(tc.want,
				url, "set EDGELENS_MODEL_MIRROR=<folder or URL>", "put the file at "+filepath.Join(dir, "mean.tflite")+" by hand")...)
			if requests.Load() != tc.requests {
				t.Errorf("%d requests, want %d", requests.Load(), tc.requests)
			}
			info, err := os.Stat(filepath.Join(dir, "mean.tflite.part"))
			if kept := err == nil && info.Size() > 0; kept != tc.part {
				t.Errorf("the part is kept: %v, want %v", kept, tc.part)
			}
		})
	}
}

func TestPullTimeouts(t *testing.T) {
	for name, tc := range map[string]struct {
		before int // bytes sent before the silence
		want   string
	}{
		"no answer": {0, "it did not respond within 50ms"},
		"a stall":   {1000, "it sent nothing for 50ms"},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
				if tc.before > 0 {
					w.Write(content[:tc.before])
					w.(http.Flusher).Flush()
				}
				<-r.Context().Done()
			})
			p := quick()
			p.AnswerTimeout, p.StallTimeout = 50*time.Millisecond, 50*time.Millisecond
			if tc.before > 0 {
				p.AnswerTimeout = time.Minute
			}
			mustFailPull(t, p, modelEntry(url), t.TempDir(), tc.want, "tried 4 times")
		})
	}
}

func TestPullAcceptsSlowTransfer(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for part := range bytesInParts(content, 30) {
			<-tick.C
			w.Write(part)
			w.(http.Flusher).Flush()
		}
	})
	p := quick()
	p.StallTimeout = 400 * time.Millisecond // less than the 600 ms in all
	mustPull(t, p, modelEntry(url), t.TempDir())
}

func bytesInParts(b []byte, n int) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for size := (len(b) + n - 1) / n; len(b) > 0; b = b[min(size, len(b)):] {
			if !yield(b[:min(size, len(b))]) {
				return
			}
		}
	}
}

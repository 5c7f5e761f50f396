package api_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"edgelens/api"
)

// Whatever part of a body is huge, its processing takes about the memory that reading as many bytes of an image takes: Go's functions for text
// replace each invalid byte by three, and some keep a rune of four bytes for it.
func TestHugeBodiesTakeLittleMemory(t *testing.T) {
	const size = 4 << 20
	junk := strings.Repeat("\xff", size)
	letters := strings.Repeat("A", size)
	took := func(t *testing.T, contentType, body string) (w *httptest.ResponseRecorder, bytes float64) {
		s := newServer(t, nil)
		r := request("POST", "/api/recognize", contentType, strings.NewReader(body))
		r.ContentLength = int64(len(body))
		w = httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s.ServeHTTP(w, r)
		runtime.ReadMemStats(&after)
		return w, float64(after.TotalAlloc - before.TotalAlloc)
	}
	w, usual := took(t, "image/jpeg", "\xff\xd8\xff"+letters[:size-3])
	if w.Code != http.StatusOK {
		t.Fatalf("an image: %d %s", w.Code, w.Body)
	}
	for name, test := range map[string]struct{ contentType, body string }{
		"JSON, the image":             {"application/json", `{"image":"` + junk + `"}`},
		"JSON, another member":        {"application/json", `{"other":"` + junk + `","image":"/9j/"}`},
		"JSON, a name":                {"application/json", `{"` + junk + `":1,"image":"/9j/"}`},
		"JSON, a name further in":     {"application/json", `{"a":{"` + junk + `":1},"image":"/9j/"}`},
		"JSON, an option":             {"application/json", `{"top_k":"` + junk + `","image":"/9j/"}`},
		"JSON, a region":              {"application/json", `{"region":{"x":` + strings.Repeat("1", size) + `},"image":"/9j/"}`},
		"JSON, a number":              {"application/json", `{"other":` + strings.Repeat("1", size) + `,"image":"/9j/"}`},
		"JSON, white space":           {"application/json", strings.Repeat(" ", size) + `{"image":"/9j/"}`},
		"urlencoded, a name":          {"application/x-www-form-urlencoded", junk + "=1&image=/9j/"},
		"urlencoded, an option":       {"application/x-www-form-urlencoded", "top_k=" + junk + "&image=/9j/"},
		"urlencoded, the image":       {"application/x-www-form-urlencoded", "image=" + junk},
		"a form, a field":             {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n" + junk + "\r\n--b--\r\n"},
		"a form, a name":              {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"" + junk[:size-1000] + "\"\r\n\r\nx\r\n--b--\r\n"},
		"a form, another header":      {"multipart/form-data; boundary=b", "--b\r\nX-Y: " + letters[:size-1000] + "\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nx\r\n--b--\r\n"},
		"a form, base64 in the image": {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n/9j/" + letters[:size-4] + "\r\n--b--\r\n"},
		"base64":                      {"text/plain", "/9j/" + letters[:size-4]},
		"base64 with a wrong end":     {"text/plain", "/9j/" + letters[:size-4] + "\xff"},
		"text":                        {"text/plain", junk},
	} {
		t.Run(name, func(t *testing.T) {
			w, bytes := took(t, test.contentType, test.body)
			if ratio := bytes / usual; ratio > 1.6 {
				t.Errorf("%d: it took %.1f times the memory of an image", w.Code, ratio)
			}
			if w.Code >= 500 || w.Body.Len() > 2000 {
				t.Errorf("%d, with %d bytes: %.300s", w.Code, w.Body.Len(), w.Body)
			}
		})
	}
}

// A body of unknown length does not reserve more than it needs for long.
func TestChunkedBodyTakesLittleMemory(t *testing.T) {
	image := append([]byte("\xff\xd8\xff"), bytes.Repeat([]byte{0}, int(api.DefaultConfig().MaxImageBytes)-3)...)
	s := newServer(t, nil)
	r := request("POST", "/api/recognize", "image/jpeg", struct{ *bytes.Reader }{bytes.NewReader(image)})
	r.ContentLength = -1
	if w := s.do(r); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if kept := cap(s.recognizer.last.Image); kept > 2*len(image) {
		t.Errorf("%d bytes are kept for an image of %d", kept, len(image))
	}
}

// largeJSON is a JSON text with an image of that many bytes in base64, made while it is read. It counts how much memory is used meanwhile.
type largeJSON struct {
	begin, end string
	letters    int
	// next is when the memory is looked at again.
	next        int
	first, most uint64
}

func (l *largeJSON) Read(p []byte) (int, error) {
	if l.letters <= l.next {
		l.next -= 1 << 20
		var stats runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first has finalized
		runtime.ReadMemStats(&stats)
		if l.first == 0 {
			l.first = stats.HeapAlloc
		}
		l.most = max(l.most, stats.HeapAlloc)
	}
	switch {
	case l.begin != "":
		n := copy(p, l.begin)
		l.begin = l.begin[n:]
		return n, nil
	case l.letters > 0:
		n := min(len(p), l.letters)
		for i := range p[:n] {
			p[i] = 'A'
		}
		l.letters -= n
		return n, nil
	case l.end != "":
		n := copy(p, l.end)
		l.end = l.end[n:]
		return n, nil
	}
	return 0, io.EOF
}

// An image in JSON takes the memory of the image, and not that of its text; and so much is reserved for it.
func TestJSONTakesTheMemoryOfItsImage(t *testing.T) {
	const size, spare = 18 << 20, 1 << 20
	for name, chunked := range map[string]bool{"with its length": false, "chunked": true} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			body := &largeJSON{begin: `{"image":"/9j/`, letters: size/3*4 - 4, end: `"}`}
			r := request("POST", "/api/recognize", "application/json", body)
			if r.ContentLength = -1; !chunked {
				r.ContentLength = int64(len(body.begin) + body.letters + len(body.end))
			}
			body.next = body.letters
			reserved := 0.0
			s.recognizer.seen = func() { reserved = s.uploading() }
			if w := s.do(r); w.Code != http.StatusOK || len(s.recognizer.last.Image) != size {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			limit := 1.0
			if chunked { // the buffer doubles up to the limit of an image
				limit = float64(api.DefaultConfig().MaxImageBytes) / size
			}
			if took := float64(body.most - body.first); took > limit*size+spare {
				t.Errorf("it took %.1f MB for an image of %d", took/(1<<20), size>>20)
			}
			if reserved < size || reserved > limit*size+spare {
				t.Errorf("%.1f MB are reserved for an image of %d", reserved/(1<<20), size>>20)
			}
		})
	}
}

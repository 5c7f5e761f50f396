package api_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"edgelens/api"
)

// Whatever part of a body is huge, its processing takes about the memory of the body itself: Go's functions for text
// replace each invalid byte by three, and some keep a rune of four bytes for it.
func TestHugeBodiesTakeLittleMemory(t *testing.T) {
	const size = 26 << 20
	junk := strings.Repeat("\xff", size)
	letters := strings.Repeat("A", size)
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
		"a form, a name":              {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"" + junk[:9<<20] + "\"\r\n\r\nx\r\n--b--\r\n"},
		"a form, another header":      {"multipart/form-data; boundary=b", "--b\r\nX-Y: " + letters[:9<<20] + "\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nx\r\n--b--\r\n"},
		"a form, base64 in the image": {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n/9j/" + letters[:size-4] + "\r\n--b--\r\n"},
		"base64":                      {"text/plain", "/9j/" + letters[:size-4]},
		"base64 with a wrong end":     {"text/plain", "/9j/" + letters[:size-4] + "\xff"},
		"text":                        {"text/plain", junk},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			r := request("POST", "/api/recognize", test.contentType, strings.NewReader(test.body))
			r.ContentLength = int64(len(test.body))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			runtime.ReadMemStats(&after)
			if took := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(test.body)); took > 3 { // of a buffer that grows as the body arrives, and what it was before
				t.Errorf("%d: it took %.1f times the body's memory", w.Code, took)
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

package api_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strings"
	"testing"

	"edgelens/api"
)

func zipped(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.Bytes()
}

func encoded(method, target, contentType, encoding string, body []byte) *http.Request {
	r := request(method, target, contentType, bytes.NewReader(body))
	r.Header["Content-Encoding"] = []string{encoding}
	return r
}

// Compressed bodies are read on every route, with the limit on the decompressed size.
func TestContentEncoding(t *testing.T) {
	const limit = 4 << 10
	contentType, form := form("file", []byte(anImage))
	deflated := func(text string) []byte {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		_, _ = w.Write([]byte(text))
		_ = w.Close()
		return b.Bytes()
	}
	bomb := zipped(strings.Repeat("\x00", 2<<20))
	image := zipped(anImage)
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		want    string
	}{
		"an image":                {encoded("POST", "/api/recognize", "image/jpeg", "gzip", image), 200, ""},
		"x-gzip in capitals":      {encoded("POST", "/api/recognize", "image/jpeg", "X-GZIP", image), 200, ""},
		"identity":                {encoded("POST", "/api/recognize", "image/jpeg", "identity", []byte(anImage)), 200, ""},
		"gzip, identity":          {encoded("POST", "/api/recognize", "image/jpeg", "gzip, identity", image), 200, ""},
		"two members":             {encoded("POST", "/api/recognize", "image/jpeg", "gzip", append(zipped(anImage[:9]), zipped(anImage[9:])...)), 200, ""},
		"JSON":                    {encoded("POST", "/api/recognize", "application/json", "gzip", zipped(`{"image":"`+image64+`"}`)), 200, ""},
		"a form":                  {encoded("POST", "/api/recognize", contentType, "gzip", zipped(form.String())), 200, ""},
		"a job":                   {encoded("POST", "/api/recognize_async", "image/jpeg", "gzip", image), 202, ""},
		"a command":               {encoded("POST", "/api/devices/"+door+"/commands", "", "gzip", zipped(`{"cmd":"open"}`)), 202, ""},
		"a change":                {encoded("PATCH", "/api/devices/"+door, "", "gzip", zipped(`{"state":"refused"}`)), 200, ""},
		"POST /":                  {encoded("POST", "/", "", "gzip", zipped(`{"cmd":"open"}`)), 200, ""},
		"no body":                 {encoded("GET", "/api/devices", "", "br", nil), 200, ""},
		"a bomb":                  {encoded("POST", "/api/recognize", "image/jpeg", "gzip", bomb), 413, "4096 bytes"},
		"a bomb as JSON":          {encoded("POST", "/api/recognize", "application/json", "gzip", bomb), 413, "4096 bytes"},
		"a bomb as a form":        {encoded("POST", "/api/recognize", contentType, "gzip", zipped(form.String()[:200]+strings.Repeat("x", 2<<20))), 413, "4096 bytes"},
		"a bomb as a job":         {encoded("POST", "/api/recognize_async", "image/jpeg", "gzip", bomb), 413, "4096 bytes"},
		"a bomb as a command":     {encoded("POST", "/", "", "gzip", bomb), 413, "65536 bytes"},
		"an image too large":      {encoded("POST", "/api/recognize", "image/jpeg", "gzip", zipped(strings.Repeat("x", limit+1))), 413, "4096 bytes"},
		"zip of a zip":            {encoded("POST", "/api/recognize", "image/jpeg", "gzip, gzip", zipped(string(image))), 415, "compressed once"},
		"brotli":                  {encoded("POST", "/api/recognize", "image/jpeg", "br", []byte("x")), 415, "gzip"},
		"zstd, command":           {encoded("POST", "/api/devices/"+door+"/commands", "", "zstd", []byte("x")), 415, "gzip"},
		"deflate, POST /":         {encoded("POST", "/", "", "deflate", deflated(`{"cmd":"open"}`)), 415, "gzip"},
		"deflate, change":         {encoded("PATCH", "/api/devices/"+door, "", "deflate", deflated(`{"state":"refused"}`)), 415, "gzip"},
		"unknown, job":            {encoded("POST", "/api/recognize_async", "image/jpeg", "rot13", []byte("x")), 415, "gzip"},
		"gzip, br":                {encoded("POST", "/api/recognize", "image/jpeg", "gzip, br", image), 415, "gzip"},
		"not compressed":          {encoded("POST", "/api/recognize", "image/jpeg", "gzip", []byte(anImage)), 400, "not complete gzip data"},
		"not compressed, command": {encoded("POST", "/", "", "gzip", []byte(`{"cmd":"open"}`)), 400, "not complete gzip data"},
		"nothing":                 {encoded("POST", "/api/recognize", "image/jpeg", "gzip", []byte{}), 400, ""},
		"cut off":                 {encoded("POST", "/api/recognize", "image/jpeg", "gzip", image[:len(image)-9]), 400, "not complete gzip data"},
		"cut off form":            {encoded("POST", "/api/recognize", contentType, "gzip", zipped(form.String())[:150]), 400, "not complete gzip data"},
		"a wrong checksum":        {encoded("POST", "/api/recognize", "image/jpeg", "gzip", append(image[:len(image)-5:len(image)-5], 1, 2, 3, 4, 5)), 400, "not complete gzip data"},
		"rubbish behind":          {encoded("POST", "/api/recognize", "image/jpeg", "gzip", append(image[:len(image):len(image)], "rubbish"...)), 400, "not complete gzip data"},
	} {
		t.Run(name, func(t *testing.T) {
			j, d := &jobs{}, &devices{}
			s := newServer(t, func(c *api.Config, p *api.Parts) { c.MaxImageBytes, p.Queue, p.Jobs, p.Devices = limit, j, j, d })
			w := s.do(c.request)
			if w.Code != c.status {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			if last := s.recognizer.last; c.status == 200 && last != nil && string(last.Image) != anImage {
				t.Errorf("the image is %q", last.Image)
			}
			if c.status >= 400 {
				if p := problem(t, w); !strings.Contains(p["detail"].(string), c.want) || len(d.sent) > 0 || d.state != "" {
					t.Errorf("got %v, and %v was sent", p, d.sent)
				}
			}
			if got := w.Header().Get("Accept-Encoding"); (got == "gzip") != (c.status == 415) {
				t.Errorf("Accept-Encoding is %q", got)
			}
		})
	}
}

// A compressed body reserves memory for what it becomes.
func TestCompressedUploadBudget(t *testing.T) {
	s := newServer(t, func(c *api.Config, _ *api.Parts) { c.MaxImageBytes, c.MaxUploadBytes = 4<<10, 100<<10 })
	body, feed := io.Pipe()
	first := request("POST", "/api/recognize", "image/jpeg", body)
	first.Header.Set("Content-Encoding", "gzip")
	first.ContentLength = 30
	done := make(chan int)
	go func() {
		w := s.do(first)
		done <- w.Code
	}()
	image := zipped(anImage)
	if _, err := feed.Write(image[:5]); err != nil {
		t.Fatal(err)
	}
	if w := s.do(encoded("POST", "/api/recognize", "image/jpeg", "gzip", image)); w.Code != 503 {
		t.Errorf("a second one: got %d", w.Code)
	}
	if _, err := feed.Write(image[5:]); err != nil {
		t.Fatal(err)
	}
	if err := feed.Close(); err != nil {
		t.Fatal(err)
	}
	if code := <-done; code != 200 {
		t.Errorf("the first: got %d", code)
	}
}

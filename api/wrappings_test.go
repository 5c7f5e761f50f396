package api_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"edgelens/api"
)

// part makes a form of one part, byte by byte.
func part(boundary, headers, body, end string) io.Reader {
	return strings.NewReader("--" + boundary + "\r\n" + headers + "\r\n\r\n" + body + "\r\n--" + boundary + end)
}

const (
	fileDisposition = `Content-Disposition: form-data; name="file"; filename="c.jpg"`
	formX           = "multipart/form-data; boundary=x"
)

// libraryWords are those of the standard library and other libraries, which must
// not be in responses.
var libraryWords = []string{
	"unmarshal", "offset=", "illegal base64", "invalid character", "unexpected EOF", "string literal", "boundary param", "isn't multipart",
	"strconv", "json:", "http:", "multipart:", "mime:", "NextPart", "got=", "expected=", "parsing", "syntax", "EOF", "gzip:", "url.",
}

// lines breaks a text as MIME does.
func lines(text, end string) string {
	var b strings.Builder
	for i := 0; i < len(text); i += 76 {
		b.WriteString(text[i:min(i+76, len(text))] + end)
	}
	return b.String()
}

// A valid image is found in every encoding that is unambiguous.
func TestUploadEncodings(t *testing.T) {
	image := anImage + strings.Repeat("0123456789+/\xff\xfe\xfd", 200)
	text := base64.StdEncoding.EncodeToString([]byte(image))
	object := func(value string) io.Reader {
		b, _ := json.Marshal(map[string]string{"image": value})
		return bytes.NewReader(b)
	}
	for name, c := range map[string]struct {
		contentType string
		body        io.Reader
	}{
		"no Content-Type":                       {"", strings.NewReader(image)},
		"as urlencoded, curl's default":         {"application/x-www-form-urlencoded", strings.NewReader(image)},
		"as application/jpg":                    {"application/jpg", strings.NewReader(image)},
		"as text":                               {"text/plain", strings.NewReader(image)},
		"as JSON":                               {"application/json", strings.NewReader(image)},
		"as a form":                             {"image/jpeg; boundary=x", strings.NewReader(image)},
		"a broken Content-Type":                 {"image/jpeg;;=", strings.NewReader(image)},
		"base64 as the body":                    {"image/jpeg", strings.NewReader(text)},
		"base64 in lines, as text":              {"text/plain", strings.NewReader(lines(text, "\n"))},
		"a data URI as the body":                {"text/plain;charset=UTF-8", strings.NewReader("data:image/png;base64," + text)},
		"JSON, base64 in lines":                 {"application/json", object(lines(text, "\r\n"))},
		"JSON, blanks in the base64":            {"application/json", object(lines(text, " "))},
		"JSON, real line breaks in the base64":  {"application/json", strings.NewReader(`{"image":"` + lines(text, "\n") + `"}`)},
		"JSON, a data URI in capitals":          {"application/json", object("DATA:image/jpeg;BASE64," + text)},
		"JSON, a data URI with parameters":      {"application/json", object("data:image/jpeg;name=a.jpg;base64," + text)},
		"JSON, URL alphabet":                    {"application/json", object(base64.RawURLEncoding.EncodeToString([]byte(image)))},
		"JSON, escaped slashes of PHP":          {"application/json", strings.NewReader(`{"image":"` + strings.ReplaceAll(text, "/", `\/`) + `"}`)},
		"JSON, escaped plus of .NET":            {"application/json", strings.NewReader(`{"image":"` + strings.NewReplacer("+", `\u002B`, "=", `\u003d`).Replace(text) + `"}`)},
		"JSON, percent escapes":                 {"application/json", object(url.QueryEscape(text))},
		"JSON, byte order mark":                 {"application/json", strings.NewReader("\xef\xbb\xbf\r\n{\"image\":\"" + text + `"}` + "\r\n")},
		"JSON, Image":                           {"application/json", strings.NewReader(`{"Image":"` + text + `"}`)},
		"JSON, name escaped":                    {"application/json", strings.NewReader(`{"\u0069mage":"` + text + `"}`)},
		"JSON among other members":              {"application/json", strings.NewReader(`{"a":[{"b":"}\""},1.5e3,null,true,{}],"image" : "` + text + `" , "z":{"image":1}}`)},
		"JSON as text/json":                     {"text/json", object(text)},
		"JSON as a suffix":                      {"application/vnd.camera+json", object(text)},
		"JSON as urlencoded, curl's default":    {"application/x-www-form-urlencoded", object(text)},
		"JSON as text":                          {"text/plain", object(text)},
		"JSON without Content-Type":             {"", object(text)},
		"JSON as an image":                      {"image/jpeg", object(text)},
		"urlencoded":                            {"application/x-www-form-urlencoded", strings.NewReader("image=" + url.QueryEscape(text))},
		"urlencoded, plus not escaped":          {"application/x-www-form-urlencoded", strings.NewReader("id=3&image=" + text + "&name=x+y")},
		"urlencoded, a data URI as photo":       {"application/x-www-form-urlencoded", strings.NewReader("photo=" + url.QueryEscape("data:image/jpeg;base64,"+text))},
		"form":                                  {formX, part("x", fileDisposition, image, "--\r\n")},
		"form without a boundary in the header": {"multipart/form-data", part("x", fileDisposition, image, "--\r\n")},
		"form, boundary not quoted":             {"multipart/form-data; boundary=a=b:c", part("a=b:c", fileDisposition, image, "--")},
		"form, another boundary in the header":  {"multipart/form-data; boundary=y", part("x", fileDisposition, image, "--\r\n")},
		"form without Content-Type":             {"", part("----WebKitFormBoundaryA", fileDisposition, image, "--\r\n")},
		"form as JSON":                          {"application/json", part("----WebKitFormBoundaryA", fileDisposition, image, "--\r\n")},
		"form, related":                         {"multipart/related; boundary=x", part("x", "Content-Type: image/jpeg", image, "--")},
		"form, Multipart/Form-Data":             {"Multipart/Form-Data; Boundary=x", part("x", fileDisposition, image, "--")},
		"form with a preamble":                  {formX, io.MultiReader(strings.NewReader("preamble\r\n"), part("x", fileDisposition, image, "--"))},
		"form, name without quotes":             {formX, part("x", "content-disposition: form-data; name=file; filename=c.jpg", image, "--")},
		"form, file name with a blank":          {formX, part("x", `Content-Disposition: form-data; name="file"; filename=my cat.jpg`, image, "--")},
		"form, file name of Windows":            {formX, part("x", `Content-Disposition: form-data; name="file"; filename="C:\cat.jpg"`, image, "--")},
		"form, file name with quotes":           {formX, part("x", `Content-Disposition: form-data; name="file"; filename="my "best" cat.jpg"`, image, "--")},
		"form, file name in UTF-8":              {formX, part("x", `Content-Disposition: form-data; name="file"; filename*=UTF-8''k%C3%A4tzchen.jpg`, image, "--")},
		"form, raw bytes in the file name":      {formX, part("x", "Content-Disposition: form-data; name=\"file\"; filename=\"\xe7\x8c\xab.jpg\"", image, "--")},
		"form, no file name":                    {formX, part("x", `Content-Disposition: form-data; name="file"`, image, "--")},
		"form, only a type":                     {formX, part("x", "Content-Disposition: form-data; name=\"pic\"\r\nContent-Type: image/jpeg", image, "--")},
		"form, no disposition":                  {formX, part("x", "Content-Type: image/jpeg", image, "--")},
		"form, base64":                          {formX, part("x", fileDisposition+"\r\nContent-Transfer-Encoding: base64", lines(text, "\r\n"), "--")},
		"form, Base64 in capitals":              {formX, part("x", fileDisposition+"\r\ncontent-transfer-encoding:  BASE64 ", text, "--")},
		"form, binary":                          {formX, part("x", fileDisposition+"\r\nContent-Transfer-Encoding: binary", image, "--")},
		"form, base64 in a text field":          {formX, part("x", `Content-Disposition: form-data; name="image"`, text, "--")},
		"form, a data URI in a text field":      {formX, part("x", `Content-Disposition: form-data; name="photo"`, "data:image/jpeg;base64,"+text, "--")},
		"form, base64 in a file":                {formX, part("x", fileDisposition, text, "--")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			w := s.do(request("POST", "/api/recognize", c.contentType, c.body))
			if w.Code != 200 || string(s.recognizer.last.Image) != image {
				t.Errorf("got %d %.300s", w.Code, w.Body)
			}
		})
	}
}

func TestFileFieldNames(t *testing.T) {
	file := func(name string) field { return field{name, anImage, "cat.jpg"} }
	for name, c := range map[string]struct {
		parts []field
		want  string // "" where the image is found
	}{
		"image":                    {[]field{file("image")}, ""},
		"file[]":                   {[]field{file("file[]")}, ""},
		"no name":                  {[]field{file("")}, ""},
		"a text of that name":      {[]field{{"file", "hello", ""}, file("file")}, ""},
		"a text behind":            {[]field{file("upload"), {"file", "hello", ""}}, ""},
		"an option as a file name": {[]field{file("model")}, ""},
		"two of one name":          {[]field{file("file"), file("file")}, `more than one file, in the fields "file", "file"`},
		"two names":                {[]field{file("left"), {"x", "y", ""}, file("right")}, `"left", "right"`},
		"three":                    {[]field{file("a"), file("b"), file("c")}, `"a", "b", "c"`},
		"a file and base64":        {[]field{file("file"), {"image", image64, ""}}, `"file", "image"`},
		"a file and its thumbnail": {[]field{file("file"), {"thumbnail", image64, ""}}, ""},
		"no file":                  {[]field{{"note", "hello", ""}, {"zone", "3", ""}}, `no file, but has "note", "zone"`},
		"an empty file":            {[]field{{"cat", "", "cat.jpg"}}, `the file in the field "cat" is empty`},
		"nothing":                  {nil, "the form"},
		"a long option":            {[]field{{"model", strings.Repeat("m", 600), ""}, file("file")}, "model is too long"},
		"options not filled in":    {[]field{{"model", "", ""}, {"top_k", " \r\n", ""}, {"fit", " ", ""}, {"region", "\t", ""}, file("file")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			contentType, body := fields(c.parts...)
			w := s.do(request("POST", "/api/recognize", contentType, body))
			if c.want == "" {
				if w.Code != 200 || string(s.recognizer.last.Image) != anImage {
					t.Errorf("got %d %s", w.Code, w.Body)
				}
			} else if p := problem(t, w); w.Code != 400 || !strings.Contains(p["detail"].(string), c.want) {
				t.Errorf("got %d %v", w.Code, p["detail"])
			}
		})
	}
	// An empty file input, as browsers send it.
	s := newServer(t, nil)
	empty := "--x\r\nContent-Disposition: form-data; name=\"second\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n"
	if w := s.do(request("POST", "/api/recognize", formX, io.MultiReader(strings.NewReader(empty), part("x", fileDisposition, anImage, "--")))); w.Code != 200 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	var many []field
	for i := range 200 {
		many = append(many, field{fmt.Sprint("x", i), "", ""})
	}
	contentType, body := fields(many...)
	if w := s.do(request("POST", "/api/recognize", contentType, body)); w.Code != 400 || !strings.Contains(w.Body.String(), "100 parts") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// An image that was cut out of a camera's stream with its part headers in front has no
// closing boundary: it is passed on as it is, and the decoder skips the headers.
func TestStreamPartIsNotForm(t *testing.T) {
	body := "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 3\r\n\r\n" + anImage
	s := newServer(t, nil)
	if w := s.do(request("POST", "/api/recognize", "image/jpeg", strings.NewReader(body))); w.Code != 200 {
		t.Fatal(w.Body)
	}
	if got := string(s.recognizer.last.Image); got != body {
		t.Errorf("the recognizer got %q", got)
	}
}

func TestRejectedUploadEncodings(t *testing.T) {
	noise := []byte(anImage)
	for state := uint32(1); len(noise) < 6000; state = state*1664525 + 1013904223 {
		noise = append(noise, byte(state>>24))
	}
	long := base64.StdEncoding.EncodeToString(noise)
	text := func(s string) io.Reader { return strings.NewReader(s) }
	for name, c := range map[string]struct {
		contentType string
		body        io.Reader
		want        string
	}{
		"JSON: a Buffer of Node":       {"application/json", text(`{"image":{"type":"Buffer","data":[255,216,255]}}`), `"image" must be a string`},
		"JSON: bytes":                  {"application/json", text(`{"image":[255,216,255]}`), `"image" must be a string`},
		"JSON: a number":               {"application/json", text(`{"image":7}`), `"image" must be a string`},
		"JSON: null":                   {"application/json", text(`{"image":null}`), `"image" is null`},
		"JSON: empty":                  {"application/json", text(`{"image":""}`), `"image" is empty`},
		"JSON: white space":            {"application/json", text(`{"image":"\r\n "}`), `"image" is empty`},
		"JSON: another member":         {"application/json", text(`{"data":"` + image64 + `"}`), `no member "image", but has "data"`},
		"JSON: nothing":                {"application/json", text(`{}`), `no member "image"`},
		"JSON: blank":                  {"application/json", text(" \n"), "blank"},
		"JSON: an array":               {"application/json", text(`[{"image":"x"}]`), "is an array"},
		"JSON: a string":               {"application/json", text(`"` + image64 + `"`), "is a string"},
		"JSON: a word":                 {"application/json", text(`image`), "no { where the object must begin"},
		"JSON: two values":             {"application/json", text(`{"image":"` + image64 + `"} {}`), "something follows"},
		"JSON: text behind":            {"application/json", text(`{"image":"` + image64 + `"} x`), "something follows"},
		"JSON: cut off":                {"application/json", text(`{"image":"` + image64), "closing quote"},
		"JSON: cut off behind":         {"application/json", text(`{"image":"` + image64 + `"`), "a comma or }"},
		"JSON: no colon":               {"application/json", text(`{"image" "x"}`), "colon"},
		"JSON: no quotes":              {"application/json", text(`{image:"x"}`), "double quotes"},
		"JSON: single quotes":          {"application/json", text(`{'image':'x'}`), "double quotes"},
		"JSON: a trailing comma":       {"application/json", text(`{"image":"x",}`), "double quotes"},
		"JSON: no value":               {"application/json", text(`{"image":}`), "a value is missing"},
		"JSON: a bad number":           {"application/json", text(`{"x":01,"image":"x"}`), "a value is missing"},
		"JSON: NaN":                    {"application/json", text(`{"x":NaN,"image":"x"}`), "a value is missing"},
		"JSON: a bad escape":           {"application/json", text(`{"image":"\q"}`), "backslash"},
		"JSON: half an escape":         {"application/json", text(`{"image":"\u00"}`), "backslash"},
		"JSON: a control character":    {"application/json", text("{\"image\":\"\x00\"}"), "control character"},
		"JSON: deep":                   {"application/json", text(`{"x":` + strings.Repeat("[", 100_000)), "too deep"},
		"JSON: many members":           {"application/json", text("{" + strings.Repeat(`"a":1,`, 200) + `"image":"x"}`), "more than 100 members"},
		"JSON: UTF-16":                 {"application/json", text("\xff\xfe{\x00\"\x00"), "UTF-16"},
		"JSON: twice":                  {"application/json", text(`{"image":"` + image64 + `","image":"` + image64 + `"}`), "twice"},
		"JSON: twice, once in capital": {"application/json", text(`{"image":"` + image64 + `","Image":"` + image64 + `"}`), "twice"},
		"JSON: image and images":       {"application/json", text(`{"image":"` + image64 + `","images":["` + image64 + `"]}`), "more than one image"},
		"JSON: image and file":         {"application/json", text(`{"image":"` + image64 + `","file":"` + image64 + `"}`), "more than one image"},
		"JSON: photo and image":        {"application/json", text(`{"Photo":"` + image64 + `","image":"` + image64 + `"}`), "more than one image"},
		"JSON: image and data URI":     {"application/json", text(`{"image":"` + image64 + `","data":"data:image\/png;base64,` + image64 + `"}`), "more than one image"},
		"JSON: image and img_2":        {"application/json", text(`{"image":"` + image64 + `","img_2":"` + image64 + `"}`), "more than one image"},
		"JSON: image and image_base64": {"application/json", text(`{"image":"` + image64 + `","image_base64":"` + image64 + `"}`), "more than one image"},
		"JSON: image and files":        {"application/json", text(`{"image":"` + image64 + `","files":[ "` + image64 + `"]}`), "more than one image"},
		"JSON: image and image2":       {"application/json", text(`{"image":"` + image64 + `","image_2":"` + image64 + `"}`), "more than one image"},
		"JSON: an address":             {"application/json", text(`{"image":"http://host/cat.jpg"}`), "is a URL"},
		"JSON: a path":                 {"application/json", text(`{"image":"/home/pi/cat.jpg"}`), `no character '.'`},
		"JSON: plus became a blank":    {"application/json", text(`{"image":"` + strings.ReplaceAll(long, "+", " ") + `"}`), "%2B"},
		"JSON: cut off base64":         {"application/json", text(`{"image":"QUJDQ"}`), "cut off"},
		"JSON: a data URI of text":     {"application/json", text(`{"image":"data:image/svg+xml,%3Csvg/%3E"}`), "data:image/jpeg;base64"},
		"a form without a boundary":    {"multipart/form-data", text("file=x"), "has no boundary"},
		"a form of another boundary":   {formX, text("--\r\nfile"), "boundary"},
		"a form without an end":        {formX, part("x", fileDisposition, long, ""), "closing boundary is missing"},
		"a form without parts":         {formX, text("--x--\r\n"), "no file"},
		"a form with bad headers":      {formX, part("x", "\x00\x01: y\r\nno colon", anImage, "--"), "header"},
		"an unknown encoding":          {formX, part("x", fileDisposition+"\r\nContent-Transfer-Encoding: x-uuencode", anImage, "--"), "Content-Transfer-Encoding"},
		"a form, its file not base64":  {formX, part("x", fileDisposition+"\r\nContent-Transfer-Encoding: base64", "a cat!", "--"), `field "file" is not base64`},
		"urlencoded: two":              {"application/x-www-form-urlencoded", text("image=" + image64 + "&file=" + image64), "two images"},
		"urlencoded: bad escapes":      {"application/x-www-form-urlencoded", text("%zz=" + image64), "urlencoded"},
		"urlencoded: a bad option":     {"application/x-www-form-urlencoded", text("top_k=%zz&image=" + image64), "top_k"},
		"urlencoded: no base64":        {"application/x-www-form-urlencoded", text("image=a%20cat!"), `field "image" is not base64`},
		"a page":                       {"text/html", text("<html>"), "Content-Type was"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			w := s.do(request("POST", "/api/recognize", c.contentType, c.body))
			p := problem(t, w)
			detail := p["detail"].(string)
			if w.Code != 400 || !strings.Contains(detail, c.want) || len(detail) > 600 {
				t.Errorf("got %d %v, want %q", w.Code, detail, c.want)
			}
			for _, word := range libraryWords {
				if strings.Contains(strings.ToLower(detail), strings.ToLower(word)) {
					t.Errorf("%q has words of a library: %s", detail, word)
				}
			}
			if s.recognizer.last != nil {
				t.Error("the recognizer was asked")
			}
		})
	}
}

// FuzzUpload sends any body with any Content-Type: it is recognized or rejected with a
// problem.
func FuzzUpload(f *testing.F) {
	contentType, body := fields(field{"top_k", "3", ""}, field{"file", anImage, "cat.jpg"})
	f.Add(contentType, body.Bytes())
	for contentType, body := range map[string]string{
		"application/json": `{"image":"` + image64 + `","top_k":3,"x":[1,{"a":"\u00e9"}]}`, "image/jpeg": anImage, "": image64,
		"application/x-www-form-urlencoded": "image=" + image64 + "&top_k=3&%41=b", "multipart/form-data": "--x\r\nContent-Disposition: form-data; name=file; filename=a b\r\n\r\n" + anImage + "\r\n--x--",
		"text/json": `{"image":"\ud83d\ude00` + "\n" + `\/"}`, formX: "--x\r\ncontent-transfer-encoding: base64\r\ncontent-type: image/png\r\n\r\n" + image64 + "\r\n--x--",
	} {
		f.Add(contentType, []byte(body))
	}
	s := newServer(&testing.T{}, func(c *api.Config, p *api.Parts) { c.MaxImageBytes, p.Log = 4<<10, slog.New(slog.DiscardHandler) })
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		r := request("POST", "/api/recognize", "", bytes.NewReader(body))
		r.Header["Content-Type"] = []string{contentType}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		switch {
		case w.Code == 200:
			if n := len(s.recognizer.last.Image); n == 0 || n > 4<<10 {
				t.Errorf("an image of %d bytes", n)
			}
		case w.Code < 400 || w.Code >= 500:
			t.Errorf("got %d %s", w.Code, w.Body)
		default:
			problem(t, w)
		}
	})
}

func BenchmarkUploadJSON100kB(b *testing.B) {
	s := newServer(&testing.T{}, nil).Handler
	image := bytes.Repeat([]byte("0123456789"), 10_000)
	body := []byte(`{"image":"` + base64.StdEncoding.EncodeToString(image) + `"}`)
	b.SetBytes(int64(len(image)))
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, request("POST", "/api/recognize", "application/json", bytes.NewReader(body))); w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}

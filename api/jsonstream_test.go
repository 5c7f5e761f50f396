package api

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// inPieces reads a text in pieces of some size, and then ends with the error.
type inPieces struct {
	text string
	size int
	end  error
}

func (r *inPieces) Read(p []byte) (int, error) {
	if r.text == "" {
		return 0, r.end
	}
	n := copy(p[:min(len(p), r.size)], r.text)
	r.text = r.text[n:]
	return n, nil
}

// likeWhole compares the reader of JSON as it arrives with that of the whole text.
func likeWhole(t *testing.T, text string, end error, limit int64) {
	t.Helper()
	reader := func(expected int) *uploadReader {
		return &uploadReader{limit: limit, expected: int64(expected), options: &options{}}
	}
	whole := reader(len(text))
	want, wantErr := whole.wholeJSON(&inPieces{text, len(text), end})
	for _, size := range []int{1, 7, 500, 1 << 20} {
		if size == 1 && len(text) > 10_000 {
			continue
		}
		for _, expected := range []int{len(text), -1} {
			u := reader(expected)
			got, err := u.json(&inPieces{text, size, end})
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("%.300q in pieces of %d: %v\nwant %v", text, size, err, wantErr)
			}
			if err != nil {
				continue
			}
			if !bytes.Equal(got.image, want.image) || got.sha256 != want.sha256 || !reflect.DeepEqual(u.options, whole.options) {
				t.Fatalf("%.300q in pieces of %d: %d bytes with %+v\nwant %d bytes with %+v", text, size, len(got.image), u.options, len(want.image), whole.options)
			}
		}
	}
}

// jsonTexts are correct and wrong bodies, with and without an image.
var jsonTexts = []string{
	``, ` `, "\xef\xbb\xbf", "\xef\xbb\xbf \r\n", "\xff\xfe{", "\xfe\xff", `[`, ` "a"`, `{`, `{}`, `{} `, `{}x`, ` {}{}`, `x`, `1`, `{"`, `{"image`, `{"image"`, `{"image":`, `{"image":"`, `{"image":"/9j/`,
	`{"image":"/9j/"`, `{"image":"/9j/"}`, "\xef\xbb\xbf {\"image\" :\t\"/9j/\" \n}\n", `{"image":"\/9j\/"}`, `{"image":"\u002f9j/\u002F"}`, `{"image":"/9j\u00"}`, `{"image":"/9j\q"}`, `{"image":"/9j\q`, `{"image":"/9j\`,
	`{"image":"/9j\n/"}`, "{\"image\":\"/9\r\nj/\"}", "{\"image\":\"/9\x01j/\"}", "{\"image\":\"/9\x01j/\\q\"}", "{\"image\":\"/9\x01j/", `{"image":"\ud83d\ude00"}`, `{"image":"\ud83dx"}`, `{"image":"\ud83d\u0041"}`, `{"image":"\ude00\ud83d\"\\"}`,
	`{"image":"data:image\/jpeg;base64,\/9j\/"}`, `{"image":"data:image/jpeg,x"}`, `{"image":"https:\/\/host"}`, `{"image":"%2F9j%2F"}`, `{"image":"/9j/%2"}`, `{"image":"/9j/ =="}`, `{"image":""}`, `{"image":"="}`, `{"image":"a cat!"}`,
	`{"image":null}`, `{"image":1}`, `{"image":[1]}`, `{"image":{}}`, `{"image":true}`, `{"image":nul}`, `{"image":"/9j/","image":"/9j/"}`, `{"Image":"/9j/","IMAGE":null}`, `{"image":null,"image":"/9j/"}`,
	`{"image":"/9j/","top_k":"x"}`, `{"top_k":"x","image":"!"}`, `{"image":"!","top_k":"x"}`, `{"image":"!"}x`, `{"top_k":3,"image":"/9j/","region":{"x":0,"y":0,"width":0.5,"height":1},"model":"a\u0062"}`,
	`{"image":"/9j/","topk":3}`, `{"image":"/9j/","top_k":null,"other":[[["x"]]],"more":{"a":{"b":1e5}}}`, `{"image":"/9j/","image2":"/9j/4AAQSkZJRgABAQ=="}`, `{"image":"/9j/","photo":[ "\/9j\/4AAQSkZJRgABAQ=="]}`,
	`{"image":"/9j/","photos":[]}`, `{"image":"/9j/","images":[]}`, `{"image":"/9j/","images":""}`, `{"image":"/9j/","images":[ ]}`, `{"img":"/9j/4AAQSkZJRgABAQ=="}`, `{"image":"/9j/","a":01}`, `{"image":"/9j/","a":-}`, `{"image":"/9j/","a":+1}`,
	`{"image":"/9j/","a":1.5e+3,"b":-0,"c":0.10,"d":1e,"e":2}`, `{"image":"/9j/","a":.5}`, `{"image":"/9j/","a":1.}`, `{"image":"/9j/","a":tru}`, `{"image":"/9j/" "a":1}`, `{"image" "/9j/"}`, `{image:1}`, `{"image":"/9j/",}`, `{"a":[1,]}`, `{"a":[1 2]}`,
	`{"\u0069mage":"/9j/"}`, `{"imag\u00e9":"/9j/"}`, `{"image":"/9j/","\ud83d\ude00":1}`, "{\"\xff\":\"\xfe\",\"image\":\"\xfd\"}", "{\"image\":\"/9j/\"}\x00", "{\x00}",
	`{"image":"` + strings.Repeat("QUJD", 100) + `"}`, `{"image":"` + strings.Repeat("QUJD", 300) + `"}`, `{"image":"` + strings.Repeat("QUJD", 300) + `!"}`, `{"image":"` + strings.Repeat(`\/9j\/`, 100) + `"}`,
	`{"image":"/9j/","` + strings.Repeat("n", 512) + `":1}`, `{"image":"/9j/","` + strings.Repeat("n", 513) + `":1}`, `{"image":"/9j/","a":{"` + strings.Repeat("n", 513) + `":1}}`, `{"image":"/9j/","` + strings.Repeat("n", 513) + ``,
	`{"image":"/9j/","model":"` + strings.Repeat("m", 510) + `"}`, `{"image":"/9j/","model":"` + strings.Repeat("m", 511) + `"}`, `{"image":"/9j/","photo":` + strings.Repeat("[ ", 20) + `"/9j/4AAQSkZJRgABAQ=="` + strings.Repeat("]", 20) + `}`,
	`{"image":"/9j/","photo":[` + strings.Repeat(" ", 700) + `"/9j/4AAQSkZJRgABAQ=="]}`, `{"image":"/9j/","a":` + strings.Repeat("1", 700) + `}`, `{"image":"/9j/","a":0` + strings.Repeat("1", 700) + `}`, `{"image":"/9j/","a":1.` + strings.Repeat("0", 700) + `e-` + strings.Repeat("1", 40) + `}`,
	`{"image":"/9j/","a":` + strings.Repeat("a", 700) + `}`, `{"image":"/9j/","a":` + strings.Repeat("1.", 40) + `}`, `{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `,"image":"/9j/"}`, `{"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `,"image":"/9j/"}`,
	`{"a":` + strings.Repeat(`{"a":`, 40), `{` + strings.Repeat(`"a":1,`, 99) + `"image":"/9j/"}`, `{` + strings.Repeat(`"a":1,`, 100) + `"image":"/9j/"}`, `{` + strings.Repeat(`"a":1,`, 100) + `"image":"/9j/\q"}`,
}

func TestJSONAsItArrives(t *testing.T) {
	for _, text := range jsonTexts {
		likeWhole(t, text, io.EOF, 600)
		likeWhole(t, text, errors.New("the connection broke"), 600)
	}
}

// Large images are the same whatever is escaped in them.
func TestLargeJSONAsItArrives(t *testing.T) {
	image := make([]byte, 300_000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range image {
		image[i] = byte(random.Uint32())
	}
	plain := base64.StdEncoding.EncodeToString(image)
	for name, text := range map[string]string{
		"plain":           plain,
		"slashes escaped": strings.ReplaceAll(plain, "/", `\/`),
		"all escaped":     strings.ReplaceAll(plain, "A", `\u0041`),
		"lines":           strings.ReplaceAll(plain, "/", "/\n"),
		"percent":         strings.ReplaceAll(plain, "/", "%2F"),
		"a data URI":      "data:image/jpeg;base64," + plain,
		"cut off":         plain[:len(plain)-3],
		"a wrong letter":  plain[:250_000] + "!" + plain[250_001:],
	} {
		t.Run(name, func(t *testing.T) {
			for _, limit := range []int64{int64(len(image)), int64(len(image)) - 1, 1000} {
				likeWhole(t, `{"top_k":2,"image":"`+text+`","note":"`+plain+`"}`, io.EOF, limit)
			}
		})
	}
}

// FuzzJSON compares the reader of JSON as it arrives with that of the whole text.
func FuzzJSON(f *testing.F) {
	for _, text := range jsonTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		likeWhole(t, text, io.EOF, 100)
	})
}

// BenchmarkJSON reads an image of a megabyte in JSON, as it arrives and whole.
func BenchmarkJSON(b *testing.B) {
	plain := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("\xff\xd8\xff\xfe an image \x00"), 1<<16))
	for _, c := range []struct{ name, text string }{
		{"plain", `{"image":"` + plain + `"}`}, {"escaped", `{"image":"` + strings.ReplaceAll(plain, "/", `\/`) + `"}`},
		{"numbers", `{"image":"/9j/","other":[` + strings.Repeat("255,", 1<<18) + `0]}`}, {"zeros", `{"image":"` + strings.Repeat("\x00", 1<<20) + `"}`},
	} {
		text := c.text
		for _, way := range []struct {
			name string
			read func(*uploadReader, io.Reader) (upload, error)
		}{{"arriving", (*uploadReader).json}, {"whole", (*uploadReader).wholeJSON}} {
			b.Run(c.name+"/"+way.name, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					u := uploadReader{limit: 20 << 20, expected: int64(len(text)), options: &options{}}
					if _, err := way.read(&u, strings.NewReader(text)); (err == nil) != (c.name != "zeros") {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

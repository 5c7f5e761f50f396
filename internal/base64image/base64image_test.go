package base64image_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"edgelens/internal/base64image"
)

// image has the letters that differ between the alphabets.
const image = "\xff\xd8\xff\xfb\xff\xfe\xff\xd8 an image \x00"

// photo is long, and its base64 has all letters.
var photo = func() []byte {
	data := []byte("\xff\xd8\xff")
	for state := uint32(1); len(data) < 6000; state = state*1664525 + 1013904223 {
		data = append(data, byte(state>>24))
	}
	return data
}()

func TestDecode(t *testing.T) {
	const limit = 10_000
	standard, unsafe := base64.StdEncoding.EncodeToString([]byte(image)), base64.RawURLEncoding.EncodeToString([]byte(image))
	long := base64.StdEncoding.EncodeToString(photo)
	lines := func(text, end string) string {
		var b strings.Builder
		for i := 0; i < len(text); i += 76 {
			b.WriteString(text[i:min(i+76, len(text))] + end)
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		text, want string
		err        error
	}{
		"standard":                       {standard, image, nil},
		"not padded":                     {strings.TrimRight(standard, "="), image, nil},
		"padded too little":              {"QQ=", "A", nil},
		"padded too much":                {"QUJD====", "ABC", nil},
		"URL alphabet":                   {unsafe, image, nil},
		"both alphabets":                 {standard[:5] + unsafe[5:], image, nil},
		"byte order mark":                {"\xef\xbb\xbf" + standard, image, nil},
		"lines":                          {lines(long, "\r\n"), string(photo), nil},
		"lines with indents":             {lines(long, "\n    "), string(photo), nil},
		"lines joined by blanks":         {lines(long, " "), string(photo), nil},
		"a blank after each letter":      {strings.Join(strings.Split(standard, ""), " "), image, nil},
		"tabs, form feeds":               {standard[:3] + "\t\f\v" + standard[3:] + "\t", image, nil},
		"white space in the padding":     {"QQ= \r\n=\n", "A", nil},
		"data URI":                       {"data:image/jpeg;base64," + standard, image, nil},
		"data URI, in capitals":          {"DATA:IMAGE/JPEG;BASE64," + standard, image, nil},
		"data URI, mixed":                {" dAtA:image/jpeg;Base64 , " + standard, image, nil},
		"data URI, no type":              {"data:;base64," + standard, image, nil},
		"data URI, a charset":            {"data:image/jpeg;charset=utf-8;base64," + standard, image, nil},
		"data URI, a name behind":        {"data:image/jpeg;base64;name=cat.jpg," + standard, image, nil},
		"data URI, escaped":              {"data:image/jpeg;base64," + url.QueryEscape(standard), image, nil},
		"data URI without its scheme":    {"image/jpeg;base64," + standard, image, nil},
		"only the word base64":           {"base64," + standard, image, nil},
		"escaped":                        {url.QueryEscape(standard), image, nil},
		"escaped in small letters":       {strings.NewReplacer("+", "%2b", "/", "%2f", "=", "%3d").Replace(standard), image, nil},
		"as large as may be":             {base64.StdEncoding.EncodeToString(make([]byte, limit)), string(make([]byte, limit)), nil},
		"nothing":                        {"", "", base64image.ErrEmpty},
		"white space":                    {" \r\n", "", base64image.ErrEmpty},
		"padding":                        {"==", "", base64image.ErrEmpty},
		"data URI of nothing":            {"data:image/jpeg;base64,", "", base64image.ErrEmpty},
		"data URI, not base64":           {"data:image/jpeg,%FF%D8", "", base64image.ErrDataURI},
		"data URI, no comma":             {"data:image/jpeg;base64", "", base64image.ErrDataURI},
		"data URI, a type like base64":   {"data:base64," + standard, "", base64image.ErrDataURI},
		"data URI, a long header":        {"data:image/jpeg;x=" + strings.Repeat("x", 300) + ";base64," + standard, "", base64image.ErrDataURI},
		"an address":                     {"http://host/cat.jpg", "", base64image.ErrAddress},
		"an address with TLS":            {" HTTPS://host/cat.jpg", "", base64image.ErrAddress},
		"the address of a camera":        {"rtsp://host/cat", "", base64image.ErrAddress},
		"an address of another scheme":   {"gopher://host/cat", "", base64image.ErrAddress},
		"a browser's own address":        {"blob:null/1234", "", base64image.ErrAddress},
		"one letter":                     {"Q", "", base64image.ErrCutOff},
		"a letter too many":              {"QUJDQ", "", base64image.ErrCutOff},
		"plus became a blank":            {strings.ReplaceAll(long, "+", " "), "", base64image.ErrLostPlus},
		"a flat image, joined by blanks": {lines(base64.StdEncoding.EncodeToString(make([]byte, 5000)), " "), string(make([]byte, 5000)), nil},
		"no plus, and lines of 76":       {strings.ReplaceAll(lines(long, "\n"), "+", "/"), "any", nil},
		"URL alphabet, joined by blank":  {lines(base64.URLEncoding.EncodeToString(photo), " "), string(photo), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := base64image.Decode(nil, []byte(c.text), limit)
			if !errors.Is(err, c.err) || c.want != "any" && string(got) != c.want {
				t.Errorf("%d bytes, %v; want %d and %v", len(got), err, len(c.want), c.err)
			}
			text := append(make([]byte, 0, len(c.text)+3), c.text...)
			if again, err := base64image.Decode(text[:0], text, limit); !errors.Is(err, c.err) || !bytes.Equal(again, got) {
				t.Errorf("in place: %d bytes, %v", len(again), err)
			}
			for _, size := range []int{1, 2, 3, 5, 77, 271, 1024, 4096} {
				if again, err := inPieces([]byte(c.text), limit, size); !errors.Is(err, c.err) || err == nil && !bytes.Equal(again, got) {
					t.Errorf("in pieces of %d: %d bytes, %v", size, len(again), err)
				}
			}
		})
	}
}

// inPieces decodes a text by a Decoder, in pieces of that size.
func inPieces(text []byte, limit int64, size int) (image []byte, err error) {
	d := base64image.NewDecoder(limit)
	possible := true
	for len(text) > 0 {
		piece := text[:min(size, len(text))]
		text = text[len(piece):]
		before := len(image)
		var ok bool
		image, ok = d.Append(image, piece)
		if ok && !possible || len(image)-before > len(piece)+300 {
			return nil, errors.New("it recovered, or decoded too much")
		}
		possible = ok
	}
	image, err = d.End(image)
	if !possible && err == nil {
		err = errors.New("it was not possible, and is no error")
	}
	return image, err
}

func TestSyntaxError(t *testing.T) {
	for text, want := range map[string]base64image.SyntaxError{
		"a cat!":                        {Byte: '!', Offset: 5},
		"QQ==QQ==":                      {Byte: 'Q', Offset: 4},
		"/home/pi/cat.jpg":              {Byte: '.', Offset: 12},
		"data:image/png;base64,QU\x00D": {Byte: 0, Offset: 24},
		"QUJ\xff":                       {Byte: 0xff, Offset: 3},
		"QU%zz":                         {Byte: '%', Offset: 2},
		"QUJD%4":                        {Byte: '%', Offset: 4},
		"QU:D":                          {Byte: ':', Offset: 2},
	} {
		_, err := base64image.Decode(nil, []byte(text), 100)
		var got *base64image.SyntaxError
		if !errors.As(err, &got) || *got != want {
			t.Errorf("%q: %v, want %+v", text, err, want)
		}
		for _, size := range []int{1, 2, 3, 100} {
			if _, err := inPieces([]byte(text), 100, size); !errors.As(err, &got) || *got != want {
				t.Errorf("%q in pieces of %d: %v, want %+v", text, size, err, want)
			}
		}
	}
}

func TestTooLarge(t *testing.T) {
	for _, size := range []int{101, 102, 103, 100_000} {
		text := base64.StdEncoding.EncodeToString(make([]byte, size))
		got, err := base64image.Decode(nil, []byte(text), 100)
		var large *base64image.TooLargeError
		if !errors.As(err, &large) || large.Size != int64(size) || large.Limit != 100 || len(got) != 0 {
			t.Errorf("%d: %d bytes, %v", size, len(got), err)
		}
		if _, err := inPieces([]byte(text), 100, 64); !errors.As(err, &large) || large.Size != int64(size) || large.Limit != 100 {
			t.Errorf("%d in pieces: %v", size, err)
		}
	}
}

func TestDecodeAppends(t *testing.T) {
	if got, err := base64image.Decode([]byte("x"), []byte("QUJD"), 3); string(got) != "xABC" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// The time is linear in the length of the text, whatever its content.
func TestDecodeIsLinear(t *testing.T) {
	for name, unit := range map[string]string{"blanks": " ", "letters and blanks": "A ", "escapes": "%41", "padding": "=", "line breaks": "A\r\n   "} {
		start := time.Now()
		_, _ = base64image.Decode(nil, []byte("A"+strings.Repeat(unit, 1<<20/len(unit))), 10<<20)
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: 1 MiB took %v", name, took)
		}
	}
}

func TestSniff(t *testing.T) {
	encode := func(image string) string {
		return base64.StdEncoding.EncodeToString([]byte(image + strings.Repeat("x", 20)))
	}
	jpeg := encode("\xff\xd8\xff\xe0")
	for text, want := range map[string]bool{
		jpeg: true, "data:image/jpeg;base64," + jpeg: true, "\r\n " + jpeg[:7] + "\r\n" + jpeg[7:]: true, "\xef\xbb\xbf" + jpeg: true,
		encode("\x89PNG\r\n\x1a\n"): true, encode("RIFF\x00\x00\x00\x00WEBPVP8 "): true, encode("BM\x00\x00\x00\x00\x00\x00\x00\x00"): true,
		encode("GIF89a"): true, encode("II*\x00"): true, encode("\x00\x00\x00\x18ftypheic"): true,
		"": false, jpeg[:15]: false, "hello, this is text without an image": false, encode("RIFF\x00\x00\x00\x00WAVE"): false,
		"\xff\xd8\xff\xe0 an image itself": false, encode("text that is encoded"): false, `{"image":"` + jpeg: false, "image=" + jpeg: false,
	} {
		if got := base64image.Sniff([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "QQ==", "QUI", "data:image/jpeg;base64,QUJD", "data:,x", "Q U\tJ\nD", "-_+/", "=", "QQ=Q", "A", "\\", "\xff\xfe", "%41%3D", "base64,QQ", "http://x",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 512
		image, err := base64image.Decode(nil, data, limit)
		if (err == nil) != (len(image) > 0) || len(image) > limit || len(image) > len(data) {
			t.Errorf("%d bytes of %d, %v", len(image), len(data), err)
		}
		text := append(make([]byte, 0, len(data)+3), data...)
		if again, errAgain := base64image.Decode(text[:0], text, limit); !bytes.Equal(image, again) || (err == nil) != (errAgain == nil) {
			t.Errorf("in place: %q and not %q, %v", again, image, errAgain)
		}
		for _, size := range []int{1, 2, 7, 300, 1500} {
			if again, errAgain := inPieces(data, limit, size); fmt.Sprint(err) != fmt.Sprint(errAgain) || err == nil && !bytes.Equal(image, again) {
				t.Errorf("in pieces of %d: %q and not %q, %v and not %v", size, again, image, errAgain, err)
			}
		}
		base64image.Sniff(data)
		if len(data) == 0 || len(data) > limit {
			return
		}
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString(data)
			half := len(text) / 2
			for _, text := range []string{text, "Data:image/png;x=y;Base64," + text, text[:half] + "\r\n" + text[half:] + "\n", url.QueryEscape(text)} {
				if image, err := base64image.Decode(nil, []byte(text), limit); !bytes.Equal(image, data) {
					t.Errorf("%q gave %q, %v", text, image, err)
				}
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	text := []byte(base64.StdEncoding.EncodeToString(bytes.Repeat(photo, 20)))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := base64image.Decode(nil, text, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}

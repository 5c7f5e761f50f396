package wire_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"edgelens/terminal/dialect/wire"
)

func TestImage(t *testing.T) {
	const limit = 1000
	bytes := "\xfb\xff\xfe\xff\xd8 an image" // has bytes that differ between the alphabets
	standard, url := base64.StdEncoding.EncodeToString([]byte(bytes)), base64.RawURLEncoding.EncodeToString([]byte(bytes))
	big := base64.StdEncoding.EncodeToString(make([]byte, 1001))
	largest := base64.StdEncoding.EncodeToString(make([]byte, 1000))
	none, bad := "The terminal sent no image.", "The image is not valid base64."
	quote := func(text string) string { return string(wire.Marshal(text)) }
	tests := map[string]struct{ json, want, reason string }{
		"standard":                  {quote(standard), bytes, ""},
		"not padded":                {quote(strings.TrimRight(standard, "=")), bytes, ""},
		"URL alphabet":              {quote(url), bytes, ""},
		"URL alphabet, padded":      {quote(url + "="), bytes, ""},
		"both alphabets":            {quote(standard[:2] + url[2:]), bytes, ""},
		"line breaks":               {quote(standard[:8] + "\r\n" + standard[8:] + "\n"), bytes, ""},
		"spaces":                    {quote(" " + standard[:8] + " \t" + standard[8:] + " "), bytes, ""},
		"escaped slashes":           {strings.ReplaceAll(quote(standard), "/", `\/`), bytes, ""},
		"data URI":                  {quote("data:image/jpeg;base64," + standard), bytes, ""},
		"data URI in capitals":      {quote("DATA:image/jpeg;BASE64," + standard), bytes, ""},
		"data URI, no type":         {quote("data:;base64," + standard), bytes, ""},
		"data URI, short":           {quote("data:base64," + standard), "", bad},
		"data URI, a charset":       {quote("data:image/jpeg;charset=x;base64, " + standard), bytes, ""},
		"data URI, not base64":      {quote("data:image/jpeg,%FF%D8"), "", bad},
		"data URI, no comma":        {quote("data:image/jpeg;base64"), "", bad},
		"data URI, nothing":         {quote("data:image/jpeg;base64,"), "", none},
		"at the limit":              {quote(largest), string(make([]byte, 1000)), ""},
		"at the limit, with breaks": {quote(strings.ReplaceAll(largest, "AAAA", "AAAA\r\n")), string(make([]byte, 1000)), ""},
		"a byte above the limit":    {quote(big), "", "The image has 1001 bytes; at most 1000 are accepted."},
		"nothing":                   {"", "", none},
		"null":                      {"null", "", none},
		"empty":                     {`""`, "", none},
		"blank":                     {`" "`, "", none},
		"only padding":              {`"=="`, "", none},
		"a word":                    {quote("a cat!"), "", bad},
		"cut off":                   {quote("QUJDQ"), "", bad},
		"padding in the middle":     {quote("QQ==QQ=="), "", bad},
		"a number":                  {"5", "", bad},
		"false":                     {"false", "", bad},
		"an object":                 {"{}", "", bad},
		"not UTF-8":                 {"\"QUJ\xff\"", "", bad},
		"a link":                    {quote("http://192.168.1.2/a.jpg"), "", bad},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			image, reason := wire.Value(test.json).Image(limit)
			if string(image) != test.want || reason != test.reason {
				t.Errorf("%q, %q", image, reason)
			}
		})
	}
}

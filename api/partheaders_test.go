package api

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"edgelens"
)

func TestPartHeaders(t *testing.T) {
	const part = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n"
	long := strings.Repeat("x", maxPartHeader)
	for name, test := range map[string]struct {
		form string
		ok   bool
	}{
		"short headers":              {part + "\r\n" + long + "\r\n--b--\r\n", true},
		"many lines in the content":  {part + "\r\n" + strings.Repeat("a\n", maxPartHeader) + "\r\n--b--\r\n", true},
		"long headers":               {part + "X-Y: " + long + "\r\n\r\nx\r\n--b--\r\n", false},
		"many headers":               {part + strings.Repeat("X-Y: z\r\n", maxPartHeader/8) + "\r\nx\r\n--b--\r\n", false},
		"headers without an end":     {part + long, false},
		"of the second part":         {part + "\r\nx\r\n" + part + "X-Y: " + long + "\r\n\r\nx\r\n--b--\r\n", false},
		"line feeds alone":           {strings.ReplaceAll(part, "\r", "") + "\n" + long + "\n--b--\n", true},
		"white space after boundary": {strings.Replace(part, "--b", "--b  \t", 1) + "X-Y: " + long + "\r\n\r\nx\r\n--b--\r\n", false},
		"content like a boundary":    {part + "\r\n--bx\r\n" + long + "\r\n--b--\r\n", true},
		"a preamble":                 {long + "\r\n" + part + "\r\nx\r\n--b--\r\n", true},
	} {
		for how, reader := range map[string]io.Reader{"whole": strings.NewReader(test.form), "byte by byte": iotest.OneByteReader(strings.NewReader(test.form))} {
			read, err := io.ReadAll(newPartHeaders(reader, "b"))
			if test.ok && (err != nil || string(read) != test.form) || !test.ok && !errors.Is(err, edgelens.ErrInvalid) {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
	}
}

// What it passes on is what it was given, however it is split.
func FuzzPartHeaders(f *testing.F) {
	f.Add([]byte("--b\r\nX: y\r\n\r\nz\r\n--b--\r\n"))
	f.Fuzz(func(t *testing.T, form []byte) {
		whole, wholeErr := io.ReadAll(newPartHeaders(bytes.NewReader(form), "b"))
		split, splitErr := io.ReadAll(newPartHeaders(iotest.OneByteReader(bytes.NewReader(form)), "b"))
		if wholeErr == nil && !bytes.Equal(whole, form) || (wholeErr == nil) != (splitErr == nil) || splitErr == nil && !bytes.Equal(split, form) {
			t.Errorf("%q: %v and %v", form, wholeErr, splitErr)
		}
	})
}

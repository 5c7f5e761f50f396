// Package statements splits the texts of settings that are lists of statements, such as rules for sensors and states: words
// and key=value, separated by spaces, and the statements by ";".
package statements

import (
	"fmt"
	"strconv"
	"strings"

	"edgelens/internal/clip"
)

// Word is a word of a statement. Of key=value, Text is the key, too; a value may be quoted as in Go.
type Word struct{ Text, Key, Value string }

// Split splits a text at ";" and spaces, but not in quotation marks. Statements without a word are left out. The error is a
// sentence about a quotation mark that is not closed.
func Split(text string) (statements [][]Word, err error) {
	var words []Word
	for rest := text; ; {
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest == "" || rest[0] == ';' {
			if len(words) > 0 {
				statements, words = append(statements, words), nil
			}
			if rest == "" {
				return statements, nil
			}
			rest = rest[1:]
			continue
		}
		end := strings.IndexAny(rest, "; \t\r\n=")
		if end < 0 {
			end = len(rest)
		}
		w := Word{Text: rest[:end]}
		if rest = rest[end:]; strings.HasPrefix(rest, "=") {
			w.Key = w.Text
			if w.Value, rest, err = value(rest[1:]); err != nil {
				return nil, fmt.Errorf("%s: %w", clip.Line(w.Key, 64), err)
			}
		}
		words = append(words, w)
	}
}

// value takes a value, which may be quoted.
func value(text string) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, "; \t\r\n")
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:], nil
	}
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", "", fmt.Errorf("the quotation mark at %q is not closed", clip.Line(text, 40))
	}
	value, err = strconv.Unquote(quoted)
	return value, text[len(quoted):], err
}

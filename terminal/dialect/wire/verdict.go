package wire

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// MaxVerdict is the maximum size of a verdict in bytes.
	MaxVerdict = 64 << 10
	maxString  = 4 << 10
	maxNumber  = 64
)

// images are the lower-case names of members in which terminals send images.
var images = map[string]bool{
	"liveimagebase64": true, "pic": true, "scene": true, "tempic": true, "imgdata": true,
	"image": true, "img": true, "photo": true, "picture": true,
}

// ImageNames returns the lower-case names of members with an image.
func ImageNames() []string { return slices.Sorted(maps.Keys(images)) }

// Image returns the value of the first member with the name of an image; nil for none.
func (o Object) Image() Value {
	for _, member := range o.Members {
		if isImage(member.Name) && !member.Value.IsNull() {
			return member.Value
		}
	}
	return nil
}

func isImage(name string) bool {
	name = strings.ToLower(name)
	return images[name] || strings.Contains(name, "base64")
}

// Verdict returns the object without images, compact, at most MaxVerdict bytes of UTF-8.
// Members with the name of an image are cut out, and anywhere strings (and names) of more
// than 4 KiB or with base64, and numbers of more than 64 digits. Elements of arrays that are
// cut out become null, so that the others keep their positions. Of an object that is too
// large, the members that still fit are kept.
func (o Object) Verdict() json.RawMessage {
	w := verdictWriter{}
	w.object(o)
	return w.out
}

// verdictWriter writes values, each whole or not at all.
type verdictWriter struct {
	out []byte
	// open is the number of containers to be closed.
	open int
}

// fits reports whether the output leaves room for the brackets.
func (w *verdictWriter) fits() bool { return len(w.out)+w.open <= MaxVerdict }

// value writes v; false, with output that the caller discards, where it is to be cut out.
func (w *verdictWriter) value(v Value) bool {
	switch v[0] {
	case '{':
		object, _ := v.Object()
		w.object(object)
	case '[':
		w.array(v)
	case '"':
		return w.string(v)
	default:
		if len(v) > maxNumber {
			return false
		}
		w.out = append(w.out, v...)
	}
	return true
}

func (w *verdictWriter) object(o Object) {
	w.out = append(w.out, '{')
	w.open++
	first := len(w.out)
	for _, member := range o.Members {
		if isImage(member.Name) {
			continue
		}
		before := len(w.out)
		if before > first {
			w.out = append(w.out, ',')
		}
		if !w.member(member) {
			w.out = w.out[:before]
		}
	}
	w.out = append(w.out, '}')
	w.open--
}

func (w *verdictWriter) member(m Member) bool {
	if !w.string(m.name()) {
		return false
	}
	w.out = append(w.out, ':')
	return w.fits() && w.value(m.Value) && w.fits()
}

func (w *verdictWriter) array(v Value) {
	elements, _ := v.Array()
	w.out = append(w.out, '[')
	w.open++
	for i, element := range elements {
		before := len(w.out)
		if i > 0 {
			w.out = append(w.out, ',')
		}
		start := len(w.out)
		if !w.fits() || !w.value(element) || !w.fits() {
			w.out = append(w.out[:start], "null"...)
			if !w.fits() {
				w.out = w.out[:before]
				break
			}
		}
	}
	w.out = append(w.out, ']')
	w.open--
}

func (w *verdictWriter) string(v Value) bool {
	if len(v) > maxString+2 || len(v) > longRun && !keeps(unquote(v)) || hasDataURI(v) {
		return false
	}
	if utf8.Valid(v) {
		w.out = append(w.out, v...)
	} else {
		w.out = append(w.out, bytes.ToValidUTF8(v, []byte("\uFFFD"))...)
	}
	return true
}

// hasDataURI checks strings that are too short for keeps.
func hasDataURI(v Value) bool {
	const prefix = `"data:`
	return len(v) >= len(prefix) && bytes.EqualFold(v[:len(prefix)], []byte(prefix))
}

// keeps reports whether a string may stay in a verdict.
func keeps(text string) bool { return len(text) <= maxString && !looksEncoded(text) }

// Package charset decodes texts of terminals that are not UTF-8. A text of an unknown
// character set is decoded only where exactly one set can represent it: names are never
// guessed. The package keeps no state and is safe for use by many goroutines.
package charset

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// The character sets, named as in the WHATWG Encoding Standard.
const (
	UTF8        = "utf-8" // no other set
	GB18030     = "gb18030"
	Big5        = "big5"
	ShiftJIS    = "shift_jis"
	EUCKR       = "euc-kr"
	Windows1252 = "windows-1252"
)

// Names are the canonical names of the sets that Find accepts.
var Names = []string{UTF8, GB18030, Big5, ShiftJIS, EUCKR, Windows1252}

var sets = map[string]encoding.Encoding{
	GB18030: simplifiedchinese.GB18030, Big5: traditionalchinese.Big5, ShiftJIS: japanese.ShiftJIS,
	EUCKR: korean.EUCKR, Windows1252: charmap.Windows1252,
}

// other maps alternative names of the sets, or of their subsets, without "-" and "_".
var other = map[string]string{
	"utf8": UTF8, "gb18030": GB18030, "gbk": GB18030, "gb2312": GB18030, "cp936": GB18030, "windows936": GB18030, "euccn": GB18030,
	"big5": Big5, "big5hkscs": Big5, "cp950": Big5, "windows950": Big5,
	"shiftjis": ShiftJIS, "sjis": ShiftJIS, "cp932": ShiftJIS, "windows31j": ShiftJIS, "windows932": ShiftJIS, "mskanji": ShiftJIS,
	"euckr": EUCKR, "cp949": EUCKR, "uhc": EUCKR, "windows949": EUCKR, "ksc5601": EUCKR,
	"windows1252": Windows1252, "cp1252": Windows1252, "latin1": Windows1252, "iso88591": Windows1252, "ascii": Windows1252,
}

// Find returns the canonical name of a set, whose spelling may differ; false for an
// unknown set.
func Find(name string) (string, bool) {
	found, ok := other[strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))]
	return found, ok
}

// Decode converts a text of a set to UTF-8; false where it has bytes that the set lacks,
// or the set is unknown. A text in UTF-8 is returned unchanged, whatever the set.
func Decode(set string, text []byte) (string, bool) {
	if utf8.Valid(text) {
		return string(text), true
	}
	of := sets[set]
	if of == nil {
		return "", false
	}
	decoded, err := of.NewDecoder().Bytes(text)
	if err != nil || !isText(string(decoded)) {
		return "", false
	}
	return string(decoded), true
}

// isText reports whether all code points of a decoded text are assigned: a decoder writes
// U+FFFD, or a control character, for bytes that its set lacks.
func isText(text string) bool {
	for _, r := range text {
		if r == utf8.RuneError || r >= 0x80 && (unicode.IsControl(r) || unicode.Is(unicode.Co, r)) {
			return false
		}
	}
	return true
}

// Only returns the only set that can decode all of the texts; empty where several can, or
// none.
func Only(texts [][]byte) string {
	only := ""
	for _, set := range Names {
		if sets[set] == nil || slices.ContainsFunc(texts, func(text []byte) bool { _, ok := Decode(set, text); return !ok }) {
			continue
		}
		if only != "" {
			return ""
		}
		only = set
	}
	return only
}

// HasBackslashes reports whether a character of the set may end with the byte of a
// backslash, so that such a text must be decoded before it is parsed as JSON.
func HasBackslashes(set string) bool { return set == GB18030 || set == Big5 || set == ShiftJIS }

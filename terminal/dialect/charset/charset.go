// Package charset decodes texts of terminals that are not UTF-8. A text whose set is not
// known is decoded only where one set alone can have it: names are never guessed. Nothing
// in it keeps state: all of it may be used by many goroutines.
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

// The sets, as the WHATWG Encoding Standard has them.
const (
	UTF8        = "utf-8" // and nothing else
	GB18030     = "gb18030"
	Big5        = "big5"
	ShiftJIS    = "shift_jis"
	EUCKR       = "euc-kr"
	Windows1252 = "windows-1252"
)

// Names are the sets that Find takes, by their own names.
var Names = []string{UTF8, GB18030, Big5, ShiftJIS, EUCKR, Windows1252}

var sets = map[string]encoding.Encoding{
	GB18030: simplifiedchinese.GB18030, Big5: traditionalchinese.Big5, ShiftJIS: japanese.ShiftJIS,
	EUCKR: korean.EUCKR, Windows1252: charmap.Windows1252,
}

// other are other names of the sets, or of what is part of them, without "-" and "_".
var other = map[string]string{
	"utf8": UTF8, "gb18030": GB18030, "gbk": GB18030, "gb2312": GB18030, "cp936": GB18030, "windows936": GB18030, "euccn": GB18030,
	"big5": Big5, "big5hkscs": Big5, "cp950": Big5, "windows950": Big5,
	"shiftjis": ShiftJIS, "sjis": ShiftJIS, "cp932": ShiftJIS, "windows31j": ShiftJIS, "windows932": ShiftJIS, "mskanji": ShiftJIS,
	"euckr": EUCKR, "cp949": EUCKR, "uhc": EUCKR, "windows949": EUCKR, "ksc5601": EUCKR,
	"windows1252": Windows1252, "cp1252": Windows1252, "latin1": Windows1252, "iso88591": Windows1252, "ascii": Windows1252,
}

// Find returns the name of a set, which may be written in other ways; false for none
// that is known.
func Find(name string) (string, bool) {
	found, ok := other[strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))]
	return found, ok
}

// Decode returns a text of a set in UTF-8; false where it has bytes that the set has
// not, or the set is not known. A text that is UTF-8 is returned as it is, whatever the set.
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

// isText reports whether all of a decoded text is assigned to characters: a decoder
// writes U+FFFD, or a control character, for bytes that its set has not.
func isText(text string) bool {
	for _, r := range text {
		if r == utf8.RuneError || r >= 0x80 && (unicode.IsControl(r) || unicode.Is(unicode.Co, r)) {
			return false
		}
	}
	return true
}

// Only returns the one set in which alone all of the texts can be; empty where there
// are several, or none.
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
// backslash, so that a text of it cannot be read as JSON before it is decoded.
func HasBackslashes(set string) bool { return set == GB18030 || set == Big5 || set == ShiftJIS }

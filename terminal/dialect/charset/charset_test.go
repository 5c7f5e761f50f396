package charset_test

import (
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"

	"edgelens/terminal/dialect/charset"
)

// texts are names and their bytes in a set.
var texts = []struct{ set, text, bytes string }{
	{charset.GB18030, "张三", "\xd5\xc5\xc8\xfd"},
	{charset.GB18030, "誠", "\xd5\x5c"},
	{charset.GB18030, "㐅", "\x81\x39\xef\x34"},
	{charset.Big5, "許功蓋", "\xb3\x5c\xa5\x5c\xbb\x5c"},
	{charset.ShiftJIS, "ソニー", "\x83\x5c\x83\x6a\x81\x5b"},
	{charset.ShiftJIS, "ｿﾆｰ", "\xbf\xc6\xb0"},
	{charset.EUCKR, "김철수", "\xb1\xe8\xc3\xb6\xbc\xf6"},
	{charset.Windows1252, "José Núñez", "Jos\xe9 N\xfa\xf1ez"},
	{charset.Windows1252, "€", "\x80"},
}

func TestDecode(t *testing.T) {
	for _, test := range texts {
		if got, ok := charset.Decode(test.set, []byte(test.bytes)); !ok || got != test.text {
			t.Errorf("%s of %q: %q %v", test.set, test.text, got, ok)
		}
		if got, ok := charset.Decode(test.set, []byte(test.text)); !ok || got != test.text {
			t.Errorf("UTF-8 takes precedence: %q %v", got, ok)
		}
	}
	for name, test := range map[string]struct{ set, bytes string }{
		"half a character":      {charset.GB18030, "\xd5"},
		"half at the end":       {charset.Big5, "\xb3\x5c\xa5"},
		"bytes outside the set": {charset.EUCKR, "\xff\xff"},
		"an unassigned byte":    {charset.Windows1252, "\x81"},
		"UTF-8 alone":           {charset.UTF8, "\xd5\xc5"},
		"no set":                {"", "\xd5\xc5"},
		"an unknown set":        {"koi8-r", "\xd5\xc5"},
	} {
		if got, ok := charset.Decode(test.set, []byte(test.bytes)); ok || got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestOnly(t *testing.T) {
	for name, test := range map[string]struct {
		texts []string
		want  string
	}{
		"an accent at the end":     {[]string{"Jos\xe9"}, charset.Windows1252},
		"an accent before a space": {[]string{"Jos\xe9 L\xf3pez"}, charset.Windows1252},
		"four bytes a character":   {[]string{"\x81\x39\xef\x34"}, charset.GB18030},
		"GBK or EUC-KR":            {[]string{"\xd5\xc5\xc8\xfd"}, ""},
		"several texts decide":     {[]string{"\xd5\xc5\xc8\xfd", "\x81\x39\xef\x34"}, charset.GB18030},
		"one is in no set":         {[]string{"Jos\xe9", "\x81"}, ""},
		"all are in no set":        {[]string{"\x81\xff\x81"}, ""},
	} {
		var bytes [][]byte
		for _, text := range test.texts {
			bytes = append(bytes, []byte(text))
		}
		if got := charset.Only(bytes); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestFind(t *testing.T) {
	for name, want := range map[string]string{
		"gb18030": charset.GB18030, "GBK": charset.GB18030, "gb2312": charset.GB18030, "CP936": charset.GB18030, "Big5": charset.Big5, "BIG5-HKSCS": charset.Big5,
		"Shift_JIS": charset.ShiftJIS, "shift-jis": charset.ShiftJIS, "SJIS": charset.ShiftJIS, "EUC-KR": charset.EUCKR, "cp949": charset.EUCKR,
		"Windows-1252": charset.Windows1252, "latin1": charset.Windows1252, "UTF-8": charset.UTF8, "utf8": charset.UTF8, "koi8-r": "", "": "", "gbk2": "",
	} {
		if got, ok := charset.Find(name); got != want || ok != (want != "") {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, name := range charset.Names {
		if got, ok := charset.Find(name); !ok || got != name {
			t.Errorf("%s is not found by its own name", name)
		}
	}
}

// FuzzDecode: decoding returns the text that was encoded, or none.
func FuzzDecode(f *testing.F) {
	for _, test := range texts {
		f.Add([]byte(test.bytes))
	}
	f.Add([]byte("\x80\xff\x81\x30\x81"))
	f.Add([]byte("\xfa\xa9\xa9"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, set := range append(charset.Names, "", "x") {
			got, ok := charset.Decode(set, text)
			if !utf8.ValidString(got) || len(got) > 3*len(text) || !ok && got != "" {
				t.Errorf("%s of %q: %q %v", set, text, got, ok)
			}
		}
		if only := charset.Only([][]byte{text}); only != "" {
			if _, ok := charset.Decode(only, text); !ok {
				t.Errorf("%q is not %s", text, only)
			}
		}
		if utf8.Valid(text) {
			return
		}
		for name, encoded := range map[string]func([]byte) ([]byte, error){
			charset.GB18030: simplifiedchinese.GB18030.NewEncoder().Bytes, charset.Big5: traditionalchinese.Big5.NewEncoder().Bytes,
			charset.ShiftJIS: japanese.ShiftJIS.NewEncoder().Bytes, charset.EUCKR: korean.EUCKR.NewEncoder().Bytes, charset.Windows1252: charmap.Windows1252.NewEncoder().Bytes,
		} {
			got, ok := charset.Decode(name, text)
			if !ok {
				continue
			}
			again, err := encoded([]byte(got))
			if err != nil {
				continue // Big5 has two characters that become two each, which its encoder rejects together
			}
			if utf8.Valid(again) {
				continue // another code of the same character, whose bytes are UTF-8 as well, which goes first
			}
			if once, ok := charset.Decode(name, again); !ok || once != got {
				t.Errorf("%s: %q becomes %q", name, got, once)
			}
		}
	})
}

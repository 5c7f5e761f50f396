package terminal

import (
	"strings"
	"testing"
)

func TestExcerpt(t *testing.T) {
	for name, test := range map[string]struct{ payload, want string }{
		"JSON":             {`{"cmd":"heartU", "num" : 17,}`, `{"cmd":"xxxxxx", "num" : 00,}`},
		"single quotes":    {`{'name':'Ann'}`, `{'name':'xxx'}`},
		"no quotes":        {`{name:Ann,x:{y:1}}`, `{name:xxx,x:{y:0}}`},
		"a name's colon":   {`{"name":"Ann: x"}`, `{"name":"xxx: x"}`},
		"a sentence":       {"Ann Lee: came in at 10:00", "xxx xxx: xxxx xx xx 00:00"},
		"an image":         {`{"pic":"` + strings.Repeat("QUJD", 1000) + `"}`, `{"pic":"<392 bytes>...`},
		"control":          {"{\"a\":\"b\x01\nc\"}\x00", `{"a":"x\x01\x0ax"}\x00`},
		"not ASCII":        {`{"name":"张三"}`, `{"name":"......"}`},
		"a name in Big5":   {"{\"\xb3\x5c\":1}", `{".\":0}`},
		"a JPEG":           {"\xff\xd8\xff\xe0\x00\x10JFIF", `....\x00\x10xxxx`},
		"cut at the right": {strings.Repeat("a ", 1000), strings.Repeat("x ", 150) + "..."},
		"nothing":          {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := excerpt([]byte(test.payload)); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

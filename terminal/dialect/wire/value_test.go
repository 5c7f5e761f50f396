package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
)

func TestParse(t *testing.T) {
	nested := func(depth int) string {
		return `{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `}`
	}
	many := func(values int) string { return `{"a":[` + strings.Repeat("1,", values-3) + `1]}` }
	tests := map[string]struct {
		payload string
		ok      bool
	}{
		"an object":             {`{"a":1}`, true},
		"nothing in it":         {`{}`, true},
		"white space around it": {" \r\n{ \"a\" : [ 1 , { } ] }\t\n", true},
		"byte order mark":       {"\xef\xbb\xbf{}", true},
		"trailing zero bytes":   {"{}\x00\x00", true},
		"not UTF-8 in a string": {"{\"a\":\"\xff\"}", true},
		"huge number":           {`{"a":1e999999,"b":` + strings.Repeat("9", 5000) + `}`, true},
		"32 deep":               {nested(32), true},
		"33 deep":               {nested(33), false},
		"a million deep":        {strings.Repeat("[", 1e6), false},
		"brackets in a string":  {`{"a":"` + strings.Repeat("[", 100) + `"}`, true},
		"escaped quotes":        {`{"a":"\\\"[[[\\"}`, true},
		"100000 values":         {many(100_000), true},
		"more than 100000":      {many(100_002), false},
		"nothing":               {"", false},
		"only a mark":           {"\xef\xbb\xbf", false},
		"null":                  {"null", false},
		"a list":                {`[{}]`, false},
		"a number":              {"1", false},
		"a string":              {`"x"`, false},
		"trailing junk":         {`{}x`, false},
		"two objects":           {`{}{}`, false},
		"cut off":               {`{"a":"b`, false},
		"cut off at an escape":  {`{"a":"b\`, false},
		"a JPEG":                {"\xff\xd8\xff\xe0\x00\x10JFIF", false},
		"UTF-16":                {"{\x00}\x00", false},
		"single quotes":         {`{'a':1}`, false},
		"NaN":                   {`{"a":NaN}`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := wire.Parse([]byte(test.payload))
			if (err == nil) != test.ok || err != nil && !errors.Is(err, dialect.ErrMalformed) {
				t.Error(err)
			}
		})
	}
}

func TestText(t *testing.T) {
	tests := map[string]struct{ json, want string }{
		"string":          {`"abc"`, "abc"},
		"number":          {`12`, "12"},
		"fraction":        {`-1.50e3`, "-1.50e3"},
		"spaces":          {`" \t a b \n"`, "a b"},
		"escapes":         {`"\u5f20\/\"\\"`, `张/"\`},
		"half a pair":     {`"\ud800"`, "\uFFFD"},
		"not UTF-8":       {"\"a\xffb\"", "a\uFFFDb"},
		"null":            {`null`, ""},
		"true":            {`true`, ""},
		"object":          {`{"a":1}`, ""},
		"array":           {`["a"]`, ""},
		"missing":         {``, ""},
		"an empty string": {`""`, ""},
		"only a space":    {`" "`, ""},
		"quote and more":  {`"\\"`, `\`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := wire.Value(test.json).Text(); got != test.want {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestIs(t *testing.T) {
	tests := map[string]bool{
		`0`: true, `"0"`: true, `" 0 "`: true, `0.0`: true, `"0.00"`: true, `"00"`: true,
		`"+0"`: false, `-0`: false, `"-0"`: false, `-0.0`: false,
		``: false, `null`: false, `""`: false, `false`: false, `1`: false, `"1"`: false, `0.1`: false, `"0."`: false, `"x"`: false,
		`[0]`: false, `{}`: false, `"0x0"`: false, `"0 0"`: false, `99999999999999999999`: false, `1e-999`: false,
	}
	for json, want := range tests {
		t.Run(json, func(t *testing.T) {
			if got := wire.Value(json).Is(0); got != want {
				t.Error(got)
			}
		})
	}
}

func TestGet(t *testing.T) {
	object, err := wire.Parse([]byte(`{"a":1,"b":null,"c":3,"a":{"b":[1,"]}"]},"d":2,"d":null,"\u0065":5}`))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		names []string
		want  string
	}{
		"the last of two":      {[]string{"a"}, `{"b":[1,"]}"]}`},
		"null":                 {[]string{"b"}, ""},
		"the last of two null": {[]string{"d"}, ""},
		"another name":         {[]string{"b", "x", "c"}, "3"},
		"an escaped name":      {[]string{"e"}, "5"},
		"capitals":             {[]string{"A"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := object.Get(test.names...); string(got) != test.want {
				t.Errorf("%s", got)
			}
		})
	}
	if got := (wire.Object{}).Get("a"); got != nil {
		t.Errorf("of an empty object: %s", got)
	}
}

func TestRecords(t *testing.T) {
	records := func(n int) string { return "[{}" + strings.Repeat(",{}", n-1) + "]" }
	tests := map[string]struct {
		json    string
		want    int // -1: malformed
		leftOut int
	}{
		"one in a list":              {`[{}]`, 1, 0},
		"three in a list":            {`[ {"num":[{}]} , {} , {} ]`, 3, 0},
		"one without a list":         {`{"num":1}`, 1, 0},
		"an empty list":              {`[]`, 0, 0},
		"null":                       {`null`, 0, 0},
		"nothing":                    {``, 0, 0},
		"some are not records":       {`[null,{},5,"x",{}]`, 2, 3},
		"none is a record":           {`[null,5]`, -1, 0},
		"a number":                   {`5`, -1, 0},
		"a string without records":   {`"hello"`, -1, 0},
		"a list in a list":           {`[[{"num":1}],{"num":2}]`, 2, 0},
		"a hundred":                  {records(100), 100, 0},
		"a hundred and one":          {records(101), 100, 1},
		"a thousand non-records":     {"[" + strings.Repeat("0,", 1000) + "{}]", 1, 1000},
		"in a string":                {`"[{\"num\":1},{\"num\":2}]"`, 2, 0},
		"one in a string":            {`"{\"num\":1}"`, 1, 0},
		"almost JSON in a string":    {`"[{'num':1,},]"`, 1, 0},
		"strings in a list":          {`["{\"num\":1}","{\"num\":2}","x"]`, 2, 1},
		"in an object":               {`{"total":2,"list":[{"num":1},{"num":2}]}`, 2, 0},
		"in an object in an object":  {`{"result":{"page":1,"list":[{"NUM":1}]}}`, 1, 0},
		"one in an object":           {`{"record":{"num":1}}`, 1, 0},
		"each in an object":          {`[{"record":{"num":1}},{"record":{"num":2}}]`, 2, 0},
		"a string in an object":      {`{"list":"[{\"num\":1},{\"num\":2}]"}`, 2, 0},
		"two lists, ambiguous":       {`{"a":[{"num":1}],"b":[{"num":2}]}`, 1, 0},
		"an object that has a name":  {`{"num":1,"list":[{"num":2},{"num":3}]}`, 1, 0},
		"no name anywhere":           {`{"pos":{"x":1}}`, 1, 0},
		"wrapped too often":          {`{"a":{"a":{"a":{"a":{"a":{"a":{"num":1}}}}}}}`, 1, 0},
		"a hundred and one, wrapped": {`{"list":` + strings.ReplaceAll(records(101), "{}", `{"num":1}`) + `}`, 100, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			found, leftOut, err := wire.Value(test.json).Records("num", "name")
			if (err != nil) != (test.want < 0) || err != nil && !errors.Is(err, dialect.ErrMalformed) {
				t.Fatal(err)
			}
			if err == nil && (len(found) != test.want || leftOut != test.leftOut) {
				t.Errorf("%d, and %d left out", len(found), leftOut)
			}
		})
	}
}

func TestKey(t *testing.T) {
	long := strings.Repeat("x", 65)
	parts := [][]string{
		{"a", "b", "c"}, {"a", "b|c"}, {"a|b", "c"}, {"a|b|c"}, {"a", "b%7Cc"}, {"a%7Cb", "c"}, {"a", "", "bc"}, {"a", "bc", ""}, {"", "a", "bc"},
		{long}, {long + "x"}, {wire.Digest(long)}, {"%"}, {"%25"}, {"%2525"}, {""}, {"", ""},
	}
	seen := map[string][]string{}
	for _, p := range parts {
		key := wire.Key(append([]string(nil), p...)...)
		if before, ok := seen[key]; ok {
			t.Errorf("%q is the key of %q and %q", key, before, p)
		}
		if len(key) > 300 {
			t.Errorf("%q has %d bytes", key, len(key))
		}
		seen[key] = p
	}
}

func TestNameAndLine(t *testing.T) {
	long := strings.Repeat("é", 200)
	tests := map[string]struct{ text, name, line string }{
		"plain":       {"heartU", "heartU", "heartU"},
		"controls":    {"a\x1b[31m\x00b", "a?[31m?b", "a [31m b"},
		"two lines":   {"a\nb", "a?b", "a b"},
		"long":        {long, strings.Repeat("?", 64), long[:100]},
		"cut in two":  {"x" + long, "x" + strings.Repeat("?", 63), "x" + long[:98]},
		"base64":      {strings.Repeat("QUJD", 64), strings.Repeat("QUJD", 16), ""},
		"a data URI":  {"data:image/png;base64,QUJD", "data:image/png;base64,QUJD", ""},
		"Chinese":     {"张三", "??", "张三"},
		"only spaces": {"  ", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v := value(t, test.text)
			if got := v.Name(); got != test.name {
				t.Errorf("name %q", got)
			}
			if got := v.Line(100); got != test.line {
				t.Errorf("line %q", got)
			}
		})
	}
}

func TestWholeNumber(t *testing.T) {
	tests := map[string]string{
		"0": "0", "490805": "490805", "007": "7", "000": "0", "999999999999999999": "999999999999999999",
		"": "", "-1": "", "1.0": "", "1e3": "", " 1": "", "x": "", "1999999999999999999": "",
	}
	for text, want := range tests {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			if got := wire.WholeNumber(text); string(got) != want {
				t.Errorf("%s", got)
			}
		})
	}
}

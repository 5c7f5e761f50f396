package lenient_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"edgelens/terminal/dialect/lenient"
)

func utf16Of(text string, bigEndian, mark bool) string {
	var out []byte
	units := utf16.Encode([]rune(text))
	if mark {
		units = append([]uint16{0xfeff}, units...)
	}
	for _, unit := range units {
		if bigEndian {
			out = append(out, byte(unit>>8), byte(unit))
		} else {
			out = append(out, byte(unit), byte(unit>>8))
		}
	}
	return string(out)
}

// readTests have a payload, the objects in it (empty for an error) and the repairs.
var readTests = map[string]struct {
	payload  string
	want     string
	repaired string
}{
	"line break in a string":         {"{\"a\":\"b\nc\"}", `{"a":"b\nc"}`, "control characters"},
	"carriage return and line feed":  {"{\"a\":\"b\r\nc\"}", `{"a":"b\r\nc"}`, "control characters"},
	"tab in a string":                {"{\"a\":\"b\tc\"}", `{"a":"b\tc"}`, "control characters"},
	"zero bytes in a string":         {"{\"a\":\"b\x00\x00\"}", `{"a":"b"}`, "control characters"},
	"escape character in a string":   {"{\"a\":\"b\x1bc\"}", `{"a":"b c"}`, "control characters"},
	"tab in a name":                  {"{\"a\t\":1}", `{"a\t":1}`, "control characters"},
	"comma at the end":               {`{"a":[1,2,],}`, `{"a":[1,2]}`, "a comma too many"},
	"comma before the first":         {`{,"a":[,1]}`, `{"a":[1]}`, "a comma too many"},
	"two commas":                     {`{"a":1,,"b":2}`, `{"a":1,"b":2}`, "a comma too many"},
	"single quotes":                  {`{'a':'b"c','d':"e'f"}`, `{"a":"b\"c","d":"e'f"}`, "single quotes"},
	"escaped single quote":           {`{'a':'b\'c'}`, `{"a":"b'c"}`, "single quotes"},
	"comments":                       {"{/* a */\"a\":1 // b\n,# c\n\"b\":2}/*", `{"a":1,"b":2}`, "a comment"},
	"comment after a value":          {"{\"a\":1//b\n,\"b\":x/**/}", `{"a":1,"b":"x"}`, "a comment, values without quotes"},
	"address in a string":            {`{"a":"http://x/*#",}`, `{"a":"http://x/*#"}`, "a comma too many"},
	"names without quotes":           {`{a:1,b_2:{$c:2}}`, `{"a":1,"b_2":{"$c":2}}`, "names without quotes"},
	"values without quotes":          {`{"cmd":heartU}`, `{"cmd":"heartU"}`, "values without quotes"},
	"capitals":                       {`{"a":True,"b":FALSE,"c":Null}`, `{"a":true,"b":false,"c":null}`, "values without quotes"},
	"Python":                         {`{'a':None,'b':True}`, `{"a":null,"b":true}`, "single quotes, values without quotes, NaN or the like"},
	"NaN":                            {`{"a":NaN,"b":-Infinity,"c":nan,"d":-nan(ind),"e":1.#QNAN}`, `{"a":null,"b":null,"c":null,"d":null,"e":null}`, "NaN or the like"},
	"leading zeros":                  {`{"a":007,"b":+1,"c":.5,"d":1.,"e":0x1F}`, `{"a":"007","b":"+1","c":".5","d":"1.","e":"0x1F"}`, "values without quotes"},
	"numbers":                        {`{"a":-1.5e3,"b":0,}`, `{"a":-1.5e3,"b":0}`, "a comma too many"},
	"path of Windows":                {`{"a":"C:\pics\7.jpg"}`, `{"a":"C:\\pics\\7.jpg"}`, "backslashes that escape nothing"},
	"half an escape":                 {`{"a":"\u12","b":"\uzzzz"}`, `{"a":"\\u12","b":"\\uzzzz"}`, "backslashes that escape nothing"},
	"escapes that are right":         {`{"a":"\u5f20\n\\\"\/",}`, `{"a":"\u5f20\n\\\"\/"}`, "a comma too many"},
	"two messages":                   {`{"a":1}{"b":2}`, `{"a":1} {"b":2}`, "several messages in one"},
	"a message a line":               {"{\"a\":1}\r\n{\"b\":2}\r\n", `{"a":1} {"b":2}`, "several messages in one"},
	"with commas":                    {`{"a":1},{"b":2},`, `{"a":1} {"b":2}`, "several messages in one"},
	"record separators":              {"\x1e{\"a\":1}\n\x1e{\"b\":2}", `{"a":1} {"b":2}`, "several messages in one"},
	"in an array":                    {`[{"a":1},{"b":2}]`, `{"a":1} {"b":2}`, "several messages in one"},
	"one in an array":                {`[{"a":1}]`, `{"a":1}`, ""},
	"the second cut off":             {`{"a":1}{"b":`, `{"a":1}`, "text behind it"},
	"a byte after it":                {"{\"a\":1}\x01", `{"a":1}`, "text behind it"},
	"zero bytes and more after it":   {"{\"a\":1}\x00\x00xyz", `{"a":1}`, "control characters, text behind it"},
	"a bracket after it":             {`{"a":1}}`, `{"a":1}`, "text behind it"},
	"text in front":                  {"payload: {\"a\":1}", `{"a":1}`, "text in front"},
	"prefix against JSON hijacking":  {")]}',\n{\"a\":1}", `{"a":1}`, "text in front"},
	"mark of UTF-8":                  {"\xef\xbb\xbf{\"a\":1,}", `{"a":1}`, "a comma too many"},
	"two marks of UTF-8":             {"\xef\xbb\xbf\xef\xbb\xbf{\"a\":1}", `{"a":1}`, ""},
	"UTF-16, little endian":          {utf16Of(`{"a":"张😀"}`, false, true), `{"a":"张😀"}`, "UTF-16"},
	"UTF-16, big endian":             {utf16Of(`{"a":"张😀"}`, true, true), `{"a":"张😀"}`, "UTF-16"},
	"UTF-16 without a mark":          {utf16Of(`{"a":"张"}`, false, false), `{"a":"张"}`, "UTF-16"},
	"UTF-16 BE without a mark":       {utf16Of(`[{"a":"张"}]`, true, false), `{"a":"张"}`, "UTF-16"},
	"UTF-16 and a byte more":         {utf16Of(`{"a":1}`, false, true) + "\x00", `{"a":1}`, "UTF-16"},
	"UTF-16, almost JSON":            {utf16Of(`{'a':1}`, false, true), `{"a":1}`, "single quotes, UTF-16"},
	"JSON in a string":               {`"{\"a\":\"b\\\"c\"}"`, `{"a":"b\"c"}`, "JSON in a string"},
	"twice in a string":              {`"\"{\\\"a\\\":1}\""`, `{"a":1}`, "JSON in a string"},
	"three times in a string":        {`"\"\\\"{}\\\"\""`, "", ""},
	"GBK in JSON in a string":        {"\"{\\\"a\\\":\\\"\xd5\xc5\xc8\xfd\\\"}\"", "{\"a\":\"\xd5\xc5\xc8\xfd\"}", "JSON in a string"},
	"almost JSON in a string":        {`"{'a':1}"`, `{"a":1}`, "single quotes, JSON in a string"},
	"Big5, a backslash at the end":   {"{\"a\":\"\xb3\\\"}", "{\"a\":\"\xb3\\\\\"}", ""},
	"GBK, a backslash in the middle": {"{\"a\":\"\xd5\\n\",}", "{\"a\":\"\xd5\\\\n\"}", "a comma too many"},
	"GBK without quotes":             {"{a:\xd5\\}", "{\"a\":\"\xd5\\\\\"}", "names without quotes, values without quotes"},
	"Latin 1 and an escaped quote":   {"{\"a\":\"caf\xe9\\\"\",}", "{\"a\":\"caf\xe9\\\"\"}", "a comma too many"},
	"UTF-8 beside another set":       {"{\"a\":\"\u5f20\\n\",\"b\":\"\xd5\\\"}", "{\"a\":\"\u5f20\\n\",\"b\":\"\xd5\\\\\"}", ""},
	"32 deep":                        {`{"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `,}`, `{"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`, "a comma too many"},
	"33 deep":                        {`{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `,}`, "", ""},
	"a million brackets":             {strings.Repeat("[", 1e6), "", ""},
	"nothing":                        {"", "", ""},
	"white space":                    {" \n\x00", "", ""},
	"a number":                       {"17", "", ""},
	"a word":                         {"hello", "", ""},
	"a string":                       {`"hello"`, "", ""},
	"null":                           {"null", "", ""},
	"a comment alone":                {"// {}", "", ""},
	"a JPEG":                         {"\xff\xd8\xff\xe0\x00\x10JFIF", "", ""},
	"cut off in a string":            {`{"a":"b`, "", ""},
	"cut off at a backslash":         {`{"a":"b\`, "", ""},
	"cut off after a name":           {`{"a"`, "", ""},
	"cut off after a colon":          {`{"a":`, "", ""},
	"cut off after a comma":          {`{"a":1,`, "", ""},
	"a comma is missing":             {`{"a":1 "b":2}`, "", ""},
	"a colon is missing":             {`{"a" 1}`, "", ""},
	"a quote in a string":            {`{"a":"b"c"}`, "", ""},
	"no value":                       {`{"a":}`, "", ""},
	"a long word":                    {`{"a":` + strings.Repeat("x", 1000) + `}`, "", ""},
	"a bracket of another kind":      {`{"a":[1}}`, "", ""},
	"much text in front":             {strings.Repeat("x", 100) + `{"a":1}`, "", ""},
}

func TestRead(t *testing.T) {
	for name, test := range readTests {
		t.Run(name, func(t *testing.T) {
			result, err := lenient.Read([]byte(test.payload))
			if (err == nil) != (test.want != "") {
				t.Fatal(err)
			}
			var objects []string
			for _, object := range result.Objects {
				if !json.Valid(object) {
					t.Errorf("%q is not JSON", object)
				}
				objects = append(objects, string(object))
			}
			if got := strings.Join(objects, " "); got != test.want || result.Repaired != test.repaired || result.LeftOut != 0 {
				t.Errorf("%q, %q", got, result.Repaired)
			}
		})
	}
}

func TestReadKeepsTheFirstHundred(t *testing.T) {
	result, err := lenient.Read([]byte(strings.Repeat(`{"a":1}`, 150)))
	if err != nil || len(result.Objects) != lenient.MaxMessages || result.LeftOut != 50 {
		t.Errorf("%d objects, %d left out, %v", len(result.Objects), result.LeftOut, err)
	}
}

// size2MB is the size of the largest messages that the benchmark is for.
const size2MB = 2 << 20

// large returns payloads of that size whose reading might not be linear.
func large(size int) map[string]string {
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	nested := strings.Repeat(`{"a":[`, 15)
	return map[string]string{
		"brackets":                   fill("["),
		"braces":                     fill("{"),
		"objects in objects":         fill(`{"a":`),
		"nested, repeatedly":         fill(nested + strings.Repeat(`]}`, 15)),
		"deep, with a long end":      nested + fill("1,") + strings.Repeat(`]}`, 15) + ",",
		"a string deep inside":       nested + `"` + fill("x\n") + `"` + strings.Repeat(`]}`, 15),
		"quotes":                     fill(`"`),
		"escaped quotes":             `{"a":"` + fill(`\"`),
		"backslashes":                `{"a":"` + fill(`\`),
		"string in a string":         `"` + fill(`\"`) + `"`,
		"JSON in a string":           `"{\"a\":\"` + fill("x") + `\"}"`,
		"comments":                   fill("/**/"),
		"a comment without end":      fill("/*"),
		"commas":                     `{` + fill(","),
		"words":                      `{"a":[` + fill("x,"),
		"empty objects":              fill("{}"),
		"not UTF-8":                  `{"a":"` + fill("\xd5\\"),
		"not UTF-8, outside strings": fill("\xd5\\"),
		"zero bytes":                 fill("\x00"),
		"UTF-16":                     "\xff\xfe{\x00" + fill("[\x00"),
		"an image in lines":          `{"a":"` + fill(strings.Repeat("QUJD", 19)+"\n") + `"}`,
	}
}

// Eight times the payload takes about eight times as long: a quadratic reader would take
// 64 times. BenchmarkRead shows that 2 MB take less than 50 ms.
func TestReadIsLinear(t *testing.T) {
	const times = 8
	parts := large(size2MB / times)
	for name, payload := range large(size2MB) {
		t.Run(name, func(t *testing.T) {
			part := parts[name]
			var lowest float64
			for range 20 { // another process may use the CPU
				few, all := took(t, part), took(t, payload)
				if ratio := float64(all) / float64(max(few, 100*time.Microsecond)); lowest == 0 || ratio < lowest {
					lowest = ratio
				}
				if lowest < 3*times {
					return
				}
			}
			t.Errorf("%d times the payload takes %.0f times as long", times, lowest)
		})
	}
}

// took returns the CPU time for reading a payload.
func took(t *testing.T, payload string) time.Duration {
	t.Helper()
	start := processorTime(t)
	_, _ = lenient.Read([]byte(payload))
	return processorTime(t) - start
}

func BenchmarkRead(b *testing.B) {
	for name, payload := range large(size2MB) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				_, _ = lenient.Read([]byte(payload))
			}
		})
	}
}

// processorTime returns the CPU time of this process.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func FuzzRead(f *testing.F) {
	for _, test := range readTests {
		if len(test.payload) < 10_000 {
			f.Add([]byte(test.payload))
		}
	}
	for _, payload := range large(4 << 10) {
		f.Add([]byte(payload[:200]))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		start := time.Now()
		result, err := lenient.Read(payload)
		if took := time.Since(start); took > time.Second+time.Duration(len(payload))*time.Microsecond {
			t.Errorf("%v for %d bytes", took, len(payload))
		}
		if (err == nil) != (len(result.Objects) > 0) || len(result.Objects) > lenient.MaxMessages {
			t.Errorf("%d objects, %v", len(result.Objects), err)
		}
		size := 0
		for _, object := range result.Objects {
			if !json.Valid(object) || object[0] != '{' {
				t.Errorf("%q is not a JSON object", object)
			}
			size += len(object)
		}
		if size > 2*len(payload)+64 {
			t.Errorf("%d bytes became %d", len(payload), size)
		}
		if err != nil && len(fmt.Sprint(err)) > 100 {
			t.Error(err)
		}
		// Valid JSON in UTF-8 stays unchanged.
		if utf8.Valid(payload) && json.Valid(payload) && err == nil && len(result.Objects) == 1 && result.Repaired == "" && payload[0] == '{' {
			var before, after any
			if json.Unmarshal(payload, &before) == nil && json.Unmarshal(result.Objects[0], &after) == nil && fmt.Sprint(before) != fmt.Sprint(after) {
				t.Errorf("%q became %q", payload, result.Objects[0])
			}
		}
	})
}

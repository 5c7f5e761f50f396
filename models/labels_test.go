package models_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/models"
)

func TestParseLabels(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"plain":                    {"red\ngreen\nblue\n", []string{"red", "green", "blue"}},
		"no newline at the end":    {"red\ngreen", []string{"red", "green"}},
		"carriage returns":         {"red\r\ngreen\r\n", []string{"red", "green"}},
		"byte order mark":          {"\xef\xbb\xbfred\ngreen\n", []string{"red", "green"}},
		"spaces around":            {" red \n\tgreen\t\n", []string{"red", "green"}},
		"blank lines at the end":   {"red\n\n \n\r\n", []string{"red"}},
		"a class without a name":   {"red\n\nblue\n", []string{"red", "", "blue"}},
		"commas and accents stay":  {"cougar, puma\nÄffchen\n", []string{"cougar, puma", "Äffchen"}},
		"numbered, two spaces":     {"0  background\n1  tench, Tinca tinca\n", []string{"background", "tench, Tinca tinca"}},
		"numbered, colon":          {"0: a\n1:b\n2 : c\n", []string{"a", "b", "c"}},
		"numbered, tab":            {"0\ta\n1\tb\n", []string{"a", "b"}},
		"numbered, one space":      {"0 Class 1\n1 Class 2\n", []string{"Class 1", "Class 2"}},
		"numbered, with gaps":      {"0  person\n3  motorcycle\n", []string{"person", "", "", "motorcycle"}},
		"numbered, blank lines":    {"0  a\n\n1  b\n", []string{"a", "b"}},
		"numbered, wide spaces":    {"0 \u00a0 a\n1 \u3000b\n", []string{"a", "b"}},
		"names that begin so":      {"7 of hearts\n8 of hearts\n", []string{"7 of hearts", "8 of hearts"}},
		"coins":                    {"1 euro\n2 euro\n5 euro\n", []string{"1 euro", "2 euro", "5 euro"}},
		"one line without number":  {"0  a\nb\n", []string{"0  a", "b"}},
		"numbers that do not rise": {"1  a\n0  b\n", []string{"b", "a"}},
		"numbered, point":          {"0. a\n1. b\n", []string{"a", "b"}},
		"numbered, comma":          {"0,a\n1,b\n", []string{"a", "b"}},
		"number last":              {"b,1\na,0\n", []string{"a", "b"}},
		"number last, from 1":      {"a: 1\nb: 2\n", []string{"", "a", "b"}},
		"years stay":               {"Golf, 1974\nPolo, 1975\n", []string{"Golf, 1974", "Polo, 1975"}},
		"from 1, colon":            {"1: a\n2: b\n", []string{"", "a", "b"}},
		"from 1, one space":        {"1 a\n2 b\n3 c\n", []string{"", "a", "b", "c"}},
		"from 1, parenthesis":      {"1) a\n2) b\n", []string{"", "a", "b"}},
		"single spaces, any order": {"0 dark\n2 bright\n1 middle\n", []string{"dark", "middle", "bright"}},
		"single spaces, from 1":    {"3 bright\n1 dark\n2 middle\n", []string{"", "dark", "middle", "bright"}},
		"leading zeros":            {"00 dark\n02 bright\n01 middle\n", []string{"dark", "middle", "bright"}},
		"leading spaces":           {" 0 dark\n  2 bright\n 1 middle\n", []string{"dark", "middle", "bright"}},
		"equals sign":              {"0=dark\n2 = bright\n1=middle\n", []string{"dark", "middle", "bright"}},
		"arrow":                    {"0 -> dark\n2 -> bright\n1 -> middle\n", []string{"dark", "middle", "bright"}},
		"hyphen":                   {"0-dark\n2-bright\n1-middle\n", []string{"dark", "middle", "bright"}},
		"hyphen and spaces":        {"2 - bright\n1 - middle\n0 - dark\n", []string{"dark", "middle", "bright"}},
		"underscore":               {"2_bright\n1_middle\n0_dark\n", []string{"dark", "middle", "bright"}},
		"tight point":              {"0.dark\n2.bright\n1.middle\n", []string{"dark", "middle", "bright"}},
		"bar":                      {"0|dark\n2 | bright\n1|middle\n", []string{"dark", "middle", "bright"}},
		"brackets":                 {"[0] dark\n[2] bright\n[1] middle\n", []string{"dark", "middle", "bright"}},
		"number signs":             {"#0 dark\n#2 bright\n#1 middle\n", []string{"dark", "middle", "bright"}},
		"full-width colon":         {"0：dark\n2：bright\n1：middle\n", []string{"dark", "middle", "bright"}},
		"full-width digits":        {"０、暗\n２、亮\n１、中\n", []string{"暗", "中", "亮"}},
		"full-width space":         {"0\u3000dark\n2\u3000bright\n1\u3000middle\n", []string{"dark", "middle", "bright"}},
		"class and colon":          {"class 0: dark\nclass 2: bright\nClass 1: middle\n", []string{"dark", "middle", "bright"}},
		"class, in order":          {"class 0: dark\nclass 1: bright\n", []string{"dark", "bright"}},
		"label_0":                  {"label_0 dark\nlabel_2 bright\nlabel_1 middle\n", []string{"dark", "middle", "bright"}},
		"a word of any language":   {"类别0：暗\n类别2：亮\n类别1：中\n", []string{"暗", "中", "亮"}},
		"bullets":                  {"- 0: dark\n- 2: bright\n- 1: middle\n", []string{"dark", "middle", "bright"}},
		"class and hyphen":         {"class-0 dark\nclass-2 bright\nclass-1 middle\n", []string{"dark", "middle", "bright"}},
		"id and colon":             {"id: 0, dark\nid: 2, bright\nid: 1, middle\n", []string{"dark", "middle", "bright"}},
		"real numbers":             {"0.0,dark\n2.0,bright\n1.0,middle\n", []string{"dark", "middle", "bright"}},
		"hexadecimal":              {"0x0 dark\n0x2 bright\n0x1 middle\n", []string{"dark", "middle", "bright"}},
		"number last, brackets":    {"dark (0)\nbright (2)\nmiddle(1)\n", []string{"dark", "middle", "bright"}},
		"number last, any sign":    {"dark=0\nbright = 2\nmiddle：1\n", []string{"dark", "middle", "bright"}},
		"number last, one space":   {"dark 0\nbright 2\nmiddle 1\n", []string{"dark", "middle", "bright"}},
		"names that are numbers":   {"0: 7\n1: 8\n", []string{"7", "8"}},
		"levels stay":              {"Level 1: easy\nLevel 2: hard\n", []string{"Level 1: easy", "Level 2: hard"}},
		"numbered names stay":      {"Class 1\nClass 3\nClass 2\n", []string{"Class 1", "Class 3", "Class 2"}},
		"fingers stay":             {"0 fingers\n1 fingers\n2 fingers\n", []string{"0 fingers", "1 fingers", "2 fingers"}},
		"brands stay":              {"7 up\n4 wheel\n", []string{"7 up", "4 wheel"}},
		"more coins stay":          {"1 euro\n2 euro\n5 cent\n10 cent\n20 cent\n50 cent\n", []string{"1 euro", "2 euro", "5 cent", "10 cent", "20 cent", "50 cent"}},
		"decimals stay":            {"2,0 l\n0,5 l\n1,5 l\n", []string{"2,0 l", "0,5 l", "1,5 l"}},
		"measures stay":            {"2.0 mm\n0.5 mm\n1.0 mm\n", []string{"2.0 mm", "0.5 mm", "1.0 mm"}},
		"dimensions stay":          {"3D printer\n2D printer\n", []string{"3D printer", "2D printer"}},
		"signs stay":               {"30 km/h\n50 km/h\n120 km/h\n", []string{"30 km/h", "50 km/h", "120 km/h"}},
		"temperatures stay":        {"-5 °C\n0 °C\n5 °C\n", []string{"-5 °C", "0 °C", "5 °C"}},
		"CSV":                      {"id,name\n0,dark\n2,bright\n1,middle\n", []string{"dark", "middle", "bright"}},
		"CSV, name first":          {"name;index\r\ndark;0\r\nbright;1\r\n", []string{"dark", "bright"}},
		"CSV, quoted":              {"Index,\"Display_Name\"\n0,\"tench, Tinca\"\n1,\"a \"\"b\"\"\"\n", []string{"tench, Tinca", `a "b"`}},
		"CSV, YAMNet":              {"index,mid,display_name\n0,/m/09x0r,Speech\n1,/m/0ytgt,\"Child, speaking\"\n", []string{"Speech", "Child, speaking"}},
		"CSV, tabs":                {"class_id\tspecies\n0\tparus\n1\tturdus\n", []string{"parus", "turdus"}},
		"CSV, other heads":         {"class_id,species\n1,b\n0,a\n", []string{"a", "b"}},
		"JSON list":                {` ["1 finger", "2 fingers"] `, []string{"1 finger", "2 fingers"}},
		"JSON object":              {`{"10": "k", "1": "b", "0": "a"}`, []string{"a", "b", "", "", "", "", "", "", "", "", "k"}},
		"JSON, Keras":              {`{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}`, []string{"tench", "goldfish"}},
		"JSON, by name":            {`{"b": 1, "a": 0}`, []string{"a", "b"}},
		"JSON, Hugging Face":       {`{"model_type": "vit", "id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0, "b": 1}}`, []string{"a", "b"}},
		"JSON, objects":            {`[{"id": 1, "name": "b"}, {"id": 0, "name": "a"}]`, []string{"a", "b"}},
		"JSON, objects in order":   {`{"classes": [{"name": "a"}, {"name": "b"}]}`, []string{"a", "b"}},
		"JSON, from 1":             {`{"1": "a", "2": "b"}`, []string{"", "a", "b"}},
		"brackets in names":        {"[PAD]\nred\n[MASK]\n", []string{"[PAD]", "red", "[MASK]"}},
		"pbtxt":                    {"# map\nitem {\n  id: 1\n  name: 'b # {'\n}\nitem { name: \"a\\\"\" id: 0 }\n", []string{`a"`, "b # {"}},
		"pbtxt, display name":      {"item {\n name: \"/m/01\"\n id: 0\n display_name: \"Cat\"\n}\n", []string{"Cat"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := models.ParseLabels([]byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestParseLabelsErrors(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"empty":             {"", "empty"},
		"blank":             {"\n \r\n", "empty"},
		"latin-1":           {"red\nbl\xe9\n", "line 2 of the labels is not valid UTF-8"},
		"utf-16":            {"\xff\xfer\x00e\x00d\x00", "not valid UTF-8"},
		"nul":               {"r\x00e\x00d\x00\n", "line 1 of the labels has a control character"},
		"terminal escape":   {"red\n\x1b[31mgreen\n", "line 2 of the labels has a control character"},
		"old Mac newlines":  {"red\rgreen\r", "control character"},
		"above the bound":   {"0  a\n100000  b\n", "the number 100000"},
		"twice":             {"0: a\n0: b\n", "number 0 to two classes"},
		"a gap, one space":  {"0 dark\n3 bright\n1 middle\n", "each line of the labels begins with a number"},
		"from 1 with a gap": {"1 dark\n2 middle\n4 bright\n", "not 0 to 2 in some order"},
		"class and a gap":   {"class 0: dark\nclass 3: bright\nclass 1: middle\n", "JSON list"},
		"a negative one":    {"-1 none\n1 dark\n0 bright\n", "not 0 to 2"},
		"twice, one space":  {"0 a\n1 b\n1 c\n3 d\n", "not 0 to 3"},
		"CSV, no number":    {"id,name\nzero,dark\n", "row 2"},
		"CSV, short row":    {"id,name\n0\n", "row 2"},
		"CSV, negative":     {"id,name\n-1,dark\n", "number -1"},
		"JSON, broken":      {`["a", "b",]`, "look like JSON"},
		"JSON, broken too":  {`{"0": "a" "1": "b"}`, "look like JSON"},
		"JSON, other":       {`{"a": {"b": 1}}`, "another form"},
		"JSON, numbers":     {`[1, 2]`, "another form"},
		"JSON, half":        {`[{"id": 0, "name": "a"}, {"name": "b"}]`, "some have none"},
		"JSON, escape":      {`["a\u001b[31m"]`, "control character"},
		"JSON, too high":    {`{"1000000000": "a"}`, "1000000000"},
		"JSON, empty":       {`[]`, "empty"},
		"pbtxt, broken":     {"item { id: 0 name: \"a\" }\nitem { id: 1", "item 1"},
		"pbtxt, no id":      {"item { name: \"a\" }", "no id"},
		"long line":         {strings.Repeat("a", 1001), "1001 bytes"},
		"too many":          {strings.Repeat("a\n", 100_001), "100001 lines"},
		"too large":         {strings.Repeat("a", 4<<20+1), "more than 4194304 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := models.ParseLabels([]byte(tc.text))
			if !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want ErrModel with %q", err, tc.want)
			}
		})
	}
}

func TestImageNetLabels(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(testutil.Shared(t), "models", "imagenet_labels.txt"))
	if err != nil {
		t.Fatal(err)
	}
	names, err := models.ParseLabels(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 1001 || names[0] != "background" || names[286] != "Egyptian cat" {
		t.Errorf("got %d labels, 0 %q, 286 %q", len(names), names[0], names[286])
	}
}

func FuzzParseLabels(f *testing.F) {
	for _, seed := range []string{"red\ngreen\n", "0  a\n5: b", "\xef\xbb\xbf1 a\r\n", "bl\xe9", "0  \u00a0 p", "class 1: a\nclass 0: b", "０、暗\n１、亮", "[0] a\n[1] b", "a 1\nb 0", "-1 a\n0 b", "0.5 mm\n1.0 mm",
		"id,name\n0,dark\n1,\"bright, b\"\n", `{"0": ["n01", "a"], "1": "b"}`, `[{"id": 1, "name": "b"}, {"id": 0, "name": "a"}]`, `["a"]`, `{"id2label": {"0": "a"}}`,
		"item { id: 1 name: 'b' }\nitem { name: \"a\\\"\" id: 0 }", "b,1\na,0\n", "name;index\nx;0"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		names, err := models.ParseLabels(data)
		if err != nil {
			if !errors.Is(err, edgelens.ErrModel) {
				t.Errorf("not ErrModel: %v", err)
			}
			return
		}
		if len(names) == 0 || len(names) > 100_000 {
			t.Errorf("%d labels", len(names))
		}
		for _, name := range names {
			if !utf8.ValidString(name) || strings.TrimSpace(name) != name || strings.ContainsAny(name, "\n\r\x00\x1b") {
				t.Errorf("label %q", name)
			}
		}
	})
}

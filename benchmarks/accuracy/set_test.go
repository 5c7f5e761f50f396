package accuracy_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"edgelens"
	"edgelens/benchmarks/accuracy"
)

// labels are those of a model: with several names, a word that two classes have, a synset, and none.
var labels = []string{"background", "tench, Tinca tinca", "crane", "Great White Shark, white shark", "crane", "n02123045 tabby, tabby cat", "", "tinca"}

// folder makes files in a folder.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// read reads a folder as lines "FILE CLASS", and the images without a class as "FILE: REASON".
func read(t testing.TB, dir string) (items, unmatched []string, set *accuracy.Set) {
	t.Helper()
	set, err := accuracy.ReadSet(dir, accuracy.NewClasses(len(labels), labels))
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range set.Items {
		items = append(items, fmt.Sprint(item.File, " ", item.Class))
	}
	for _, u := range set.Unmatched {
		unmatched = append(unmatched, fmt.Sprint(u.File, ": ", u.Reason))
	}
	return items, unmatched, set
}

func TestLabelsFile(t *testing.T) {
	for name, tt := range map[string]struct {
		text      string
		want      string // items, comma-separated
		unmatched string // words of the reasons, comma-separated
		note      string
	}{
		"ids, tabs":             {"file\tclass_id\tsynset\na.jpg\t3\tn01484850\nb.jpg\t7\tn0\n", "a.jpg 3,b.jpg 7", "", ""},
		"BOM, CRLF, quotes":     {"\xef\xbb\xbffile,label\r\n\"a, b.jpg\",\"Tench, tinca TINCA\"\r\n", "a, b.jpg 1", "", ""},
		"semicolons":            {"Image Name;Class-Index;x,y\na.jpg;2;5\n", "a.jpg 2", "", "x,y"},
		"any kind of class":     {"filename,class\na.jpg,3\nb.jpg,white_shark\nc.jpg,n02123045\nd.jpg,Tabby  Cat\n", "a.jpg 3,b.jpg 3,c.jpg 5,d.jpg 5", "", ""},
		"synsets":               {"path,wnid\na.jpg,N02123045\nb.jpg,n99999999\n", "a.jpg 5", "no class", ""},
		"out of range":          {"file,class_id\na.jpg,8\nb.jpg,-1\nc.jpg,1.5\n", "", "0 to 7,0 to 7,not the number", ""},
		"a name of two":         {"file,label\na.jpg,crane\nb.jpg,tinca\n", "b.jpg 7", "2 and 4", ""},
		"columns disagree":      {"file,class_id,label\na.jpg,1,tench\nb.jpg,3,tench\nc.jpg,99,tench\nd.jpg,1,unheard\n", "a.jpg 1,d.jpg 1", "different classes,0 to 7", ""},
		"no class in a line":    {"file,class_id,label\na.jpg,,\nb.jpg,,tench\n", "b.jpg 1", "no class", ""},
		"an image again":        {"file,class_id\na.jpg,1\n./a.jpg,1\n", "a.jpg 1", "", "1 line of labels.csv lists an image again"},
		"an image of two":       {"file,class_id\na.jpg,1\nb.jpg,2\na.jpg,3\n", "b.jpg 2", "two classes", ""},
		"in folders, backslash": {"file,class_id\nx\\a.jpg,1\ny/b.jpg,2\n", "x/a.jpg 1,y/b.jpg 2", "", ""},
		"blank lines":           {"\nfile,class_id\n\n  \na.jpg,1\n", "a.jpg 1", "", ""},
		"a short line":          {"file,class_id,label\na.jpg,1\n", "a.jpg 1", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			items, unmatched, set := read(t, folder(t, map[string]string{"labels.csv": tt.text}))
			if got := strings.Join(items, ","); got != tt.want {
				t.Errorf("images %q, want %q", got, tt.want)
			}
			var want []string
			if tt.unmatched != "" {
				want = strings.Split(tt.unmatched, ",")
			}
			if len(unmatched) != len(want) {
				t.Fatalf("without a class %q, want %q", unmatched, want)
			}
			for i, words := range want {
				if !strings.Contains(unmatched[i], words) {
					t.Errorf("reason %q, want %q", unmatched[i], words)
				}
			}
			if notes := strings.Join(set.Notes, " "); !strings.Contains(notes, tt.note) || tt.note == "" && notes != "" {
				t.Errorf("notes %q, want %q", notes, tt.note)
			}
		})
	}
}

func TestLabelsFileIsRejected(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"empty":               {"", "empty"},
		"no file column":      {"name,class_id\na.jpg,1\n", "no column is named file"},
		"no class column":     {"file,width\na.jpg,1\n", "no column is named class_id"},
		"a class twice":       {"file,label,class_name\na.jpg,x,y\n", "two columns are the label"},
		"the file twice":      {"file,path,label\na.jpg,x,y\n", "two columns are the file"},
		"too many fields":     {"file,label\na.jpg,tench, Tinca\n", "line 2: the request is not valid: there are 3 fields but 2 columns"},
		"an open quote":       {"file,label\n\"a.jpg,tench\nb.jpg,x\n", "quote is not closed"},
		"a line without file": {"file,label\n,tench\n", "line 2"},
		"a long name":         {"file,label\n" + strings.Repeat("x", 5000) + ",tench\n", "at most 4096"},
		"not UTF-8":           {"file,label\na.jpg,t\xffnch\n", "UTF-8"},
		"UTF-16":              {"\xff\xfef\x00", "UTF-16"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := accuracy.ReadSet(folder(t, map[string]string{"labels.tsv": tt.text}), accuracy.NewClasses(len(labels), labels))
			if !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "labels.tsv") {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestClassFolders(t *testing.T) {
	dir := folder(t, map[string]string{
		"tench/a.JPG": "", "tench/deep/b.png": "", "tench/notes.txt": "", "tench/.hidden.jpg": "", "Tinca_tinca/c.webp": "", "3/d.bmp": "",
		"n02123045/e.jpg": "", "crane/f.jpg": "", "dog/g.jpg": "", "dog/h.jpg": "", ".git/i.jpg": "", "loose.jpg": "", "README.md": "",
	})
	items, unmatched, set := read(t, dir)
	want := []string{"3/d.bmp 3", "Tinca_tinca/c.webp 1", "n02123045/e.jpg 5", "tench/a.JPG 1", "tench/deep/b.png 1"}
	if !slices.Equal(items, want) {
		t.Errorf("images %q, want %q", items, want)
	}
	if len(unmatched) != 4 || !strings.Contains(unmatched[0], "crane/f.jpg") || !strings.Contains(unmatched[1], "dog/g.jpg") || !strings.Contains(unmatched[3], "loose.jpg") {
		t.Errorf("without a class: %q", unmatched)
	}
	notes := strings.Join(set.Notes, "\n")
	if !strings.Contains(notes, "Tinca_tinca and tench are the same class, tench") || !strings.Contains(notes, "1 file in the sub-folders is not named as images are") || set.From != "" {
		t.Errorf("notes %q, from %q", notes, set.From)
	}
}

func TestLabelsFileWins(t *testing.T) {
	dir := folder(t, map[string]string{"labels.csv": "file,class_id\nx.jpg,2\n", "labels.tsv": "file\tclass_id\ntench/a.jpg\t3\n", "tench/a.jpg": "", "dog/b.jpg": ""})
	items, _, set := read(t, dir)
	if notes := strings.Join(set.Notes, "\n"); !slices.Equal(items, []string{"tench/a.jpg 3"}) || set.From != "labels.tsv" ||
		!strings.Contains(notes, "the names of the 2 sub-folders are not used") || !strings.Contains(notes, "labels.csv is not used") {
		t.Errorf("%q from %s: %s", items, set.From, notes)
	}
}

func TestSynsetsOfAFileBeside(t *testing.T) {
	dir := folder(t, map[string]string{"LOC_synset_mapping.txt": "n01440764 tench, Tinca tinca\nn01484850 white shark\nn00000001 dragon\n", "n01440764/a.jpg": "", "n00000001/b.jpg": ""})
	items, unmatched, set := read(t, dir)
	if !slices.Equal(items, []string{"n01440764/a.jpg 1"}) || len(unmatched) != 1 || !strings.Contains(strings.Join(set.Notes, ""), "names 2 synsets") {
		t.Errorf("%q, %q, %q", items, unmatched, set.Notes)
	}
}

func TestNoSet(t *testing.T) {
	file := filepath.Join(folder(t, map[string]string{"a.txt": ""}), "a.txt")
	for name, dir := range map[string]string{"none": "/no/such/folder", "a file": file} {
		if _, err := accuracy.ReadSet(dir, accuracy.NewClasses(3, nil)); err == nil || !strings.Contains(err.Error(), "sub-folder for each class") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, dir := range map[string]string{"empty": t.TempDir(), "empty classes": folder(t, map[string]string{"1/a.txt": ""}), "no lines": folder(t, map[string]string{"labels.tsv": "file\tclass\n"})} {
		if _, err := accuracy.ReadSet(dir, accuracy.NewClasses(3, nil)); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), "no labeled images") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoKnownClass(t *testing.T) {
	_, _, set := read(t, folder(t, map[string]string{"dog/a.jpg": "", "dog/b.jpg": ""}))
	if err := set.Check(); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), "none of the 2 images in") || !strings.Contains(err.Error(), "dog/a.jpg (dog: no class of the model has this name)") {
		t.Errorf("%v", err)
	}
}

// A folder with 100,000 files costs some hundred bytes for each.
// A pipe in the place of a file of labels or synsets is not waited for.
func TestPipes(t *testing.T) {
	dir := folder(t, map[string]string{"tench/a.jpg": ""})
	if err := syscall.Mkfifo(filepath.Join(dir, "synsets.txt"), 0o600); err != nil {
		t.Fatal(err)
	}
	if items, _, _ := read(t, dir); !slices.Equal(items, []string{"tench/a.jpg 1"}) {
		t.Errorf("%q", items)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "labels.tsv"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := accuracy.ReadSet(dir, accuracy.NewClasses(len(labels), labels)); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
}

// The records have names in UTF-8: two others could have the same name there.
func TestNamesThatAreNotUTF8(t *testing.T) {
	items, unmatched, _ := read(t, folder(t, map[string]string{"tench/a\xff.jpg": "", "tench/a\xfe.jpg": "", "tench/ä.jpg": ""}))
	if !slices.Equal(items, []string{"tench/ä.jpg 1"}) || len(unmatched) != 2 || !strings.Contains(unmatched[0], "not UTF-8") {
		t.Errorf("%q, %q", items, unmatched)
	}
}

func TestManyImages(t *testing.T) {
	var text strings.Builder
	text.WriteString("file,class_id\n")
	const many = 100_000
	for i := range many {
		fmt.Fprintf(&text, "folder/%06d.jpg,%d\n", i, i%8)
	}
	items, unmatched, _ := read(t, folder(t, map[string]string{"labels.csv": text.String()}))
	if len(items) != many || len(unmatched) != 0 {
		t.Errorf("%d images, %d without a class", len(items), len(unmatched))
	}
}

// FuzzLabelsFile: any content is read or rejected with an error, and every line is an image with or without a class.
func FuzzLabelsFile(f *testing.F) {
	f.Add("file\tclass_id\tsynset\na.jpg\t3\tn01484850\n")
	f.Add("\xef\xbb\xbffile,label\r\n\"a, b.jpg\",\"Tench, tinca\"\r\n")
	f.Add("path;class\nx\\a.jpg;white_shark\n\n;\n")
	f.Add("file,label\n\"a")
	f.Fuzz(func(t *testing.T, text string) {
		dir := folder(t, map[string]string{"labels.csv": text})
		set, err := accuracy.ReadSet(dir, accuracy.NewClasses(len(labels), labels))
		if err != nil {
			if !errors.Is(err, edgelens.ErrInvalid) {
				t.Errorf("%v", err)
			}
			return
		}
		seen := map[string]bool{}
		for _, item := range set.Items {
			if item.Class < 0 || item.Class >= len(labels) || item.File == "" || seen[item.File] {
				t.Errorf("%+v", item)
			}
			seen[item.File] = true
		}
		for _, u := range set.Unmatched {
			if u.File == "" || u.Reason == "" {
				t.Errorf("%+v", u)
			}
		}
		if len(set.Items)+len(set.Unmatched) > strings.Count(text, "\n")+strings.Count(text, "\r")+1 {
			t.Errorf("%d images of %d bytes", len(set.Items), len(text))
		}
	})
}

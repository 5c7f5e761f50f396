package access_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/access"
	"edgelens/internal/access/accesstest"
	"edgelens/internal/testutil"
)

const zeros = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAppendedKeysAreValid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	now := time.Now()
	_, first, err := access.Append(file, edgelens.Key{Name: "operator", Scopes: []edgelens.Scope{edgelens.ScopeAdmin}}, now)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), first[len("elk_")+9:]) {
		t.Errorf("the file has the secret: %s", text)
	}
	// What a person wrote stays, also without a line feed at the end.
	writeFile(t, file, "# the keys of our site\n"+strings.TrimSuffix(string(text), "\n"))
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	want := edgelens.Key{
		Name: "door", Scopes: []edgelens.Scope{edgelens.ScopeResults, edgelens.ScopeCommands}, Devices: []string{"1026700", "24dc:07"}, Models: []string{"m"},
		SeeAll: true, Expires: now.Add(time.Hour).UTC().Truncate(time.Second),
	}
	created, second, err := access.Append(file, want, now)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode became %v, %v", info.Mode(), err)
	}
	if text, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(text), "# the keys of our site\n") {
		t.Errorf("the comment is gone: %s", text)
	}
	if _, _, err := access.Append(file, want, now); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("a name that is taken: %v", err)
	}
	k, err := access.Open(t.Context(), access.Config{KeysFile: file}, access.Parts{Store: &accesstest.Store{}, Log: (&testutil.LogBuffer{}).Logger()})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Authenticate(first); err != nil || !got.May(edgelens.ScopeAdmin) {
		t.Errorf("%+v, %v", got, err)
	}
	got, err := k.Authenticate(second)
	want.ID, want.Created = created.ID, now.UTC().Truncate(time.Second)
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if _, err := k.RevokeKey(t.Context(), "door"); !errors.Is(err, edgelens.ErrConflict) || !strings.Contains(err.Error(), file) {
		t.Errorf("revoke a key of the file: %v", err)
	}
	if _, _, err := k.CreateKey(t.Context(), edgelens.Key{Name: "door", Scopes: want.Scopes}); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("the name of a key of the file: %v", err)
	}
}

func TestAppendRefuses(t *testing.T) {
	key := edgelens.Key{Name: "app", Scopes: []edgelens.Scope{edgelens.ScopeRecognize}}
	for name, text := range map[string]string{
		"no list": "keys: 7\n", "in flow style": "[{id: aaaaaaaa, name: n, hash: " + zeros + ", scopes: [admin]}]\n", "broken": "- id: [\n",
		"indented": "  - {id: aaaaaaaa, name: n, hash: " + zeros + ", scopes: [admin]}\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "keys.yaml")
			writeFile(t, file, text)
			if _, token, err := access.Append(file, key, time.Now()); !errors.Is(err, edgelens.ErrInvalid) || token != "" {
				t.Errorf("%v", err)
			}
			if after, err := os.ReadFile(file); err != nil || string(after) != text {
				t.Errorf("the file became %q, %v", after, err)
			}
		})
	}
	if _, _, err := access.Append(filepath.Join(t.TempDir(), "none", "keys.yaml"), key, time.Now()); !errors.Is(err, edgelens.ErrStorage) {
		t.Errorf("a folder that is missing: %v", err)
	}
	if _, _, err := access.Append(filepath.Join(t.TempDir(), "keys.yaml"), edgelens.Key{Name: "app"}, time.Now()); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("a key without scopes: %v", err)
	}
}

// A file with faults stops the start, and all of them are reported.
func TestEveryFaultOfFileIsReported(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	writeFile(t, file, `- id: aaaaaaaa
  name: one
  hash: `+zeros+`
  scopes: [recognize]
- id: AAAA
  name: two
  hash: plain
  scopes: [everything]
- name: one
  id: aaaaaaaa
  hash: `+zeros+`
  scopes: recognize
  secret: x
  see_all: perhaps
  expires: tomorrow
- word
- &anchor {id: bbbbbbbb, id: cccccccc, name: [x], hash: `+zeros+`, scopes: []}
- *anchor
`)
	_, err := access.Open(t.Context(), access.Config{KeysFile: file}, access.Parts{Store: &accesstest.Store{}, Log: (&testutil.LogBuffer{}).Logger()})
	if !errors.Is(err, edgelens.ErrInvalid) {
		t.Fatal(err)
	}
	for _, want := range []string{
		"line 5: hash must be", "line 5: id must be", `line 5: there is no scope "everything"`,
		`line 9: the id "aaaaaaaa" is that of the key in line 1`, `line 9: the name "one" is that of the key in line 1`,
		"line 12: scopes must be a list", `line 13: there is no member "secret"`, "line 14: see_all must be true or false", "line 15: expires must be a date",
		"line 16: a key must have members", "line 17: id is given twice", "line 17: name must be one value", "line 17: a key needs at least one scope",
		"line 18: a key must have members",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
}

func TestUnusableFileStopsStart(t *testing.T) {
	for name, spoil := range map[string]func(file string) error{
		"missing":       func(string) error { return nil },
		"a folder":      func(file string) error { return os.Mkdir(file, 0o700) },
		"too large":     func(file string) error { return os.WriteFile(file, make([]byte, 5<<20), 0o600) },
		"two documents": func(file string) error { return os.WriteFile(file, []byte("---\n[]\n---\n[]\n"), 0o600) },
		"no list":       func(file string) error { return os.WriteFile(file, []byte("a: b\n"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "keys.yaml")
			if err := spoil(file); err != nil {
				t.Fatal(err)
			}
			_, err := access.Open(t.Context(), access.Config{KeysFile: file}, access.Parts{Store: &accesstest.Store{}, Log: (&testutil.LogBuffer{}).Logger()})
			if !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), file) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestEmptyFileNeedsKeys(t *testing.T) {
	for _, text := range []string{"", "# none yet\n", "[]\n", "null\n"} {
		file := filepath.Join(t.TempDir(), "keys.yaml")
		writeFile(t, file, text)
		if k := open(t, &accesstest.Store{}, file); !k.Needed() {
			t.Errorf("%q: no key is needed", text)
		}
		if _, _, err := access.Append(file, edgelens.Key{Name: "app", Scopes: edgelens.Scopes()[:1]}, time.Now()); err != nil {
			if text == "null\n" {
				continue // a person must remove it
			}
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestChangedFileIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	app := edgelens.Key{Name: "app", Scopes: []edgelens.Scope{edgelens.ScopeRecognize}}
	_, first, err := access.Append(file, app, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	k := open(t, &accesstest.Store{}, file)
	k.clock.at = time.Now()
	valid := func(token string) bool {
		_, err := k.Authenticate(token)
		return err == nil
	}
	session, err := k.NewSession(first)
	if err != nil {
		t.Fatal(err)
	}

	app.Name = "second"
	_, second, err := access.Append(file, app, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if k.Reload(); !valid(first) || !valid(second) {
		t.Error("the added key is not valid")
	}

	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, "- broken: yes\n")
	k.Reload()
	k.Reload()
	if conditions := k.Conditions(); !valid(first) || !valid(second) || len(conditions) != 1 || conditions[0].Severity != edgelens.SeverityDegraded ||
		!strings.Contains(conditions[0].Reason, `no member "broken"`) {
		t.Errorf("with a broken file: %+v", conditions)
	}
	if n := strings.Count(k.log.String(), "keys_file_invalid"); n != 1 {
		t.Errorf("the fault is logged %d times", n)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if k.Reload(); !valid(first) || len(k.Conditions()) != 1 {
		t.Error("a removed file took the keys with it")
	}

	// Without the first key; its session ends with it.
	at := strings.LastIndex(string(good), "- id:")
	writeFile(t, file, string(good[at:]))
	if k.Reload(); valid(first) || !valid(second) || len(k.Conditions()) != 0 {
		t.Errorf("after the removal of a key: %v", k.Conditions())
	}
	if _, err := k.OpenSession(session.Cookie); !errors.Is(err, edgelens.ErrUnauthorized) {
		t.Errorf("the session of a removed key: %v", err)
	}
}

// The sessions of a key end when its token is replaced.
func TestReplacedTokenEndsSessions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	_, token, err := access.Append(file, edgelens.Key{Name: "app", Scopes: edgelens.Scopes()[:1]}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	k := open(t, &accesstest.Store{}, file)
	session, err := k.NewSession(token)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	start := strings.Index(string(text), "sha256:")
	writeFile(t, file, string(text[:start])+zeros+string(text[start+len(zeros):])+"# changed\n")
	if k.Reload(); len(k.Conditions()) != 0 {
		t.Fatal(k.Conditions())
	}
	if _, err := k.OpenSession(session.Cookie); !errors.Is(err, edgelens.ErrUnauthorized) {
		t.Errorf("%v", err)
	}
}

func TestModeOfFileIsWarnedAbout(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{0o600: "", 0o640: "", 0o644: "keys_file_readable", 0o664: "keys_file_writable", 0o666: "keys_file_writable"} {
		file := filepath.Join(t.TempDir(), "keys.yaml")
		writeFile(t, file, "[]\n")
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		log := open(t, &accesstest.Store{}, file).log.String()
		if (want == "") != (log == "") || !strings.Contains(log, want) {
			t.Errorf("mode %o: log %q, want %q", mode, log, want)
		}
	}
}

func TestFileMayNotHaveIDOfStoredKey(t *testing.T) {
	store := &accesstest.Store{}
	key, _ := open(t, store, "").create(edgelens.Key{Name: "app"})
	file := filepath.Join(t.TempDir(), "keys.yaml")
	writeFile(t, file, "- {id: "+key.ID+", name: other, hash: \""+zeros+"\", scopes: [admin]}\n")
	_, err := access.Open(t.Context(), access.Config{KeysFile: file}, access.Parts{Store: store, Log: (&testutil.LogBuffer{}).Logger()})
	if !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), key.ID) {
		t.Errorf("%v", err)
	}
}

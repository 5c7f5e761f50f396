package access

import (
	"errors"
	"strings"
	"testing"

	"edgelens"
)

func FuzzToken(f *testing.F) {
	token, _ := newToken()
	for _, seed := range []string{token, "", "elk_", token[:20], strings.ToUpper(token), token + "a", "elk_aaaaaaaa_" + strings.Repeat("a", secretChars)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := parseToken(text)
		if ok && (!isID(id) || len(text) != tokenLength || text[:len(prefix)+idLength+1] != prefix+id+"_" || strings.ContainsAny(text, " \n\x00")) {
			t.Errorf("%q is a token of %q", text, id)
		}
	})
}

func FuzzKeysFile(f *testing.F) {
	for _, seed := range []string{
		"", "[]", "- id: aaaaaaaa\n  name: n\n  hash: sha256:" + strings.Repeat("0", 64) + "\n  scopes: [admin]\n", "- &a [*a]\n", "a: &x [*x, *x]", "- {id: 1, scopes: {a: b}}", "---\n---\n", "- {expires: 2027-01-01, see_all: yes}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseFile(text)
		if err != nil {
			if !errors.Is(err, edgelens.ErrInvalid) || len(keys) > 0 {
				t.Errorf("%d keys and %v", len(keys), err)
			}
			return
		}
		for _, key := range keys {
			if !isID(key.ID) || key.Check() != nil {
				t.Errorf("%+v was read", key)
			}
			if again, err := parseHash(formatHash(key.Hash)); !err || again != key.Hash {
				t.Errorf("the hash of %+v is not read back", key)
			}
		}
	})
}

package access_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"edgelens"
	"edgelens/internal/access"
	"edgelens/internal/access/accesstest"
	"edgelens/internal/testutil"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(by)
}

// keys are those of a test.
type keys struct {
	*access.Keys
	t     *testing.T
	store *accesstest.Store
	clock *clock
	log   *testutil.LogBuffer
}

func open(t *testing.T, store *accesstest.Store, file string) *keys {
	t.Helper()
	k := &keys{t: t, store: store, clock: &clock{at: time.Date(2026, 4, 10, 8, 0, 0, 0, time.UTC)}, log: &testutil.LogBuffer{}}
	var err error
	k.Keys, err = access.Open(t.Context(), access.Config{KeysFile: file}, access.Parts{
		Store: store, SessionFile: filepath.Join(t.TempDir(), "session.key"), Log: k.log.Logger(), Now: k.clock.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *keys) create(key edgelens.Key) (edgelens.Key, string) {
	k.t.Helper()
	if key.Scopes == nil {
		key.Scopes = []edgelens.Scope{edgelens.ScopeRecognize}
	}
	created, token, err := k.CreateKey(k.t.Context(), key)
	if err != nil {
		k.t.Fatal(err)
	}
	return created, token
}

func TestOnlyTheWholeTokenIsValid(t *testing.T) {
	k := open(t, &accesstest.Store{}, "")
	if k.Needed() {
		t.Error("a key is needed before there is one")
	}
	key, token := k.create(edgelens.Key{Name: "app"})
	_, other := k.create(edgelens.Key{Name: "other"})
	if !k.Needed() {
		t.Error("no key is needed though there is one")
	}
	got, err := k.Authenticate(token)
	if err != nil || got.ID != key.ID || got.Name != "app" {
		t.Errorf("%+v, %v", got, err)
	}
	swapped := token[:len("elk_")+8] + other[len("elk_")+8:] // the id of one, the secret of the other
	last := byte('a')
	if token[len(token)-1] == 'a' {
		last = 'b'
	}
	for name, wrong := range map[string]string{
		"none": "", "prefix": "elk_", "id alone": token[:len("elk_")+8], "cut off": token[:len(token)-1], "longer": token + "a",
		"another character": token[:len(token)-1] + string(last), "another secret": swapped, "upper case": strings.ToUpper(token),
		"unknown id": "elk_aaaaaaaa" + token[len("elk_")+8:], "not base32": token[:len(token)-1] + "1", "a blank": " " + token,
		"its hash": fmt.Sprintf("%x", token),
	} {
		if _, err := k.Authenticate(wrong); !errors.Is(err, edgelens.ErrUnauthorized) || len(wrong) > len("elk_") && strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTokensAreNotKept(t *testing.T) {
	store := &accesstest.Store{}
	k := open(t, store, "")
	_, token := k.create(edgelens.Key{Name: "app"})
	_, err := k.Authenticate(token[:len(token)-1] + "x")
	if err == nil {
		t.Fatal("a wrong token is valid")
	}
	stored, err := store.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secret := token[len("elk_")+9:]
	for where, text := range map[string]string{"the store": fmt.Sprintf("%+v", stored), "the log": k.log.String()} {
		if strings.Contains(text, secret) {
			t.Errorf("%s has the secret: %s", where, text)
		}
	}
	if !k.log.Contains("event=access") {
		t.Errorf("the creation was not logged: %s", k.log)
	}
}

func TestExpiredAndRevokedKeys(t *testing.T) {
	store := &accesstest.Store{}
	k := open(t, store, "")
	until := k.clock.now().Add(time.Hour)
	temporary, expiring := k.create(edgelens.Key{Name: "temporary", Expires: until})
	byID, tokenByID := k.create(edgelens.Key{Name: "by id"})
	byName, tokenByName := k.create(edgelens.Key{Name: "by name"})
	if _, err := k.Authenticate(expiring); err != nil {
		t.Error(err)
	}
	k.clock.move(time.Hour)
	if _, err := k.Authenticate(expiring); !errors.Is(err, edgelens.ErrUnauthorized) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an expired key: %v", err)
	}
	if _, err := k.Current(temporary.ID); !errors.Is(err, edgelens.ErrUnauthorized) {
		t.Errorf("an expired key is current: %v", err)
	}
	for idOrName, token := range map[string]string{byID.ID: tokenByID, byName.Name: tokenByName} {
		revoked, err := k.RevokeKey(t.Context(), idOrName)
		if err != nil || revoked.Revoked.IsZero() {
			t.Errorf("%+v, %v", revoked, err)
		}
		if _, err := k.Authenticate(token); !errors.Is(err, edgelens.ErrUnauthorized) || !strings.Contains(err.Error(), "revoked") {
			t.Errorf("a revoked key: %v", err)
		}
		if _, err := k.Current(revoked.ID); !errors.Is(err, edgelens.ErrUnauthorized) {
			t.Errorf("a revoked key is current: %v", err)
		}
	}
	if _, err := k.RevokeKey(t.Context(), "by name"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("the name of a revoked key: %v, want ErrNotFound", err)
	}
	if again, _ := k.create(edgelens.Key{Name: "by name"}); again.ID == byName.ID {
		t.Error("the new key has the old id")
	}
	// A new process knows the same.
	if k := open(t, store, ""); !k.Needed() {
		t.Error("no key is needed after a restart")
	} else if _, err := k.Authenticate(tokenByID); !errors.Is(err, edgelens.ErrUnauthorized) {
		t.Errorf("a revoked key after a restart: %v", err)
	}
}

func TestCreateRejects(t *testing.T) {
	k := open(t, &accesstest.Store{}, "")
	k.create(edgelens.Key{Name: "taken"})
	for name, test := range map[string]struct {
		key  edgelens.Key
		want error
	}{
		"a name that is taken": {edgelens.Key{Name: "taken", Scopes: edgelens.Scopes()[:1]}, edgelens.ErrConflict},
		"no name":              {edgelens.Key{Scopes: edgelens.Scopes()[:1]}, edgelens.ErrInvalid},
		"no scope":             {edgelens.Key{Name: "app"}, edgelens.ErrInvalid},
		"unknown scope":        {edgelens.Key{Name: "app", Scopes: []edgelens.Scope{"everything"}}, edgelens.ErrInvalid},
		"line feed in a name":  {edgelens.Key{Name: "app\n", Scopes: edgelens.Scopes()[:1]}, edgelens.ErrInvalid},
		"bounded admin":        {edgelens.Key{Name: "app", Scopes: []edgelens.Scope{edgelens.ScopeAdmin}, Devices: []string{"door"}}, edgelens.ErrInvalid},
		"expired already":      {edgelens.Key{Name: "app", Scopes: edgelens.Scopes()[:1], Expires: time.Unix(1, 0)}, edgelens.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if _, token, err := k.CreateKey(t.Context(), test.key); !errors.Is(err, test.want) || token != "" {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

// The last use is written once for many requests, and not by them.
func TestLastUse(t *testing.T) {
	store := &accesstest.Store{}
	k := open(t, store, "")
	key, token := k.create(edgelens.Key{Name: "app"})
	k.clock.move(time.Hour)
	for range 1000 {
		if _, err := k.Authenticate(token); err != nil {
			t.Fatal(err)
		}
	}
	if n := store.Writes(); n != 0 {
		t.Errorf("%d writes by requests", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		k.Run(ctx)
	}()
	cancel()
	<-ended
	if n := store.Writes(); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
	want := k.clock.now()
	for _, list := range [][]edgelens.Key{listed(t, k), listed(t, open(t, store, ""))} {
		if len(list) != 1 || list[0].ID != key.ID || !list[0].LastUsed.Equal(want) {
			t.Errorf("%+v, want last used at %v", list, want)
		}
	}
}

func listed(t *testing.T, k *keys) []edgelens.Key {
	t.Helper()
	list, err := k.Keys.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestSessions(t *testing.T) {
	k := open(t, &accesstest.Store{}, "")
	_, token := k.create(edgelens.Key{Name: "app"})
	other, otherToken := k.create(edgelens.Key{Name: "other"})
	if _, err := k.NewSession("elk_"); !errors.Is(err, edgelens.ErrUnauthorized) {
		t.Errorf("a session without a key: %v", err)
	}
	session, err := k.NewSession(token)
	if err != nil {
		t.Fatal(err)
	}
	second, err := k.NewSession(token)
	if err != nil || second.Cookie == session.Cookie || second.CSRFToken == session.CSRFToken {
		t.Errorf("two sessions are the same: %v", err)
	}
	got, err := k.OpenSession(session.Cookie)
	if err != nil || got.Key.Name != "app" || got.CSRFToken != session.CSRFToken || !got.Expires.Equal(session.Expires) {
		t.Errorf("%+v, %v", got, err)
	}
	if strings.Contains(session.Cookie, token[len("elk_")+9:]) {
		t.Error("the cookie has the secret")
	}
	parts := strings.Split(session.Cookie, ".")
	foreign := strings.Split(second.Cookie, ".")
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	for name, forged := range map[string]string{
		"none": "", "another key": join(other.ID, parts[1], parts[2], parts[3]), "a later end": join(parts[0], "99999999999", parts[2], parts[3]),
		"another nonce": join(parts[0], parts[1], foreign[2], parts[3]), "no signature": join(parts[0], parts[1], parts[2], ""),
		"cut off": session.Cookie[:len(session.Cookie)-1], "the CSRF token": join(parts[0], parts[1], parts[2], session.CSRFToken),
		"one part more": session.Cookie + ".x", "too long": session.Cookie + strings.Repeat("x", 1000), "a token": token,
	} {
		if _, err := k.OpenSession(forged); !errors.Is(err, edgelens.ErrUnauthorized) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Another node has another secret.
	if _, err := open(t, k.store, "").OpenSession(session.Cookie); !errors.Is(err, edgelens.ErrUnauthorized) {
		t.Errorf("the session of another node: %v", err)
	}
	ends, err := k.NewSession(otherToken)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.RevokeKey(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.OpenSession(ends.Cookie); !errors.Is(err, edgelens.ErrUnauthorized) {
		t.Errorf("the session of a revoked key: %v", err)
	}
	k.clock.move(access.SessionLength)
	if _, err := k.OpenSession(session.Cookie); !errors.Is(err, edgelens.ErrUnauthorized) {
		t.Errorf("a session past its end: %v", err)
	}
}

func TestSecretOfSessionsSurvivesRestartAndIsPrivate(t *testing.T) {
	store, file := &accesstest.Store{}, filepath.Join(t.TempDir(), "session.key")
	start := func() *access.Keys {
		k, err := access.Open(t.Context(), access.Config{}, access.Parts{Store: store, SessionFile: file, Log: (&testutil.LogBuffer{}).Logger()})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first := start()
	_, token, err := first.CreateKey(t.Context(), edgelens.Key{Name: "app", Scopes: edgelens.Scopes()[:1]})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the secret was made before it is needed: %v", err)
	}
	session, err := first.NewSession(token)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := start().OpenSession(session.Cookie); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if err := os.WriteFile(file, []byte("0123"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := start().OpenSession(session.Cookie); !errors.Is(err, edgelens.ErrStorage) || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a damaged secret: %v", err)
	}
}

// Secrets are compared in constant time: that a comparison leaks nothing cannot be measured reliably, so the calls are
// looked for.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	for file, want := range map[string]string{"access.go": "subtle.ConstantTimeCompare(got[:], want[:])", "session.go": "hmac.Equal([]byte(parts[3]), []byte(want))"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) || strings.Contains(string(text), "Hash ==") {
			t.Errorf("%s does not compare by %s", file, want)
		}
	}
}

func TestParseExpiry(t *testing.T) {
	now := time.Date(2026, 4, 10, 8, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "90d": now.AddDate(0, 0, 90), "12h": now.Add(12 * time.Hour), "2027-01-31": time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
		"2027-01-31T12:00:00+02:00": time.Date(2027, 1, 31, 10, 0, 0, 0, time.UTC),
	} {
		if got, err := access.ParseExpiry(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"0d", "-1d", "99999999999d", "-1h", "never", "2026-04-10", "31.01.2027", "d", "90"} {
		if got, err := access.ParseExpiry(text, now); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	k, err := access.Open(b.Context(), access.Config{}, access.Parts{Store: &accesstest.Store{}, Log: (&testutil.LogBuffer{}).Logger()})
	if err != nil {
		b.Fatal(err)
	}
	_, token, err := k.CreateKey(b.Context(), edgelens.Key{Name: "app", Scopes: slices.Clone(edgelens.Scopes()[:1])})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := k.Authenticate(token); err != nil {
			b.Fatal(err)
		}
	}
}

package pki_test

import (
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/identity/pki"
)

var tokenForm = regexp.MustCompile(`^ele_[a-z2-7]{52}$`)

func TestTokens(t *testing.T) {
	s := newSite(t, "school")
	token, expires, err := s.NewToken(t.Context(), "door", 10*time.Minute, 48*time.Hour)
	if err != nil || !tokenForm.MatchString(token) || !expires.Equal(s.now.Add(10*time.Minute)) {
		t.Fatalf("%q, %v, %v", token, expires, err)
	}
	for _, stored := range s.store.Tokens {
		if strings.Contains(token, string(stored.Hash[:])) {
			t.Error("the token is stored")
		}
	}
	csr := requestOf(t, newKey(t), "door")
	wrong := "ele_" + strings.Repeat("a", 52)
	for name, test := range map[string]struct {
		token string
		csr   []byte
		want  error
	}{
		"none":                        {"", csr, edgelens.ErrUnauthorized},
		"a key":                       {"elk_" + token[4:], csr, edgelens.ErrUnauthorized},
		"cut":                         {token[:len(token)-1], csr, edgelens.ErrUnauthorized},
		"unknown":                     {wrong, csr, edgelens.ErrUnauthorized},
		"with a request of another":   {token, requestOf(t, newKey(t), "gate"), edgelens.ErrInvalid},
		"with something that is none": {token, []byte("x"), edgelens.ErrInvalid},
	} {
		if _, err := s.EnrollByToken(t.Context(), test.token, test.csr); !errors.Is(err, test.want) || s.Certified("door") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What was refused has not used it up.
	issued, err := s.EnrollByToken(t.Context(), token, csr)
	if err != nil || issued.Name != "door" || !issued.NotAfter.Equal(s.now.Add(48*time.Hour).UTC()) {
		t.Fatalf("%+v, %v", issued, err)
	}
	if _, err := s.EnrollByToken(t.Context(), token, csr); !errors.Is(err, edgelens.ErrUnauthorized) {
		t.Errorf("a second time: %v", err)
	}
	late, _, err := s.NewToken(t.Context(), "gate", time.Minute, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.now = s.now.Add(time.Minute)
	if _, err := s.EnrollByToken(t.Context(), late, requestOf(t, newKey(t), "gate")); !errors.Is(err, edgelens.ErrUnauthorized) {
		t.Errorf("expired: %v", err)
	}
	for name, call := range map[string]func() error{
		"a bad name":     func() error { _, _, err := s.NewToken(t.Context(), "edgelens-1", time.Hour, 0); return err },
		"too short":      func() error { _, _, err := s.NewToken(t.Context(), "door", time.Second, 0); return err },
		"too long":       func() error { _, _, err := s.NewToken(t.Context(), "door", pki.MaxTokenTime+1, 0); return err },
		"a bad validity": func() error { _, _, err := s.NewToken(t.Context(), "door", time.Hour, time.Second); return err },
	} {
		if err := call(); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Of many attempts at once, one gets the certificate.
func TestTokenIsUsedOnceByMany(t *testing.T) {
	s := newSite(t, "school")
	token, _, err := s.NewToken(t.Context(), "door", time.Hour, 0)
	if err != nil {
		t.Fatal(err)
	}
	const attempts = 8
	var running sync.WaitGroup
	errs := make(chan error, attempts)
	for range attempts {
		csr := requestOf(t, newKey(t), "door")
		running.Go(func() {
			_, err := s.EnrollByToken(t.Context(), token, csr)
			errs <- err
		})
	}
	running.Wait()
	close(errs)
	good := 0
	for err := range errs {
		switch {
		case err == nil:
			good++
		case !errors.Is(err, edgelens.ErrUnauthorized) && !errors.Is(err, edgelens.ErrConflict):
			t.Error(err)
		}
	}
	if n := len(s.Certificates()); good != 1 || n != 2 {
		t.Errorf("%d certificates of %d attempts; in the register %d, want that and the node's", good, attempts, n)
	}
}

func FuzzToken(f *testing.F) {
	s := newSite(f, "school")
	token, _, err := s.NewToken(f.Context(), "door", time.Hour, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token[:20])
	f.Add("ele_" + strings.Repeat("a", 52))
	f.Add("")
	csr := requestOf(f, newKey(f), "door")
	f.Fuzz(func(t *testing.T, guess string) {
		if _, err := s.EnrollByToken(t.Context(), guess, csr); guess != token && !errors.Is(err, edgelens.ErrUnauthorized) {
			t.Errorf("%q: %v", guess, err)
		}
	})
}

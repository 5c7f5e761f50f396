package federation_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/learn/federation"
	"edgelens/learn/federation/coordinator"
	"edgelens/learn/federation/participant"
)

func TestJoinRefusals(t *testing.T) {
	s, other := newSite(t, quickSettings()), newSite(t, quickSettings())
	token, _, err := s.Invite("north", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	join := func(m *member, url, token string) error {
		_, err := m.Join(t.Context(), participant.JoinRequest{URL: url, Token: token, Dataset: "pictures"})
		return err
	}
	first, second := s.newNode("north"), s.newNode("north")
	if err := join(first, other.server.URL, token.String()); err == nil {
		t.Error("a token is used at another coordinator")
	}
	foreign, _, err := other.Invite("north", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	// The secret of the other coordinator with the key of this one, and the reverse: what an impostor in between could send.
	mixed := strings.Split(foreign.String(), ".")[0] + "." + strings.Split(token.String(), ".")[1]
	if err := join(first, other.server.URL, mixed); !errors.Is(err, edgelens.ErrForbidden) {
		t.Errorf("a node joins a coordinator with another key than the token's: %v", err)
	}
	for name, text := range map[string]string{"nothing": "", "half": token.String()[:40], "another": strings.Replace(token.String(), "elf_", "ele_", 1)} {
		if err := join(first, s.server.URL, text); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s as a token: %v", name, err)
		}
	}
	if err := join(first, "ftp://coordinator", token.String()); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("an address of another kind: %v", err)
	}
	if err := join(first, s.server.URL, token.String()); err != nil {
		t.Fatal(err)
	}
	if err := join(second, s.server.URL, token.String()); !errors.Is(err, edgelens.ErrUnauthorized) {
		t.Errorf("a second node joins by the same token: %v", err)
	}
	if _, _, err := s.Invite("north", time.Hour); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("a name that is in use is invited: %v", err)
	}
	if err := join(first, s.server.URL, token.String()); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("a node joins twice: %v", err)
	}
	// It may have crashed before it kept the answer.
	if err := first.Leave(); err != nil {
		t.Fatal(err)
	}
	if err := join(first, s.server.URL, token.String()); err != nil {
		t.Errorf("the same key cannot use its token again: %v", err)
	}
	south, _, err := s.Invite("south", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Leave(); err != nil {
		t.Fatal(err)
	}
	if err := join(first, s.server.URL, south.String()); !errors.Is(err, edgelens.ErrUnauthorized) {
		t.Errorf("one key joins under two names: %v", err)
	}
	if err := s.Remove("north"); err != nil {
		t.Fatal(err)
	}
	if err := join(second, s.server.URL, token.String()); !errors.Is(err, edgelens.ErrUnauthorized) {
		t.Errorf("the token of a node that was removed: %v", err)
	}
	if err := s.Remove("north"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("a node is removed twice: %v", err)
	}
}

func TestTokensExpire(t *testing.T) {
	now := time.Now()
	folder := t.TempDir()
	c, err := coordinator.Open(coordinator.Parts{Folder: folder, Keys: newKeys(t, t.TempDir()), Log: quiet(), Now: func() time.Time { return now }},
		federation.Definition{Head: "gate", Labels: labels, Settings: quickSettings()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := coordinator.Open(coordinator.Parts{Folder: folder, Keys: newKeys(t, t.TempDir()), Log: quiet()}, federation.Definition{}); !errors.Is(err, edgelens.ErrInUse) {
		t.Errorf("a second coordinator uses the folder: %v", err)
	}
	token, _, err := c.Invite("north", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Invite("north", time.Second); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("a token for a second: %v", err)
	}
	if _, _, err := c.Invite("../north", time.Minute); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("a name that is none: %v", err)
	}
	now = now.Add(time.Minute)
	s := &site{t: t}
	s.Coordinator = c
	server := httptest.NewServer(c.Handler())
	defer server.Close()
	m := s.newNode("north")
	if _, err := m.Join(t.Context(), participant.JoinRequest{URL: server.URL, Token: token.String(), Dataset: "pictures"}); !errors.Is(err, edgelens.ErrUnauthorized) {
		t.Errorf("an expired token: %v", err)
	}
}

func TestAnotherTaskIsRefused(t *testing.T) {
	keys, folder := newKeys(t, t.TempDir()), t.TempDir()
	open := func(d federation.Definition) error {
		c, err := coordinator.Open(coordinator.Parts{Folder: folder, Keys: keys, Log: quiet()}, d)
		if err == nil {
			err = c.Close()
		}
		return err
	}
	if err := open(federation.Definition{}); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("nothing is defined: %v", err)
	}
	gate := federation.Definition{Head: "gate", Labels: labels, Settings: quickSettings()}
	if err := open(gate); err != nil {
		t.Fatal(err)
	}
	other := gate
	other.Labels = []string{"open", "closed"}
	if err := open(other); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("other labels: %v", err)
	}
	other = gate
	other.Head = "bin"
	if err := open(other); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("another head: %v", err)
	}
	gate.Settings.Clip = 3
	if err := open(gate); err != nil {
		t.Errorf("other settings: %v", err)
	}
	gate.Settings.Clip = -3
	if err := open(gate); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("a clip below 0: %v", err)
	}
}

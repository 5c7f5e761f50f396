//go:build cgo

package envelope_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/identity/envelope"
	"edgelens/internal/ledger"
)

// openSite opens a node with its ledger, as a start of the service does.
func openSite(t *testing.T, dir string, s *site) (*envelope.Ring, *envelope.Opener, *ledger.Ledger) {
	t.Helper()
	config := ledger.DefaultConfig()
	config.MinFreeBytes, config.SweepInterval = 0, time.Hour
	l, err := ledger.Open(t.Context(), dir, config, ledger.Parts{Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := envelope.OpenRing(t.Context(), l.DeviceKeys)
	if err != nil {
		t.Fatal(err)
	}
	opener, err := envelope.NewOpener(envelope.DefaultConfig(), s.node, ring.Find, l.DeviceKeys, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return ring, opener, l
}

func TestReplayAfterRestart(t *testing.T) {
	s, dir := newSite(t), t.TempDir()
	ring, opener, l := openSite(t, dir, s)
	if _, err := ring.AddDeviceKey(t.Context(), "door", string(pemOf(t, &s.door.PublicKey))); err != nil {
		t.Fatal(err)
	}
	if _, err := ring.AddDeviceKey(t.Context(), "gate", string(pemOf(t, &s.door.PublicKey))); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("the key of another device: %v", err)
	}
	if _, err := ring.AddDeviceKey(t.Context(), "a/b", string(pemOf(t, &s.gate.PublicKey))); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("no device: %v", err)
	}
	timed, err := s.sealer.Seal([]byte("m"), 0)
	if err != nil {
		t.Fatal(err)
	}
	counted, err := s.sealer.Seal([]byte("m"), 7)
	if err != nil {
		t.Fatal(err)
	}
	for _, sealed := range [][]byte{timed, counted} {
		opened, err := opener.Open(t.Context(), sealed)
		if err != nil {
			t.Fatal(err)
		}
		if err := opened.Done(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ring, opener, l = openSite(t, dir, s)
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	for name, sealed := range map[string][]byte{"timed": timed, "counted": counted} {
		if _, err := opener.Open(t.Context(), sealed); reasonOf(t, err) != envelope.ReasonReplay {
			t.Errorf("%s: %v", name, err)
		}
	}
	list, err := ring.DeviceKeys(t.Context())
	if err != nil || len(list) != 1 || list[0].Device != "door" {
		t.Fatalf("%v, %v", list, err)
	}
	if err := ring.RemoveDeviceKey(t.Context(), list[0].ID); err != nil {
		t.Fatal(err)
	}
	fresh, err := s.sealer.Seal([]byte("m"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := opener.Open(t.Context(), fresh); reasonOf(t, err) != envelope.ReasonKey {
		t.Errorf("of a removed key: %v", err)
	}
	if err := ring.RemoveDeviceKey(t.Context(), list[0].ID); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
}

// A device may not fill the disk, and what is forgotten cannot be replayed.
func TestStampsAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("it writes 20,000 rows")
	}
	s := newSite(t)
	ring, _, l := openSite(t, t.TempDir(), s)
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	key, err := ring.AddDeviceKey(t.Context(), "door", string(pemOf(t, &s.door.PublicKey)))
	if err != nil {
		t.Fatal(err)
	}
	stamp := func(n int) edgelens.EnvelopeStamp {
		at := now.Add(time.Duration(n) * time.Second)
		return edgelens.EnvelopeStamp{KeyID: key.ID, ID: fmt.Sprint(n), IssuedAt: at, Expires: at.Add(time.Hour)}
	}
	const many = 20_001
	done := make(chan error)
	for worker := range 32 {
		go func() {
			for n := worker; n < many; n += 32 {
				if err := l.DeviceKeys.NoteStamp(t.Context(), stamp(n)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 32 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	for n, want := range map[int]string{0: "older than", 1000: "older than", many - 1: "accepted before"} {
		if err := l.DeviceKeys.CheckStamp(t.Context(), stamp(n)); !errors.Is(err, edgelens.ErrConflict) || !strings.Contains(err.Error(), want) {
			t.Errorf("stamp %d: %v", n, err)
		}
	}
	if err := l.DeviceKeys.CheckStamp(t.Context(), stamp(many)); err != nil {
		t.Error(err)
	}
}

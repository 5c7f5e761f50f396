//go:build cgo

package ledger_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"edgelens"
)

func TestCommands(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	deadline := time.Now().Add(time.Minute)
	add := func(device string) edgelens.Command {
		command, err := l.Commands.AddCommand(t.Context(), device, json.RawMessage(`{"cmd":"open"}`), deadline)
		must(t, err)
		return command
	}
	move := func(c edgelens.Command, status edgelens.CommandStatus) edgelens.Command {
		moved, err := l.Commands.MoveCommand(t.Context(), c.ID, status, "because")
		must(t, err)
		return moved
	}
	first, second, third := add("a"), add("b"), add("a")
	equal(t, "status", first.Status, edgelens.CommandQueued)
	if sent := move(first, edgelens.CommandSent); sent.SentAt.IsZero() || !sent.FinishedAt.IsZero() {
		t.Errorf("sent: %+v", sent)
	}
	if done := move(first, edgelens.CommandAcknowledged); done.FinishedAt.IsZero() || done.SentAt.IsZero() || done.Detail != "because" {
		t.Errorf("acknowledged: %+v", done)
	}
	if _, err := l.Commands.MoveCommand(t.Context(), first.ID, edgelens.CommandFailed, ""); !errors.Is(err, edgelens.ErrFinished) {
		t.Errorf("out of a terminal state: %v, want edgelens.ErrFinished", err)
	} else if !strings.HasSuffix(err.Error(), ": it has ended already with the status acknowledged") {
		t.Errorf("out of a terminal state: %q", err)
	}
	move(third, edgelens.CommandExpired)
	closeLedger(t, l)

	l = open(t, dir, quiet())
	queued, err := l.Commands.QueuedCommands(t.Context())
	must(t, err)
	if len(queued) != 1 || queued[0].ID != second.ID || string(queued[0].Body) != `{"cmd":"open"}` || !queued[0].Deadline.Equal(second.Deadline) {
		t.Errorf("queued: %+v", queued)
	}
	ofA, err := l.Commands.DeviceCommands(t.Context(), "a", 10)
	must(t, err)
	if len(ofA) != 2 || ofA[0].ID != third.ID || ofA[0].Status != edgelens.CommandExpired || ofA[1].ID != first.ID {
		t.Errorf("of device a: %+v", ofA)
	}
	newest, err := l.Commands.DeviceCommands(t.Context(), "a", 1)
	must(t, err)
	equal(t, "with a limit", len(newest), 1)
	kept, err := l.Commands.Command(t.Context(), first.ID)
	must(t, err)
	equal(t, "kept", kept.Status, edgelens.CommandAcknowledged)
	for name, err := range map[string]error{
		"look up": func() error { _, err := l.Commands.Command(t.Context(), "unknown"); return err }(),
		"move": func() error {
			_, err := l.Commands.MoveCommand(t.Context(), "unknown", edgelens.CommandSent, "")
			return err
		}(),
	} {
		if !errors.Is(err, edgelens.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
	_, err = l.Sweep(t.Context(), time.Now().Add(30*24*time.Hour))
	must(t, err)
	if _, err := l.Commands.Command(t.Context(), first.ID); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("an old command: %v, want ErrNotFound", err)
	}
}

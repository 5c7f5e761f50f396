//go:build cgo

package ledger_test

import (
	"errors"
	"testing"

	"edgelens"
)

func TestSetAside(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	for n := range 3 {
		receive(t, l, reception("door", n, withoutImage))
	}
	receive(t, l, reception("gate", 3, withoutImage))
	first := outbox(t, l, "hook", "door")[0]
	must(t, l.Outbox.SetAside(t.Context(), first.Seq, "the webhook answers 410 Gone"))
	equal(t, "the others continue", keysOf(outbox(t, l, "hook", "door")), "12")
	equal(t, "another sink", keysOf(outbox(t, l, "event", "door")), "012")

	closeLedger(t, l) // it survives
	l = open(t, dir, quiet())
	page, next, err := l.Outbox.ListSetAside(t.Context(), edgelens.SetAsideFilter{})
	must(t, err)
	if len(page) != 1 || next != "" || page[0].ID != first.Seq || page[0].Sink != "hook" || page[0].Device != "door" || page[0].Event != first.Record.ID ||
		page[0].Kind != edgelens.RecordVerified || page[0].Reason != "the webhook answers 410 Gone" || page[0].At.IsZero() || !page[0].ReceivedAt.Equal(first.Record.ReceivedAt) {
		t.Fatalf("page %+v, next %q", page, next)
	}
	for name, filter := range map[string]edgelens.SetAsideFilter{"sink": {Sink: "event"}, "device": {Device: "gate"}} {
		page, _, err := l.Outbox.ListSetAside(t.Context(), filter)
		must(t, err)
		equal(t, "another "+name, len(page), 0)
	}
	stats, err := l.Outbox.Stats(t.Context())
	must(t, err)
	equal(t, "hook", stats["hook"].Aside, int64(1))
	equal(t, "event", stats["event"].Aside, int64(0))

	wake, devices, cancel := l.Outbox.WatchOutbox()
	defer cancel()
	if _, err := l.Outbox.RetrySetAside(t.Context(), "", first.Seq, first.Seq+1); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("one that is not set aside: %v, want ErrNotFound", err)
	}
	equal(t, "nothing changed", keysOf(outbox(t, l, "hook", "door")), "12")
	n, err := l.Outbox.RetrySetAside(t.Context(), "event")
	must(t, err)
	equal(t, "of another sink", n, 0)
	n, err = l.Outbox.RetrySetAside(t.Context(), "hook", first.Seq)
	must(t, err)
	equal(t, "retried", n, 1)
	<-wake
	equal(t, "devices", devices(), []string{"door"})
	equal(t, "in its place", keysOf(outbox(t, l, "hook", "door")), "012")
}

func TestSetAsidePages(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	for n := range 5 {
		receive(t, l, reception("door", n, withoutImage))
	}
	for _, d := range outbox(t, l, "hook", "door") {
		must(t, l.Outbox.SetAside(t.Context(), d.Seq, "no"))
	}
	var ids []int64
	for cursor := ""; ; {
		page, next, err := l.Outbox.ListSetAside(t.Context(), edgelens.SetAsideFilter{Limit: 2, Cursor: cursor})
		must(t, err)
		for _, e := range page {
			ids = append(ids, e.ID)
		}
		if cursor = next; next == "" {
			break
		}
	}
	if len(ids) != 5 || ids[0] <= ids[4] {
		t.Errorf("ids %v", ids)
	}
	if _, _, err := l.Outbox.ListSetAside(t.Context(), edgelens.SetAsideFilter{Cursor: "x"}); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("a bad cursor: %v", err)
	}
	n, err := l.Outbox.RetrySetAside(t.Context(), "")
	must(t, err)
	equal(t, "all", n, 5)
	equal(t, "in order", keysOf(outbox(t, l, "hook", "door")), "01234")
}

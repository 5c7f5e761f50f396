package signing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/identity/signing"
	"edgelens/internal/chain"
)

// stored is a chain in memory.
type stored struct {
	chain   edgelens.Chain
	entries []edgelens.ChainEntry
}

func (s *stored) Read(_ context.Context, _ string, begin func(edgelens.Chain) error, entry func(edgelens.ChainEntry, *edgelens.Delivery) error) error {
	if err := begin(s.chain); err != nil {
		return err
	}
	for _, e := range s.entries {
		var d *edgelens.Delivery
		if e.State == edgelens.ChainKept {
			d = &edgelens.Delivery{Record: edgelens.Record{ID: e.Event}}
		}
		if err := entry(e, d); err != nil {
			return err
		}
	}
	return nil
}

func eventText(id string) json.RawMessage {
	return json.RawMessage(`{"id":"` + id + `","data":{"device":"door","outcome":"recognized","record":{"name":"` + id + `"}}}`)
}

// newStored returns a chain of seven events: two before the checkpoint, and the fifth erased.
func newStored(t testing.TB, node *signing.Node) *stored {
	t.Helper()
	s := &stored{chain: edgelens.Chain{Chain: "c", Device: "door"}}
	fail := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for seq := int64(1); seq <= 7; seq++ {
		e := edgelens.ChainEntry{State: edgelens.ChainKept, Event: fmt.Sprint("e", seq)}
		e.Chain, e.Seq, e.Prev = "c", seq, s.chain.Hash
		var err error
		var read struct{ Data json.RawMessage }
		fail(json.Unmarshal(eventText(e.Event), &read))
		e.Digest, err = chain.Digest(e.Event, read.Data)
		fail(err)
		e.Hash, err = chain.Hash("c", "door", seq, e.Prev, e.Digest)
		fail(err)
		s.chain.Seq, s.chain.Hash = seq, e.Hash
		switch {
		case seq == 2:
			s.chain.Checkpoint = edgelens.ChainCheckpoint{Seq: 2, Hash: e.Hash, Erased: 1, Expired: 1, At: time.Now()}
			s.chain.Checkpoint.Signature, err = chain.Sign(chain.Checkpoint(s.chain), node)
			fail(err)
		case seq == 5:
			e.State, e.Event, e.EndedAt = edgelens.ChainErased, "", time.Now()
			e.Signature, err = chain.Sign(chain.Entry("door", e), node)
			fail(err)
		}
		if seq > 2 {
			s.entries = append(s.entries, e)
		}
	}
	return s
}

func exported(t testing.TB, s *stored, node *signing.Node) []string {
	t.Helper()
	var text bytes.Buffer
	exporter := chain.Exporter{Reader: s, Signer: node, Now: time.Now, Event: func(d *edgelens.Delivery) (json.RawMessage, error) { return eventText(d.Record.ID), nil }}
	if err := exporter.Export(t.Context(), "door", &text); err != nil {
		t.Fatal(err)
	}
	return strings.SplitAfter(strings.TrimSpace(text.String()), "\n")
}

func TestVerifyExport(t *testing.T) {
	node := newNode(t, t.TempDir())
	lines := exported(t, newStored(t, node), node) // checkpoint, 3, 4, tombstone of 5, 6, 7, head
	without := func(n int) []string { return append(append([]string{}, lines[:n]...), lines[n+1:]...) }
	with := func(n int, old, new string) []string {
		changed := append([]string{}, lines...)
		changed[n] = strings.Replace(changed[n], old, new, 1)
		if changed[n] == lines[n] {
			t.Fatalf("nothing to replace in %s", lines[n])
		}
		return changed
	}
	empty := &stored{chain: edgelens.Chain{Chain: "c", Device: "door"}}
	other := newNode(t, t.TempDir())
	forged := exported(t, newStored(t, other), other)
	for name, test := range map[string]struct {
		lines  []string
		ok     bool
		reason string
	}{
		"whole":                         {lines, true, "4 are there, 2 were erased, and 1 have expired"},
		"without a content":             {with(1, `,"event":`+string(eventText("e3")), ""), true, "contents of 1 events"},
		"of no events yet":              {exported(t, empty, node), true, "The 0 events"},
		"an event removed":              {without(2), false, "After event 3, line 3 has event 5"},
		"the tombstone removed":         {without(3), false, "removed or moved"},
		"the checkpoint removed":        {without(0), false, "After event 0, line 1 has event 3"},
		"cut off":                       {lines[:4], false, "cut off"},
		"the last event removed":        {without(5), false, "The head is of event 7"},
		"the newest two removed":        {append(append([]string{}, lines[:4]...), lines[6]), false, "The head is of event 7"},
		"a line after the head":         {append(append([]string{}, lines...), lines[1]), false, "after the head"},
		"an event changed":              {with(1, `"name":"e3"`, `"name":"e9"`), false, "content of event 3 was changed"},
		"an event replaced":             {with(1, `"digest":"`, `"digest":"00`), false, "not the hash"},
		"two events swapped":            {[]string{lines[0], lines[2], lines[1], lines[3], lines[4], lines[5], lines[6]}, false, "removed or moved"},
		"a tombstone in place":          {with(1, `"kind":"event"`, `"kind":"tombstone"`), false, `no member "signature"`},
		"another state":                 {with(3, `"state":"erased"`, `"state":"expired"`), false, "does not match"},
		"another checkpoint":            {with(0, `"expired":1`, `"expired":0`), false, "does not match"},
		"another head":                  {with(6, `"seq":7`, `"seq":6`), false, "does not match"},
		"another device":                {with(2, `"device":"door"`, `"device":"gate"`), false, "of another chain"},
		"an unknown kind":               {with(2, `"kind":"event"`, `"kind":"happening"`), false, `no member "signature"`},
		"by another node":               {forged, false, "not among the public keys"},
		"a checkpoint in the middle":    {[]string{lines[1], lines[0]}, false, ""},
		"the head alone, of seven":      {lines[6:], false, "The head is of event 7"},
		"a number where a text must be": {with(1, `"digest":"`, `"digest":5,"x":"`), false, "no line of a chain"},
	} {
		report := signing.Verify([]byte(strings.Join(test.lines, "\n")), "", keysOf(t, node))
		if all := fmt.Sprint(report.Proved, report.Failed, report.Notes); report.OK() != test.ok || !strings.Contains(all, test.reason) {
			t.Errorf("%s: %v, %s", name, report.OK(), all)
		}
	}
}

//go:build cgo

package ledger_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/identity/signing"
	"edgelens/internal/chain"
	"edgelens/internal/ledger"
	"edgelens/internal/notify/event"
)

// chained keeps chains, with tombstones and checkpoints signed by the node.
func chained(node *signing.Node) func(*ledger.Parts) {
	return func(p *ledger.Parts) { p.Chains = &ledger.ChainParts{Digest: event.Digest, Signer: node} }
}

func newNode(t testing.TB) *signing.Node {
	t.Helper()
	node, err := signing.Open(t.TempDir(), signing.DefaultConfig())
	must(t, err)
	return node
}

// exportOf returns the export of a device's chain.
func exportOf(t testing.TB, l *ledger.Ledger, node *signing.Node, device string) string {
	t.Helper()
	var text bytes.Buffer
	must(t, chain.Exporter{Reader: l.Chains, Event: func(d *edgelens.Delivery) (json.RawMessage, error) {
		return json.Marshal(event.Composer{}.Compose(d, d.Record.ReceivedAt))
	}, Signer: node, Now: time.Now}.Export(t.Context(), device, &text))
	return text.String()
}

// verified verifies an export, and returns what its lines are, such as "event 1".
func verified(t testing.TB, node *signing.Node, text string) (lines []string) {
	t.Helper()
	set, err := node.JWKS()
	must(t, err)
	keys, err := signing.ParseJWKS(set)
	must(t, err)
	if report := signing.Verify([]byte(text), "", keys); !report.OK() {
		t.Errorf("%q\n%s", report.Failed, text)
	}
	for line := range strings.Lines(text) {
		var one chain.Line
		must(t, json.Unmarshal([]byte(line), &one))
		lines = append(lines, strings.TrimSpace(fmt.Sprint(one.Kind, " ", one.Seq, " ", one.State)))
	}
	return lines
}

func wantLines(t testing.TB, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("lines %q, want %q", got, want)
	}
}

func TestChainFollowsTheOrderOfRecords(t *testing.T) {
	node := newNode(t)
	l := open(t, t.TempDir(), quiet(), chained(node))
	first := receive(t, l, reception("door", 1))
	receive(t, l, reception("door", 2, withoutImage)) // has its result before the first
	receive(t, l, reception("gate", 3, withoutImage))
	wantLines(t, verified(t, node, exportOf(t, l, node, "door")), "head 0")
	start(t, l, first.ID)
	must(t, l.Jobs.Finish(t.Context(), first.ID, resultOf("cat", 0.5)))
	wantLines(t, verified(t, node, exportOf(t, l, node, "door")), "event 1", "event 2", "head 2")
	wantLines(t, verified(t, node, exportOf(t, l, node, "gate")), "event 1", "head 1")
	deliveries := outbox(t, l, "event", "door")
	if len(deliveries) != 2 || deliveries[0].Chain.Seq != 1 || deliveries[0].Chain.Prev != "" || deliveries[1].Chain.Prev != deliveries[0].Chain.Hash || deliveries[1].Chain.Hash == "" {
		t.Errorf("delivered %+v", deliveries)
	}
	err := l.Chains.Read(t.Context(), "nobody", func(edgelens.Chain) error { return nil }, nil)
	if !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("of an unknown device: %v", err)
	}
}

func TestErasedEventLeavesItsHash(t *testing.T) {
	node := newNode(t)
	dir := t.TempDir()
	l := open(t, dir, quiet(), chained(node))
	var erased edgelens.Reception
	for n := range 4 {
		r := reception("door", n, withoutImage)
		if n == 1 {
			erased = r
		}
		receive(t, l, r)
	}
	before := exportOf(t, l, node, "door")
	if _, err := l.Erasure.Erase(t.Context(), edgelens.ErasureFilter{ID: erased.Record.ID}); err != nil {
		t.Fatal(err)
	}
	after := exportOf(t, l, node, "door")
	wantLines(t, verified(t, node, after), "event 1", "tombstone 2 erased", "event 3", "event 4", "head 4")
	if strings.Contains(after, erased.Record.ID) || !strings.Contains(before, erased.Record.ID) {
		t.Errorf("the id of the erased record is in\n%s", after)
	}
	// The sweeper leaves a tombstone in the middle, and its chain survives a restart.
	if _, err := l.Sweep(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	closeLedger(t, l)
	l = open(t, dir, quiet(), chained(node))
	receive(t, l, reception("door", 9, withoutImage))
	wantLines(t, verified(t, node, exportOf(t, l, node, "door")), "event 1", "tombstone 2 erased", "event 3", "event 4", "event 5", "head 5")
}

func TestEraseBeforeTheResult(t *testing.T) {
	node := newNode(t)
	l := open(t, t.TempDir(), quiet(), chained(node))
	r := reception("door", 1)
	receive(t, l, r)
	receive(t, l, reception("door", 2, withoutImage))
	if _, err := l.Erasure.Erase(t.Context(), edgelens.ErasureFilter{ID: r.Record.ID}); err != nil {
		t.Fatal(err)
	}
	wantLines(t, verified(t, node, exportOf(t, l, node, "door")), "tombstone 1 erased", "event 2", "head 2")
}

func TestRetentionMovesTheCheckpoint(t *testing.T) {
	node := newNode(t)
	now := time.Now()
	config := quiet()
	l := open(t, t.TempDir(), config, chained(node), steady(func() time.Time { return now }))
	old := reception("door", 1, withoutImage)
	for n := range 3 {
		r := reception("door", n, withoutImage)
		r.Record.ReceivedAt, r.Routes = now, nil
		if n == 1 {
			old = r
		}
		receive(t, l, r)
	}
	now = now.Add(time.Second)
	if _, err := l.Erasure.Erase(t.Context(), edgelens.ErasureFilter{ID: old.Record.ID}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(config.MaxAge + time.Hour)
	late := reception("door", 8, withoutImage)
	late.Record.ReceivedAt, late.Routes = now, nil
	receive(t, l, late)
	if _, err := l.Sweep(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	text := exportOf(t, l, node, "door")
	wantLines(t, verified(t, node, text), "checkpoint 3", "event 4", "head 4")
	if !strings.Contains(text, `"erased":1,"expired":2`) {
		t.Errorf("checkpoint in\n%s", text)
	}
	// Without its first line, it looks like what it is.
	_, rest, _ := strings.Cut(text, "\n")
	if report := signing.Verify([]byte(rest), "", publicKeysOf(t, node)); report.OK() || !strings.Contains(fmt.Sprint(report.Failed), "removed or moved") {
		t.Errorf("%q", report)
	}
}

func publicKeysOf(t testing.TB, node *signing.Node) signing.Keys {
	t.Helper()
	set, err := node.JWKS()
	must(t, err)
	keys, err := signing.ParseJWKS(set)
	must(t, err)
	return keys
}

func TestRestoreBeginsNewChains(t *testing.T) {
	node := newNode(t)
	l := open(t, t.TempDir(), quiet(), chained(node))
	receive(t, l, reception("door", 1, withoutImage))
	before := exportOf(t, l, node, "door")
	dir := t.TempDir()
	restoreInto(t, l, dir, time.Now())
	restored := open(t, dir, quiet(), chained(node))
	receive(t, restored, reception("door", 2, withoutImage))
	after := exportOf(t, restored, node, "door")
	wantLines(t, verified(t, node, after), "event 1", "head 1")
	if before[:60] == after[:60] {
		t.Errorf("the chain goes on: %s", after)
	}
}

func BenchmarkReceiveChained(b *testing.B) {
	for name, change := range map[string][]func(*ledger.Parts){"without": nil, "with": {chained(newNode(b))}} {
		b.Run(name, func(b *testing.B) {
			l := open(b, b.TempDir(), quiet(), change...)
			n := 0
			for b.Loop() {
				n++
				receive(b, l, reception("door", n, withoutImage))
			}
		})
	}
}

//go:build cgo

package ledger_test

import (
	"bytes"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
	"edgelens/internal/testutil"
)

// leaveFormerIDs makes a ledger of the version before ids took 16 bytes, which has the ids of the receptions 1 to n.
func leaveFormerIDs(t *testing.T, dir string, n int, at time.Time) {
	t.Helper()
	old, err := ledger.OpenAtVersion(t.Context(), dir, 26)
	must(t, err)
	tx, err := old.BeginTx(t.Context(), nil)
	must(t, err)
	for i := range n {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO seen (id, at) VALUES (?, ?)`, reception("door", i+1).Record.ID, at.Add(time.Duration(i)*time.Microsecond).UnixMicro())
		must(t, err)
	}
	must(t, tx.Commit())
	must(t, old.Close())
}

// The ids of an earlier version are recognized before, while and after they move, also where the move is interrupted; then their
// table goes.
func TestFormerIDsMove(t *testing.T) {
	const ids = 350
	dir, now := t.TempDir(), time.Now()
	leaveFormerIDs(t, dir, ids, now)
	for starts := 1; ; starts++ {
		l := open(t, dir, quiet())
		for _, n := range []int{1, ids / 2, ids} {
			r := reception("door", n)
			_, existing, err := l.Records.Receive(t.Context(), r)
			must(t, err)
			equal(t, "existing", existing, true)
		}
		left, table, err := l.FormerIDs(t.Context())
		must(t, err)
		closeLedger(t, l) // wherever the move is
		if !table {
			equal(t, "left", left, int64(0))
			break
		}
		if starts > 2*ids {
			t.Fatal("the ids do not move")
		}
	}
	l := open(t, dir, quiet())
	for n := range ids {
		_, existing, err := l.Records.Receive(t.Context(), reception("door", n+1))
		must(t, err)
		if !existing {
			t.Errorf("id %d is forgotten", n+1)
		}
	}
	_, existing, err := l.Records.Receive(t.Context(), reception("door", ids+1))
	must(t, err)
	equal(t, "another", existing, false)
}

// While ids move, nothing is removed or refused for them, however many there are; afterwards their limit counts.
func TestLimitOfIDsWhileTheyMove(t *testing.T) {
	config := quiet()
	config.RememberMax, config.MaxBytes = 1000, 1<<20
	dir, now := t.TempDir(), time.Now()
	leaveFormerIDs(t, dir, 1500, now)
	c := &machine{wall: now} // which the move reads, too
	l := open(t, dir, config, clock(c.read))
	_, err := l.Sweep(t.Context(), now)
	must(t, err)
	receive(t, l, reception("gate", 1))
	testutil.Eventually(t, "the ids have moved", func() bool {
		left, _, err := l.FormerIDs(t.Context())
		must(t, err)
		return left == 0
	})
	c.pass(config.MinAge + time.Minute)
	_, err = l.Sweep(t.Context(), c.read().Wall)
	must(t, err)
	equal(t, "removed", l.RemovedForSpace()["ids"], int64(501))
	_, existing, err := l.Records.Receive(t.Context(), reception("door", 1500))
	must(t, err)
	equal(t, "the newest is known", existing, true)
	_, existing, err = l.Records.Receive(t.Context(), reception("door", 1))
	must(t, err)
	equal(t, "the oldest is known", existing, false)
}

// A repeated image that an earlier version had renews its time there.
func TestRepeatedImageOfFormerID(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	leaveFormerIDs(t, dir, 1, now.Add(-time.Hour))
	c := &machine{wall: now} // which the move reads, too
	l := openWith(t, dir, c)
	repeat := func() bool {
		_, existing, err := l.Records.Receive(t.Context(), reception("door", 1, func(r *edgelens.Reception) { r.RepeatsAfter = time.Minute }))
		must(t, err)
		return existing
	}
	equal(t, "an hour later", repeat(), false)
	c.pass(time.Second)
	equal(t, "at once", repeat(), true)
}

func TestCompactID(t *testing.T) {
	const uuid = "0123abcd-4567-89ab-8def-0123456789ab"
	equal(t, "a UUID", bytes.Equal(ledger.CompactID(uuid), []byte("\x01\x23\xab\xcd\x45\x67\x89\xab\x8d\xef\x01\x23\x45\x67\x89\xab")), true)
	known := map[string]string{}
	for _, id := range []string{
		uuid, "0123ABCD-4567-89ab-8def-0123456789ab", "0123abcd4567-89ab-8def-0123456789ab-", "0123abcd-4567-89ab-8def-0123456789ag", "none", "",
		"0123abcd456789ab8def0123456789ab", uuid + "0",
	} {
		compact := string(ledger.CompactID(id))
		equal(t, "bytes of "+id, len(compact), 16)
		if other, taken := known[compact]; taken {
			t.Errorf("%q is stored as %q is", id, other)
		}
		known[compact] = id
	}
}

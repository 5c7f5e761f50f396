//go:build cgo

package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
)

// changeOf is the nth change of the state of a gate, and the state with it.
func changeOf(n int, device, record string) (edgelens.StateChange, edgelens.State) {
	at := time.Unix(int64(1_700_000_000+n), 0).UTC()
	labels := []string{"open", "closed"}
	change := edgelens.StateChange{
		ID: fmt.Sprintf("0197a000-0000-7000-8000-%012d", n), Name: "gate", Device: device, Label: labels[n%2], Former: labels[(n+1)%2], Confidence: 0.9,
		Model: edgelens.ModelRef{Name: "m", Digest: "sha256:1"}, ImageAt: at, Record: record, At: at,
	}
	return change, edgelens.State{
		Name: "gate", Device: device, Label: change.Label, Since: at, Confidence: 0.9, ImageAt: at,
		Answers: []edgelens.StateAnswer{{Label: change.Label, Probability: 0.9, At: at, Outcome: edgelens.StateChanged}},
	}
}

// A change is in the history, in the events, in the outbox of each sink, and the state is as it is then; once.
func TestRecordChange(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	for n := range 3 {
		change, now := changeOf(n, "cam1", "")
		for range 2 {
			must(t, l.States.RecordChange(t.Context(), change, now, []string{"mqtt", "webhook"}))
		}
	}
	_, last := changeOf(2, "cam1", "")
	all, err := l.States.States(t.Context())
	must(t, err)
	equal(t, "the state", all, []edgelens.State{last})
	page, next, err := l.States.Changes(t.Context(), edgelens.StateFilter{Name: "gate", Limit: 2})
	must(t, err)
	newest, _ := changeOf(2, "cam1", "")
	equal(t, "the newest change", page[0], newest)
	page, next, err = l.States.Changes(t.Context(), edgelens.StateFilter{Name: "gate", Limit: 2, Cursor: next})
	must(t, err)
	equal(t, "the rest", len(page), 1)
	equal(t, "the last page", next, "")
	deliveries, err := l.Outbox.Outbox(t.Context(), "mqtt", "states/gate", 10)
	must(t, err)
	equal(t, "deliveries", len(deliveries), 3)
	first, _ := changeOf(0, "cam1", "")
	equal(t, "the first delivery", *deliveries[0].State, first)
	must(t, l.Outbox.Delivered(t.Context(), deliveries[0].Seq))
	deliveries, err = l.Outbox.Outbox(t.Context(), "mqtt", "states/gate", 10)
	must(t, err)
	equal(t, "deliveries after the first", len(deliveries), 2)
	must(t, l.Outbox.SetAside(t.Context(), deliveries[0].Seq, "no"))
	aside, _, err := l.Outbox.ListSetAside(t.Context(), edgelens.SetAsideFilter{Device: "cam1"})
	must(t, err)
	if len(aside) != 1 || aside[0].Kind != "state" || aside[0].Device != "cam1" {
		t.Errorf("set aside: %+v", aside)
	}
}

// Erasures by the name, and by the device, leave nothing; those of others stay.
func TestEraseStates(t *testing.T) {
	for name, erase := range map[string]func(*testing.T) (changes int){
		"by name": func(t *testing.T) int {
			l := open(t, t.TempDir(), quiet())
			change, now := changeOf(0, "cam1", "")
			must(t, l.States.RecordChange(t.Context(), change, now, []string{"mqtt"}))
			erased, err := l.Erasure.EraseState(t.Context(), "gate")
			must(t, err)
			equal(t, "erased", erased, edgelens.ErasedState{Changes: 1, Undelivered: 1})
			return leftOf(t, l)
		},
		"by device": func(t *testing.T) int {
			l := open(t, t.TempDir(), quiet())
			change, now := changeOf(0, "cam1", "")
			must(t, l.States.RecordChange(t.Context(), change, now, []string{"mqtt"}))
			_, err := l.Erasure.Erase(t.Context(), edgelens.ErasureFilter{Device: "cam2"})
			must(t, err)
			equal(t, "left by the erasure of another device", leftOf(t, l), 3)
			erased, err := l.Erasure.Erase(t.Context(), edgelens.ErasureFilter{Device: "cam1"})
			must(t, err)
			equal(t, "undelivered", erased.Undelivered, int64(1))
			return leftOf(t, l)
		},
	} {
		t.Run(name, func(t *testing.T) { equal(t, "left", erase(t), 0) })
	}
}

// leftOf counts what is left of states: what they are, their changes, and the events about these.
func leftOf(t *testing.T, l *ledger.Ledger) int {
	t.Helper()
	all, err := l.States.States(t.Context())
	must(t, err)
	page, _, err := l.States.Changes(t.Context(), edgelens.StateFilter{Name: "gate"})
	must(t, err)
	events, err := l.Events.Events(t.Context(), 0, 10)
	must(t, err)
	return len(all) + len(page) + len(events)
}

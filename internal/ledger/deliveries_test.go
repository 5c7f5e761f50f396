//go:build cgo

package ledger_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
)

// deliveries returns the deliveries of a record's event, without their times.
func deliveries(t testing.TB, l *ledger.Ledger, record string) string {
	t.Helper()
	all, err := l.Outbox.Deliveries(t.Context(), record)
	must(t, err)
	text := ""
	for _, d := range all {
		text += fmt.Sprintf("%s %s %d %q %v %v; ", d.Sink, d.State, d.Attempts, d.Reason, !d.AttemptedAt.IsZero(), !d.DeliveredAt.IsZero())
	}
	return text
}

// The deliveries of an event are known, before and after they succeed, for as long as the result is.
func TestDeliveriesOfARecord(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	r := reception("door", 1, withoutImage)
	receive(t, l, r)
	id := r.Record.ID
	equal(t, "at first", deliveries(t, l, id), `event waiting 0 "" false false; hook waiting 0 "" false false; `)

	hook := outbox(t, l, "hook", "door")[0].Seq
	l.Outbox.Failed(hook, "It is down.")
	l.Outbox.Failed(hook, "It refuses.")
	must(t, l.Outbox.Delivered(t.Context(), outbox(t, l, "event", "door")[0].Seq))
	equal(t, "one is delivered", deliveries(t, l, id), `event delivered 1 "" false true; hook waiting 2 "It refuses." true false; `)

	must(t, l.Outbox.SetAside(t.Context(), hook, "It never accepts it."))
	equal(t, "the other is set aside", deliveries(t, l, id), `event delivered 1 "" false true; hook set_aside 2 "It never accepts it." true false; `)
	_, err := l.Outbox.RetrySetAside(t.Context(), "")
	must(t, err)
	must(t, l.Outbox.Delivered(t.Context(), hook))
	closeLedger(t, l)
	l = open(t, dir, quiet())
	equal(t, "after a restart", deliveries(t, l, id), `event delivered 1 "" false true; hook delivered 3 "" false true; `)
	equal(t, "another record", deliveries(t, l, "no record"), "")

	_, err = l.Sweep(t.Context(), time.Now().Add(30*24*time.Hour))
	must(t, err)
	if _, err := l.Results.Result(t.Context(), id); !errors.Is(err, edgelens.ErrNotFound) {
		t.Fatalf("the result: %v", err)
	}
	equal(t, "with its result", deliveries(t, l, id), "")
}

// Deliveries are removed with a result that its job takes along, too.
func TestDeliveriesAreRemovedWithTheJob(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	r := reception("door", 1)
	job := receive(t, l, r)
	must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
	must(t, l.Outbox.Delivered(t.Context(), outbox(t, l, "event", "door")[0].Seq, outbox(t, l, "hook", "door")[0].Seq))
	equal(t, "delivered", deliveries(t, l, r.Record.ID), `event delivered 1 "" false true; hook delivered 1 "" false true; `)
	_, err := l.Sweep(t.Context(), time.Now().Add(30*24*time.Hour))
	must(t, err)
	equal(t, "after its age", deliveries(t, l, r.Record.ID), "")
}

func TestHeldDelivery(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	r := reception("door", 1, withoutImage, func(r *edgelens.Reception) { r.Held = func() bool { return true } })
	receive(t, l, r)
	equal(t, "held", deliveries(t, l, r.Record.ID), `event held 0 "" false false; hook held 0 "" false false; `)
}

func TestRecordByItsID(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	r := reception("door", 1, doubted)
	receive(t, l, r)
	got, err := l.Records.Record(t.Context(), r.Record.ID)
	must(t, err)
	equal(t, "record", got, r.Record)
	if _, err := l.Records.Record(t.Context(), "none"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("an unknown one: %v", err)
	}
}

// A forgotten device leaves no command, event or queued image behind; its results stay, and its records are still known.
func TestForgetDevice(t *testing.T) {
	config := quiet()
	config.KeepImages = true
	l := open(t, t.TempDir(), config)
	now := time.Now().UTC().Truncate(time.Second)
	for _, id := range []string{"door", "gate"} {
		must(t, l.Devices.SaveDevices(t.Context(), edgelens.Device{ID: id, Dialect: "fungxi", State: edgelens.DeviceAccepted, FirstSeen: now, LastSeen: now,
			Settings: edgelens.DeviceSettings{DisplayName: "Front door"}}))
		_, err := l.Commands.AddCommand(t.Context(), id, []byte(`{"cmd":"open"}`), now.Add(time.Hour))
		must(t, err)
	}
	done := reception("door", 1)
	must(t, l.Jobs.Finish(t.Context(), receive(t, l, done).ID, resultOf("cat", 0.5)))
	waiting := receive(t, l, reception("door", 2))
	other := receive(t, l, reception("gate", 3))

	must(t, l.Devices.ForgetDevice(t.Context(), "door"))
	devices, err := l.Devices.Devices(t.Context())
	must(t, err)
	if len(devices) != 1 || devices[0].ID != "gate" || devices[0].Settings.DisplayName != "Front door" {
		t.Errorf("left: %+v", devices)
	}
	commands, err := l.Commands.QueuedCommands(t.Context())
	must(t, err)
	if len(commands) != 1 || commands[0].Device != "gate" {
		t.Errorf("commands: %+v", commands)
	}
	for _, sink := range []string{"event", "hook"} {
		of, err := l.Outbox.OutboxDevices(t.Context(), sink)
		must(t, err)
		equal(t, "devices in the outbox of "+sink, fmt.Sprint(of), "[gate]")
	}
	equal(t, "its job", jobOf(t, l, waiting.ID).Status, edgelens.JobCanceled)
	equal(t, "the job of another", jobOf(t, l, other.ID).Status, edgelens.JobQueued)
	if r, err := l.Results.Result(t.Context(), done.Record.ID); err != nil || r.Outcome != edgelens.OutcomeRecognized || !r.HasImage {
		t.Errorf("its result: %+v, %v", r, err)
	}
	if _, existing, err := l.Records.Receive(t.Context(), done); err != nil || !existing {
		t.Errorf("its record again: existing %v, %v", existing, err)
	}
	events := allEvents(t, l)
	if last := events[len(events)-1]; last.Type != "device" || last.Device != "door" || string(last.Data) != `{"id":"door","forgotten":true}` {
		t.Errorf("the last event: %+v %s", last, last.Data)
	}
	must(t, l.Devices.ForgetDevice(t.Context(), "door"))
	equal(t, "events after it is forgotten again", len(allEvents(t, l)), len(events))
}

// Results know whether there is an image, and are found by their source.
func TestResultsBySource(t *testing.T) {
	config := quiet()
	config.KeepImages = true
	l := open(t, t.TempDir(), config)
	job := accept(t, l)
	must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
	must(t, l.Results.RecordAll(t.Context(), []edgelens.StoredResult{
		{ID: "a", Source: edgelens.SourceSync, Owner: "key", Result: resultOf("dog", 0.5)}, {ID: "b", Source: edgelens.SourceSync, Result: resultOf("cow", 0.5)}, {ID: "a", Source: "mqtt"},
	}))
	for source, want := range map[string]string{"": "b a cat with its image ", "sync": "b a ", "http": "cat with its image ", "mqtt": ""} {
		page, _, err := l.Results.Results(t.Context(), edgelens.ResultFilter{Source: source})
		must(t, err)
		got := ""
		for _, r := range page {
			if r.JobID != "" {
				got += r.Label + map[bool]string{true: " with its image ", false: " without an image "}[r.HasImage]
				continue
			}
			got += r.ID + " "
			if r.HasImage || r.Outcome != edgelens.OutcomeRecognized || r.CreatedAt.IsZero() {
				t.Errorf("%+v", r)
			}
		}
		equal(t, "results of "+source, got, want)
	}
	queued, err := l.Jobs.Queued(t.Context())
	must(t, err)
	equal(t, "queued", queued, int64(0))
	accept(t, l)
	queued, err = l.Jobs.Queued(t.Context())
	must(t, err)
	equal(t, "queued", queued, int64(1))
}

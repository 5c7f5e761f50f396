//go:build cgo

package ledger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
)

// reception is a passed record number n of a device, with an image, for the sinks "event" and "hook"; the hook with the
// image.
func reception(device string, n int, change ...func(*edgelens.Reception)) edgelens.Reception {
	image := image(fmt.Sprint(device, n))
	spec := specOf(image)
	r := edgelens.Reception{
		Record: edgelens.Record{
			Dialect: "fungxi", Device: device, Kind: edgelens.RecordVerified, Key: fmt.Sprint(n), Passed: true,
			Person:  edgelens.Person{ID: "7", Name: "Zoë", Type: "1", Code: "0"},
			Verdict: json.RawMessage(`{"num":7}`), CapturedAt: time.UnixMicro(1_000_000).UTC(), ReceivedAt: time.UnixMicro(int64(n) * 5_000_000).UTC(),
			Freshness: edgelens.FreshnessUnknown, FreshnessReason: "The record has no time.",
			ImageSHA256: spec.SHA256, ImageBytes: spec.Bytes,
		},
		Image: image, Job: edgelens.JobSpec{Source: "mqtt", TopK: 3},
		Routes:     []edgelens.Route{{Sink: "event"}, {Sink: "hook", Image: true}},
		MaxWaiting: 100, MaxInteractive: 4,
	}
	for _, c := range change {
		c(&r)
	}
	r.Record.ID = edgelens.RecordID(r.Record.Dialect, r.Record.Device, r.Record.Kind, r.Record.Key, r.Record.ImageSHA256)
	return r
}

func withoutImage(r *edgelens.Reception) {
	r.Image, r.Record.ImageSHA256, r.Record.ImageBytes = nil, "", 0
}

func doubted(r *edgelens.Reception) {
	r.Record.Passed, r.Record.Doubt = false, `PersonType is "7", which is not known.`
}

func receive(t testing.TB, l *ledger.Ledger, r edgelens.Reception) edgelens.Job {
	t.Helper()
	job, existing, err := l.Records.Receive(t.Context(), r)
	if err != nil || existing {
		t.Fatalf("receive: existing %v, %v", existing, err)
	}
	return job
}

func outbox(t testing.TB, l *ledger.Ledger, sink, device string) []edgelens.Delivery {
	t.Helper()
	deliveries, err := l.Outbox.Outbox(t.Context(), sink, device, 100)
	must(t, err)
	return deliveries
}

func TestReceiveQueuesImageAndDeliveries(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	r := reception("door", 1)
	r.Job.View = edgelens.View{Fit: edgelens.FitPad, Region: edgelens.Region{Width: 0.5, Height: 1}}
	r.Record.Trace = edgelens.NewTrace([16]byte{1}, [8]byte{2}, true)
	job := receive(t, l, r)
	equal(t, "record", job.Record, r.Record.ID)
	equal(t, "view", jobOf(t, l, job.ID).View, r.Job.View)
	equal(t, "trace", jobOf(t, l, job.ID).Trace, r.Record.Trace)
	equal(t, "device", job.Device, "door")
	equal(t, "queue", job.Queue, edgelens.QueueInteractive)
	equal(t, "deliveries before the result", len(outbox(t, l, "event", "door")), 0)

	started := start(t, l, job.ID)
	equal(t, "started", started.Record, r.Record.ID)
	must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.7)))
	for sink, image := range map[string]string{"event": "", "hook": job.ID} {
		deliveries := outbox(t, l, sink, "door")
		if len(deliveries) != 1 {
			t.Fatalf("%s: %d deliveries, want 1", sink, len(deliveries))
		}
		d := deliveries[0]
		if !reflect.DeepEqual(d.Record, r.Record) {
			t.Errorf("%s: record %+v, want %+v", sink, d.Record, r.Record)
		}
		equal(t, "sink", d.Sink, sink)
		equal(t, "image", d.Image, image)
		equal(t, "result id", d.Result.ID, r.Record.ID)
		equal(t, "outcome", d.Result.Outcome, edgelens.OutcomeRecognized)
		equal(t, "label", d.Result.Result.Predictions[0].Label, "cat")
	}

	// The image stays until the hook has it.
	if _, err := l.Images.Image(t.Context(), job.ID); err != nil {
		t.Error(err)
	}
	must(t, l.Outbox.Delivered(t.Context(), outbox(t, l, "event", "door")[0].Seq))
	equal(t, "files", len(filesIn(t, dir)), 1)
	must(t, l.Outbox.Delivered(t.Context(), outbox(t, l, "hook", "door")[0].Seq))
	equal(t, "files once all are delivered", len(filesIn(t, dir)), 0)
	stats, err := l.Outbox.Stats(t.Context())
	must(t, err)
	equal(t, "event", stats["event"], ledger.OutboxStats{})
	equal(t, "hook", stats["hook"], ledger.OutboxStats{})

	item, err := l.Results.Result(t.Context(), r.Record.ID)
	must(t, err)
	equal(t, "history", item.Device, "door")
	equal(t, "history", item.Freshness, edgelens.FreshnessUnknown)
	equal(t, "history", item.FreshnessReason, "The record has no time.")
	events := allEvents(t, l)
	if last := string(events[len(events)-1].Data); !strings.Contains(last, `"freshness":"unknown","freshness_reason":"The record has no time."`) {
		t.Errorf("the last event is %s", last)
	}
}

func TestReceiveOutcomes(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*edgelens.Reception)
		end     func(l *ledger.Ledger, job edgelens.Job) error
		outcome string
		reason  string
		code    string
	}{
		"recognized": {nil, func(l *ledger.Ledger, job edgelens.Job) error {
			return l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.7))
		}, "recognized", "", ""},
		"nothing probable": {nil, func(l *ledger.Ledger, job edgelens.Job) error {
			result := resultOf("cat", 0.7)
			result.Predictions = nil
			return l.Jobs.Finish(t.Context(), job.ID, result)
		}, "uncertain", "probable", ""},
		"unusable  ": {nil, func(l *ledger.Ledger, job edgelens.Job) error {
			result := resultOf("cat", 0.7)
			result.Quality = &edgelens.Quality{Verdict: edgelens.QualityBlurred, Score: 0.93}
			return l.Jobs.Finish(t.Context(), job.ID, result)
		}, "uncertain", "The image is blurred (0.93)", ""},
		"not good, but usable": {nil, func(l *ledger.Ledger, job edgelens.Job) error {
			result := resultOf("cat", 0.7)
			result.Quality = &edgelens.Quality{Verdict: edgelens.QualityBlurred, Score: 0.4, Usable: true}
			return l.Jobs.Finish(t.Context(), job.ID, result)
		}, "recognized", "", ""},
		"no image":       {withoutImage, nil, "no_image", "no image", ""},
		"a broken image": {func(r *edgelens.Reception) { withoutImage(r); r.Record.Reason = "It is not base64." }, nil, "no_image", "It is not base64.", ""},
		"failed": {nil, func(l *ledger.Ledger, job edgelens.Job) error {
			return l.Jobs.Fail(t.Context(), job.ID, edgelens.JobError{Code: "bad_image", Detail: "It is cut off."})
		}, "error", "It is cut off.", "bad_image"},
		"canceled": {nil, func(l *ledger.Ledger, job edgelens.Job) error {
			_, err := l.Jobs.Cancel(t.Context(), job.ID)
			return err
		}, "error", "canceled", "canceled"},
		"expired": {func(r *edgelens.Reception) { r.Job.Deadline = time.Now().Add(-time.Second) }, func(l *ledger.Ledger, _ edgelens.Job) error {
			_, err := l.Jobs.Expire(t.Context(), time.Now())
			return err
		}, "error", "deadline", "deadline"},
		"a verdict in doubt": {doubted, func(l *ledger.Ledger, job edgelens.Job) error {
			return l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.7))
		}, "uncertain", "PersonType is \"7\"", ""},
		"in doubt, no image": {func(r *edgelens.Reception) { withoutImage(r); doubted(r) }, nil, "uncertain", "PersonType is \"7\", which is not known. The record has no image.", ""},
		"in doubt, failed": {doubted, func(l *ledger.Ledger, job edgelens.Job) error {
			return l.Jobs.Fail(t.Context(), job.ID, edgelens.JobError{Code: "bad_image", Detail: "It is cut off."})
		}, "error", "PersonType is \"7\", which is not known. It is cut off.", "bad_image"},
		"too many waiting": {func(r *edgelens.Reception) { r.MaxWaiting = 0 }, nil, "error", "not recognized", "busy"},
		"larger than all":  {func(r *edgelens.Reception) { r.Image = make([]byte, 2<<20); setImage(r) }, nil, "error", "not recognized", "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			config := quiet()
			config.MaxBytes = 1 << 20
			dir := t.TempDir()
			l := open(t, dir, config)
			r := reception("door", 1)
			if test.change != nil {
				r = reception("door", 1, test.change)
			}
			job := receive(t, l, r)
			if (job.ID != "") != (test.end != nil) {
				t.Fatalf("job %q", job.ID)
			}
			if test.end != nil {
				must(t, test.end(l, job))
			}
			deliveries := outbox(t, l, "event", "door")
			if len(deliveries) != 1 {
				t.Fatalf("%d deliveries, want 1", len(deliveries))
			}
			item := deliveries[0].Result
			equal(t, "outcome", item.Outcome, test.outcome)
			if (item.Reason == "") != (test.reason == "") || !strings.Contains(item.Reason, test.reason) {
				t.Errorf("reason %q, want %q", item.Reason, test.reason)
			}
			code := ""
			if item.Error != nil {
				code = item.Error.Code
			}
			equal(t, "code", code, test.code)
			for _, sink := range []string{"event", "hook"} {
				must(t, l.Outbox.Delivered(t.Context(), outbox(t, l, sink, "door")[0].Seq))
			}
			equal(t, "files left", len(filesIn(t, dir)), 0)
		})
	}
}

func setImage(r *edgelens.Reception) {
	spec := specOf(r.Image)
	r.Record.ImageSHA256, r.Record.ImageBytes = spec.SHA256, spec.Bytes
}

func TestReceiveDetectsDuplicates(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, l *ledger.Ledger, job edgelens.Job){
		"waiting": func(*testing.T, *ledger.Ledger, edgelens.Job) {},
		"done": func(t *testing.T, l *ledger.Ledger, job edgelens.Job) {
			must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.7)))
		},
		"delivered and swept": func(t *testing.T, l *ledger.Ledger, job edgelens.Job) {
			must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.7)))
			for _, sink := range []string{"event", "hook"} {
				must(t, l.Outbox.Delivered(t.Context(), outbox(t, l, sink, "door")[0].Seq))
			}
			_, err := l.Sweep(t.Context(), time.Now().Add(30*24*time.Hour))
			must(t, err)
			if _, err := l.Jobs.Job(t.Context(), job.ID); !errors.Is(err, edgelens.ErrNotFound) {
				t.Fatalf("the job is still there: %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, quiet())
			r := reception("door", 1)
			end(t, l, receive(t, l, r))
			files, waiting := len(filesIn(t, dir)), len(outbox(t, l, "event", "door"))
			r.Record.ReceivedAt = r.Record.ReceivedAt.Add(time.Hour)
			again, existing, err := l.Records.Receive(t.Context(), r)
			must(t, err)
			if !existing || again.ID != "" {
				t.Errorf("existing %v, job %q", existing, again.ID)
			}
			equal(t, "files", len(filesIn(t, dir)), files)
			equal(t, "undelivered", len(outbox(t, l, "event", "door")), waiting)
			closeLedger(t, l)
			l = open(t, dir, quiet())
			if _, existing, _ := l.Records.Receive(t.Context(), r); !existing {
				t.Error("it is forgotten after a restart")
			}
		})
	}
}

func TestRacingReceptionsOfOneRecord(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	var wg sync.WaitGroup
	var mu sync.Mutex
	fresh := 0
	for range 16 {
		wg.Go(func() {
			_, existing, err := l.Records.Receive(t.Context(), reception("door", 1))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if !existing {
				fresh++
			}
		})
	}
	wg.Wait()
	equal(t, "received as new", fresh, 1)
	equal(t, "files", len(filesIn(t, dir)), 1)
}

func TestReceiveIsFairToOtherDevices(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	small := func(r *edgelens.Reception) { r.MaxWaiting, r.MaxInteractive = 5, 2 }
	queues := ""
	for n := range 7 {
		queues += receive(t, l, reception("flood", n, small)).Queue + " "
	}
	equal(t, "queues", queues, "interactive interactive bulk bulk bulk   ")
	equal(t, "another device", receive(t, l, reception("door", 1, small)).Queue, edgelens.QueueInteractive)
}

func TestReceiveOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	l.FillDisk()
	r := reception("door", 1)
	if _, _, err := l.Records.Receive(t.Context(), r); !errors.Is(err, edgelens.ErrDiskFull) {
		t.Fatalf("%v, want ErrDiskFull", err)
	}
	closeLedger(t, l)
	l = open(t, dir, quiet())
	receive(t, l, r) // nothing was stored, so it is new
}

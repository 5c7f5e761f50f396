//go:build cgo

package ledger_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
	"edgelens/internal/testutil"
)

// keptOf returns what a ledger keeps, by kind.
func keptOf(t *testing.T, l *ledger.Ledger) map[string]edgelens.KeptKind {
	t.Helper()
	kept, err := l.Kept(t.Context())
	must(t, err)
	kinds := map[string]edgelens.KeptKind{}
	for _, kind := range kept.Kinds {
		kinds[kind.Kind] = kind
	}
	return kinds
}

func TestKept(t *testing.T) {
	config := quiet()
	config.KeepImages, config.MaxEvents = true, 5
	config.Ages.Records = 2 * time.Hour
	start := time.Unix(1_700_000_000, 0).UTC()
	now := start
	l := open(t, t.TempDir(), config, steady(func() time.Time { return now }))
	for kind, of := range keptOf(t, l) {
		if of.Rows != 0 || of.Bytes != 0 || !of.Oldest.IsZero() || of.Bound != edgelens.BoundNone || of.MaxAge == 0 && of.MaxRows == 0 {
			t.Errorf("%s of an empty ledger: %+v", kind, of)
		}
	}
	receive(t, l, reception("door", 1, withoutImage, func(r *edgelens.Reception) { r.Record.ReceivedAt = now }))
	now = now.Add(time.Minute)
	job := accept(t, l)
	must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
	now = now.Add(time.Minute)
	_, err := l.Results.Record(t.Context(), edgelens.StoredResult{ID: "sync", Result: resultOf("cat", 0.5), CreatedAt: now})
	must(t, err)
	now = start.Add(2*time.Hour - time.Second)

	kinds := keptOf(t, l)
	for kind, want := range map[string]struct {
		rows   int64
		oldest time.Duration
		bound  edgelens.KeptBound
	}{
		edgelens.KeptJobs: {1, time.Minute, ""}, edgelens.KeptResults: {2, 0, ""}, edgelens.KeptRecords: {1, 0, edgelens.BoundAge},
		edgelens.KeptEvents: {5, 0, edgelens.BoundRows}, edgelens.KeptImages: {1, time.Minute, ""}, edgelens.KeptIDs: {1, 0, ""}, edgelens.KeptUndelivered: {2, 0, ""},
	} {
		of := kinds[kind]
		if of.Rows != want.rows || of.Bound != want.bound || of.Bytes <= 0 {
			t.Errorf("%s: %+v, want %+v", kind, of, want)
		}
		if got := of.Oldest.Sub(start); got != want.oldest {
			t.Errorf("%s: the oldest is %v old, want %v", kind, got, want.oldest)
		}
	}
	images := kinds[edgelens.KeptImages]
	equal(t, "bytes of images", images.Bytes, job.Bytes)
	equal(t, "share of images", images.Share, config.MaxBytes/100*25)
	equal(t, "age of records", kinds[edgelens.KeptRecords].MaxAge, 2*time.Hour)
}

// What the kinds take by their estimates is about what the file takes.
func TestKeptSizesAreAboutRight(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	_, err := ledger.Fill(t.Context(), dir, ledger.Filling{Items: 2000, Until: now, Span: 24 * time.Hour, Devices: 5, Seed: 1})
	must(t, err)
	l := open(t, dir, quiet())
	var sum int64
	for kind, of := range keptOf(t, l) {
		sum += of.Bytes
		if of.Rows > 0 && of.Estimated {
			t.Errorf("%s is estimated", kind)
		}
	}
	// A small file has nearly empty pages.
	if file := int64(databasePages(t, l)) * 4096; math.Abs(float64(sum-file)) > float64(file)/4 {
		t.Errorf("all kinds take %d bytes, and the file %d", sum, file)
	}
	kinds := keptOf(t, l)
	equal(t, "jobs", kinds[edgelens.KeptJobs].Rows, int64(1800))
	equal(t, "results", kinds[edgelens.KeptResults].Rows, int64(200))
	equal(t, "records", kinds[edgelens.KeptRecords].Rows, int64(1600))
	equal(t, "ids", kinds[edgelens.KeptIDs].Rows, int64(1600))
}

// Rows of an earlier version are counted after the start, once, whatever is removed meanwhile.
func TestRowsOfAnEarlierVersionAreCounted(t *testing.T) {
	dir := t.TempDir()
	old, err := ledger.OpenAtVersion(t.Context(), dir, 26)
	must(t, err)
	const rows = 1000
	for i := range rows {
		_, err := old.ExecContext(t.Context(), `INSERT INTO results (id, source, device, outcome, label, probability, created_at, result) VALUES (?, 'http', '', 'error', '', 0, ?, NULL)`, fmt.Sprint(i), i)
		must(t, err)
	}
	must(t, old.Close())
	for range 3 { // interrupted, the count goes on
		l := open(t, dir, quiet())
		_, err = l.Results.Record(t.Context(), edgelens.StoredResult{ID: fmt.Sprint("new", time.Now().UnixNano()), Result: resultOf("cat", 0.5)})
		must(t, err)
		closeLedger(t, l)
	}
	l := open(t, dir, quiet())
	_, err = l.Sweep(t.Context(), time.UnixMicro(300).Add(quiet().MaxAge)) // removes the first 300
	must(t, err)
	testutil.Eventually(t, "all are counted", func() bool { return !keptOf(t, l)[edgelens.KeptResults].Estimated })
	equal(t, "results", keptOf(t, l)[edgelens.KeptResults].Rows, int64(rows-300+3))
}

// A kind that floods the ledger does not push out others: what takes more than its share goes first.
func TestFloodingKindDoesNotPushOutOthers(t *testing.T) {
	long := resultOf("cat", 0.5)
	for range 300 {
		long.Predictions = append(long.Predictions, edgelens.Prediction{Label: "padding"})
	}
	for name, flood := range map[string]func(t *testing.T, l *ledger.Ledger, i int){
		edgelens.KeptResults: func(t *testing.T, l *ledger.Ledger, i int) {
			_, err := l.Results.Record(t.Context(), edgelens.StoredResult{ID: fmt.Sprint("flood", i), Result: long})
			must(t, err)
		},
		edgelens.KeptJobs: func(t *testing.T, l *ledger.Ledger, _ int) {
			must(t, l.Jobs.Finish(t.Context(), accept(t, l).ID, long))
		},
		edgelens.KeptImages: func(t *testing.T, l *ledger.Ledger, i int) {
			image := append(image(fmt.Sprint(i)), make([]byte, 20_000)...)
			job, _, err := l.Jobs.Accept(t.Context(), specOf(image), image)
			must(t, err)
			must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := quiet()
			config.MaxBytes, config.KeepImages = 2<<20, name == edgelens.KeptImages
			now := time.Now()
			l := open(t, t.TempDir(), config, steady(func() time.Time { return now }))
			first := accept(t, l)
			must(t, l.Jobs.Finish(t.Context(), first.ID, resultOf("cat", 0.5)))
			_, err := l.Results.Record(t.Context(), edgelens.StoredResult{ID: "first", Result: resultOf("cat", 0.5)})
			must(t, err)
			receive(t, l, reception("door", 1, withoutImage, func(r *edgelens.Reception) { r.Record.ReceivedAt, r.Routes = now, nil }))
			before := keptOf(t, l)
			now = now.Add(time.Minute)
			for i := range 120 {
				flood(t, l, i)
			}
			now = now.Add(config.MinAge + time.Minute)
			_, err = l.Sweep(t.Context(), now)
			must(t, err)
			after := keptOf(t, l)
			equal(t, "bound of the flood", after[name].Bound, edgelens.BoundSpace)
			for kind, of := range before {
				if kind != name && kind != edgelens.KeptEvents && after[kind].Rows < of.Rows { // the flood has events, too
					t.Errorf("%s: %+v, was %+v", kind, after[kind], of)
				}
			}
			if after[name].Bytes < after[name].Share {
				t.Errorf("the flood has %d bytes, and a share of %d", after[name].Bytes, after[name].Share)
			}
			if name != edgelens.KeptJobs { // the oldest of the flooding kind itself are removed
				jobOf(t, l, first.ID)
			}
			accept(t, l)
		})
	}
}

// Each kind goes at its own age.
func TestAgesOfKinds(t *testing.T) {
	config := quiet()
	config.KeepImages = true
	config.Ages = ledger.Ages{Results: 2 * time.Hour, Records: 3 * time.Hour, Events: 4 * time.Hour, Images: 5 * time.Hour, Commands: 6 * time.Hour}
	config.MaxAge = 7 * time.Hour
	start := time.Now()
	now := start
	l := open(t, t.TempDir(), config, steady(func() time.Time { return now }))
	must(t, l.Jobs.Finish(t.Context(), accept(t, l).ID, resultOf("cat", 0.5)))
	_, err := l.Results.Record(t.Context(), edgelens.StoredResult{ID: "sync", Result: resultOf("cat", 0.5), CreatedAt: now})
	must(t, err)
	receive(t, l, reception("door", 1, func(r *edgelens.Reception) { r.Record.ReceivedAt, r.Routes = now, nil; withoutImage(r) }))
	_, err = l.Commands.AddCommand(t.Context(), "door", []byte(`{}`), now.Add(time.Minute))
	must(t, err)
	order := []string{edgelens.KeptResults, edgelens.KeptRecords, edgelens.KeptEvents, edgelens.KeptImages, edgelens.KeptCommands, edgelens.KeptJobs}
	for i, kind := range order {
		age := time.Duration(i+2) * time.Hour
		for _, after := range []time.Duration{-time.Minute, time.Minute} {
			now = start.Add(age + after)
			_, err := l.Sweep(t.Context(), now)
			must(t, err)
			if of := keptOf(t, l)[kind]; (of.Rows == 0) != (after > 0) || (of.Bytes == 0) != (after > 0) {
				t.Errorf("after %v: %+v", age+after, of)
			}
		}
		for _, later := range order[i+1:] {
			if keptOf(t, l)[later].Rows == 0 {
				t.Errorf("%s went with %s", later, kind)
			}
		}
	}
}

// Commands have a number of their own.
func TestMaxCommands(t *testing.T) {
	config := quiet()
	config.MaxCommands = 100
	now := time.Now()
	l := open(t, t.TempDir(), config, steady(func() time.Time { return now }))
	for range 130 {
		_, err := l.Commands.AddCommand(t.Context(), "door", []byte(`{}`), now.Add(time.Minute))
		must(t, err)
	}
	_, err := l.Sweep(t.Context(), now)
	must(t, err)
	equal(t, "before the deadline", keptOf(t, l)[edgelens.KeptCommands].Rows, int64(130))
	_, err = l.Sweep(t.Context(), now.Add(2*time.Minute))
	must(t, err)
	of := keptOf(t, l)[edgelens.KeptCommands]
	if of.Rows != 100 || of.Bound != edgelens.BoundRows {
		t.Errorf("%+v", of)
	}
}

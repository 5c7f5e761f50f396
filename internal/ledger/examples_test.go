//go:build cgo

package ledger_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/ledger"
	"edgelens/internal/testutil"
)

// gate returns a dataset.
func gate(change ...func(*edgelens.Dataset)) edgelens.Dataset {
	d := edgelens.Dataset{
		Name: "gate", Extractor: edgelens.ModelRef{Name: "extractor", Digest: "sha256:aa"},
		View: edgelens.View{Fit: edgelens.FitPad, Region: edgelens.Region{X: 0.25, Width: 0.5, Height: 1}},
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

func named(name string) func(*edgelens.Dataset) {
	return func(d *edgelens.Dataset) { d.Name = name }
}

// exampleOf returns an example of gate.
func exampleOf(image []byte, label string, change ...func(*edgelens.Example)) edgelens.Example {
	spec := specOf(image)
	e := edgelens.Example{Label: label, SHA256: spec.SHA256, Bytes: spec.Bytes, Extractor: gate().Extractor, Embedding: []float32{0.6, -0.8}, Owner: "aaaaaaaa"}
	for _, c := range change {
		c(&e)
	}
	return e
}

// addExample adds an example with an image of its own.
func addExample(t testing.TB, l *ledger.Ledger, d edgelens.Dataset, seed, label string, change ...func(*edgelens.Example)) edgelens.Example {
	t.Helper()
	e, existing, err := l.Examples.Add(t.Context(), d, exampleOf(image(seed), label, change...), image(seed))
	if err != nil || existing {
		t.Fatalf("add: existing %v, %v", existing, err)
	}
	return e
}

func datasetOf(t testing.TB, l *ledger.Ledger, name string) edgelens.Dataset {
	t.Helper()
	d, err := l.Examples.Dataset(t.Context(), name)
	must(t, err)
	return d
}

func TestExamplesSurviveReopening(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	first := addExample(t, l, gate(), "a", "open")
	second := addExample(t, l, gate(), "b", "closed", func(e *edgelens.Example) { e.Owner = "" })
	third := addExample(t, l, gate(), "c", "open")
	other := addExample(t, l, gate(named("bin")), "a", "out") // the same image in another dataset
	closeLedger(t, l)
	l = open(t, dir, quiet())

	all, err := l.Examples.Embeddings(t.Context(), "gate")
	must(t, err)
	equal(t, "examples", all, []edgelens.Example{first, second, third})
	d := datasetOf(t, l, "gate")
	if d.CreatedAt != first.CreatedAt || d.ChangedAt != third.CreatedAt {
		t.Errorf("times of %+v", d)
	}
	d.CreatedAt, d.ChangedAt = time.Time{}, time.Time{}
	want := gate()
	want.Labels, want.Examples, want.Bytes = []edgelens.LabelCount{{Label: "closed", Count: 1}, {Label: "open", Count: 2}}, 3, first.Bytes+second.Bytes+third.Bytes
	equal(t, "dataset", d, want)
	got, err := l.Examples.Image(t.Context(), "gate", second.ID)
	must(t, err)
	equal(t, "image", string(got), string(image("b")))
	listed, err := l.Examples.Datasets(t.Context())
	must(t, err)
	equal(t, "datasets", len(listed), 2)
	equal(t, "the first by name", [2]any{listed[0].Name, fmt.Sprint(listed[0].Labels)}, [2]any{"bin", "[{out 1}]"})
	other.Embedding = nil // lists have none
	one, err := l.Examples.Example(t.Context(), "bin", other.ID)
	must(t, err)
	equal(t, "example", one, other)
	if _, err := l.Examples.Example(t.Context(), "gate", other.ID); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("an example of another dataset: %v, want ErrNotFound", err)
	}
}

func TestAddExampleTwice(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	first := addExample(t, l, gate(), "a", "open")
	again, existing, err := l.Examples.Add(t.Context(), gate(), exampleOf(image("a"), "open"), image("a"))
	first.Embedding = nil
	if err != nil || !existing {
		t.Errorf("existing %v, %v", existing, err)
	}
	equal(t, "the same", again, first)
	_, _, err = l.Examples.Add(t.Context(), gate(), exampleOf(image("a"), "closed"), image("a"))
	if !errors.Is(err, edgelens.ErrConflict) || !strings.Contains(err.Error(), first.ID) || !strings.Contains(err.Error(), `"open"`) {
		t.Errorf("another label: %v, want ErrConflict that names the example and its label", err)
	}
	equal(t, "examples", datasetOf(t, l, "gate").Examples, 1)
	equal(t, "files", len(filesIn(t, dir)), 1)
}

func TestAddExampleRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		dataset func(*edgelens.Dataset)
		example func(*edgelens.Example)
		want    error
		says    string
	}{
		"no label":            {nil, func(e *edgelens.Example) { e.Label = "" }, edgelens.ErrInvalid, "label"},
		"no dataset":          {named(""), nil, edgelens.ErrInvalid, "dataset"},
		"other digest":        {nil, func(e *edgelens.Example) { e.SHA256 = "aa" }, edgelens.ErrInvalid, "SHA-256"},
		"other size":          {nil, func(e *edgelens.Example) { e.Bytes++ }, edgelens.ErrInvalid, "bytes"},
		"no embedding":        {nil, func(e *edgelens.Example) { e.Embedding = nil }, edgelens.ErrInvalid, "length"},
		"not of length 1":     {nil, func(e *edgelens.Example) { e.Embedding = []float32{1, 1} }, edgelens.ErrInvalid, "length"},
		"NaN":                 {nil, func(e *edgelens.Example) { e.Embedding = []float32{float32(math.NaN())} }, edgelens.ErrInvalid, "length"},
		"of another model":    {nil, func(e *edgelens.Example) { e.Extractor.Digest = "sha256:bb" }, edgelens.ErrInvalid, "extractor"},
		"unknown result":      {nil, func(e *edgelens.Example) { e.Result = "019d0000-0000-7000-8000-000000000001" }, edgelens.ErrNotFound, "result"},
		"bad view":            {func(d *edgelens.Dataset) { d.Name, d.View.Fit = "new", "wide" }, nil, edgelens.ErrInvalid, "fit"},
		"another view":        {func(d *edgelens.Dataset) { d.View.Fit = edgelens.FitCenter }, nil, edgelens.ErrConflict, "fit=pad"},
		"another version":     {func(d *edgelens.Dataset) { d.Extractor.Digest = "sha256:bb" }, func(e *edgelens.Example) { e.Extractor.Digest = "sha256:bb" }, edgelens.ErrConflict, "edgelens dataset embed gate"},
		"a dataset without a": {func(d *edgelens.Dataset) { d.Name, d.Extractor.Digest = "new", "" }, func(e *edgelens.Example) { e.Extractor.Digest = "" }, edgelens.ErrInvalid, "extractor"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, quiet())
			addExample(t, l, gate(), "first", "open")
			d, e := gate(), exampleOf(image("a"), "open")
			if test.dataset != nil {
				test.dataset(&d)
			}
			if test.example != nil {
				test.example(&e)
			}
			_, _, err := l.Examples.Add(t.Context(), d, e, image("a"))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %v with %q", err, test.want, test.says)
			}
			equal(t, "files", len(filesIn(t, dir)), 1)
			all, err := l.Examples.Datasets(t.Context())
			must(t, err)
			equal(t, "datasets", len(all), 1)
		})
	}
}

// A limit refuses with its setting and what to do, is counted, and what is removed makes room again.
func TestExampleLimits(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*ledger.Config)
		metric string
	}{
		"examples": {func(c *ledger.Config) { c.LearnMaxExamples = 2 }, "max_examples"},
		"bytes":    {func(c *ledger.Config) { c.LearnMaxBytes = 1 << 20 }, "max_bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, registry := t.TempDir(), prometheus.NewRegistry()
			config := quiet()
			test.change(&config)
			l := open(t, dir, config, func(p *ledger.Parts) { p.Registerer = registry })
			large := func(seed string) []byte { return append(image(seed), make([]byte, 400_000)...) }
			var first edgelens.Example
			for _, seed := range []string{"b", "a"} {
				var err error
				first, _, err = l.Examples.Add(t.Context(), gate(), exampleOf(large(seed), "open"), large(seed))
				must(t, err)
			}
			_, _, err := l.Examples.Add(t.Context(), gate(), exampleOf(large("c"), "open"), large("c"))
			var reason *edgelens.NoRoom
			if !errors.As(err, &reason) || !strings.Contains(reason.Reason, "learn."+test.metric) || !strings.Contains(reason.Reason, "Remove") {
				t.Errorf("%v, want NoRoom that names learn.%s", err, test.metric)
			}
			got := testutil.Metrics(t, registry)
			equal(t, "refused", got["edgelens_examples_refused_total "+test.metric], 1.0)
			equal(t, "examples", got["edgelens_examples"], 2.0)
			equal(t, "bytes", got["edgelens_example_bytes"], float64(len(large("a"))+len(large("b"))+16))
			equal(t, "files", len(filesIn(t, dir)), 2)
			must(t, l.Examples.Remove(t.Context(), "gate", first.ID))
			_, _, err = l.Examples.Add(t.Context(), gate(), exampleOf(large("c"), "open"), large("c"))
			must(t, err)
		})
	}
}

func TestListExamples(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	var ids []string
	for i, label := range []string{"open", "closed", "open", "open"} {
		e := addExample(t, l, gate(), fmt.Sprint(i), label, func(e *edgelens.Example) { e.Owner = fmt.Sprint("owner", i%2) })
		ids = append(ids, e.ID)
	}
	for name, test := range map[string]struct {
		filter edgelens.ExampleFilter
		want   []string
	}{
		"all":     {edgelens.ExampleFilter{}, []string{ids[3], ids[2], ids[1], ids[0]}},
		"label":   {edgelens.ExampleFilter{Label: "open"}, []string{ids[3], ids[2], ids[0]}},
		"own":     {edgelens.ExampleFilter{Visible: &edgelens.Visibility{Owner: "owner1"}}, []string{ids[3], ids[1]}},
		"others":  {edgelens.ExampleFilter{NotOf: "owner1"}, []string{ids[2], ids[0]}},
		"nothing": {edgelens.ExampleFilter{Label: "ajar"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			test.filter.Dataset, test.filter.Limit = "gate", 1
			var got []string
			for {
				page, next, err := l.Examples.Examples(t.Context(), test.filter)
				must(t, err)
				for _, e := range page {
					got = append(got, e.ID)
				}
				if test.filter.Cursor = next; next == "" {
					break
				}
			}
			equal(t, "ids", got, test.want)
		})
	}
	for name, test := range map[string]struct {
		filter edgelens.ExampleFilter
		want   error
	}{
		"unknown dataset": {edgelens.ExampleFilter{Dataset: "none"}, edgelens.ErrNotFound},
		"bad cursor":      {edgelens.ExampleFilter{Dataset: "gate", Cursor: "x"}, edgelens.ErrInvalid},
		"bad limit":       {edgelens.ExampleFilter{Dataset: "gate", Limit: 1001}, edgelens.ErrInvalid},
	} {
		if _, _, err := l.Examples.Examples(t.Context(), test.filter); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func TestRelabelAndRemove(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	a, b := addExample(t, l, gate(), "a", "open"), addExample(t, l, gate(), "b", "open")
	changed, err := l.Examples.Relabel(t.Context(), "gate", a.ID, "closed")
	must(t, err)
	equal(t, "label", changed.Label, "closed")
	equal(t, "labels", fmt.Sprint(datasetOf(t, l, "gate").Labels), "[{closed 1} {open 1}]")
	must(t, l.Examples.Remove(t.Context(), "gate", b.ID))
	equal(t, "files", filesIn(t, dir), map[string]bool{a.ID: true})
	equal(t, "bytes", datasetOf(t, l, "gate").Bytes, a.Bytes)
	for name, err := range map[string]error{
		"remove again":   l.Examples.Remove(t.Context(), "gate", b.ID),
		"remove another": l.Examples.RemoveDataset(t.Context(), "none"),
		"relabel":        second(l.Examples.Relabel(t.Context(), "gate", b.ID, "open")),
		"image":          second(l.Examples.Image(t.Context(), "gate", b.ID)),
	} {
		if !errors.Is(err, edgelens.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
	bin := addExample(t, l, gate(named("bin")), "a", "out")
	for i := range 250 { // several batches
		addExample(t, l, gate(), fmt.Sprint(i), "open")
	}
	must(t, l.Examples.RemoveDataset(t.Context(), "gate"))
	all, err := l.Examples.Datasets(t.Context())
	must(t, err)
	equal(t, "datasets", len(all), 1)
	equal(t, "files", len(filesIn(t, dir)), 1)
	must(t, l.Examples.Remove(t.Context(), "bin", bin.ID))
	all, err = l.Examples.Datasets(t.Context())
	must(t, err)
	equal(t, "datasets without examples", len(all), 0)
	if _, err := l.Examples.Dataset(t.Context(), "gate"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
}

func second[T any](_ T, err error) error { return err }

// After a change of the extractor, the embeddings are outdated until each was made anew; until then none are given out.
func TestEmbeddingsOfAnotherExtractor(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	a, b := addExample(t, l, gate(), "a", "open"), addExample(t, l, gate(), "b", "closed")
	next := edgelens.ModelRef{Name: "extractor", Digest: "sha256:bb"}
	must(t, l.Examples.SetExtractor(t.Context(), "gate", next))
	if _, err := l.Examples.Embeddings(t.Context(), "gate"); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("%v, want ErrConflict", err)
	}
	page, count, err := l.Examples.Outdated(t.Context(), "gate", 1)
	must(t, err)
	equal(t, "outdated", [3]any{len(page), page[0].ID, count}, [3]any{1, a.ID, 2})
	if err := l.Examples.SetEmbedding(t.Context(), "gate", a.ID, gate().Extractor, []float32{1}); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("of the former extractor: %v, want ErrConflict", err)
	}
	for _, id := range []string{a.ID, b.ID} {
		must(t, l.Examples.SetEmbedding(t.Context(), "gate", id, next, []float32{0, 1, 0}))
	}
	all, err := l.Examples.Embeddings(t.Context(), "gate")
	must(t, err)
	equal(t, "embedding", all[1].Embedding, []float32{0, 1, 0})
	equal(t, "extractor", all[1].Extractor, next)
}

// An embedding that a disk damaged is never trained on, and the error names its example.
func TestDamagedEmbeddings(t *testing.T) {
	for name, damaged := range map[string][]byte{
		"not a number": {0, 0, 0xc0, 0x7f, 0, 0, 0, 0}, "cut off": {1, 2, 3}, "a part": {0, 0, 0, 0}, "none": {},
	} {
		dir := t.TempDir()
		l := open(t, dir, quiet())
		addExample(t, l, gate(), "a", "open")
		e := addExample(t, l, gate(), "b", "closed")
		db, err := sql.Open("sqlite3", filepath.Join(dir, "ledger.db"))
		must(t, err)
		_, err = db.ExecContext(t.Context(), `UPDATE examples SET embedding = ? WHERE id = ?`, damaged, e.ID)
		must(t, err)
		must(t, db.Close())
		if _, err := l.Examples.Embeddings(t.Context(), "gate"); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), e.ID) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Neither age nor a lack of space for results removes examples.
func TestSweepKeepsExamples(t *testing.T) {
	dir := t.TempDir()
	config := quiet()
	config.MaxBytes = 1 << 20
	now := time.Now()
	l := open(t, dir, config, steady(func() time.Time { return now }))
	large := append(image("a"), make([]byte, 3<<20)...)
	_, _, err := l.Examples.Add(t.Context(), gate(), exampleOf(large, "open"), large)
	must(t, err)
	job := accept(t, l)
	must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
	_, err = l.Sweep(t.Context(), now.Add(2*time.Hour)) // past MinAge
	must(t, err)
	jobOf(t, l, job.ID) // the examples take none of MaxBytes
	_, err = l.Sweep(t.Context(), now.Add(365*24*time.Hour))
	must(t, err)
	equal(t, "examples", datasetOf(t, l, "gate").Examples, 1)
	equal(t, "files", len(filesIn(t, dir)), 1)
}

func TestAddExampleOnFullDiskStoresNothing(t *testing.T) {
	for name, fill := range map[string]func(*ledger.Ledger){"before writing": nil, "while writing": (*ledger.Ledger).FillDisk} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			config := quiet()
			if fill == nil {
				config.MinFreeBytes = math.MaxInt64
			}
			l := open(t, dir, config)
			if fill != nil {
				fill(l)
			}
			if _, _, err := l.Examples.Add(t.Context(), gate(), exampleOf(image("a"), "open"), image("a")); !errors.Is(err, edgelens.ErrDiskFull) {
				t.Errorf("%v, want ErrDiskFull", err)
			}
			equal(t, "files left", len(filesIn(t, dir)), 0)
		})
	}
}

// A backup has the examples with their images, also one that is removed while it is taken; a restore brings them back.
func TestSnapshotHasExamples(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	accept(t, l)
	a := addExample(t, l, gate(), "a", "open")
	s := takeSnapshot(t, l, ledger.SnapshotOptions{})
	must(t, l.Examples.Remove(t.Context(), "gate", a.ID))
	equal(t, "image", imagesOf(t, s)[a.ID], string(image("a")))
	equal(t, "counts", [2]int64{s.Counts.Examples, s.Counts.Images}, [2]int64{1, 2})
	must(t, s.Close())
	b := addExample(t, l, gate(), "b", "closed")

	dir := t.TempDir()
	restoreInto(t, l, dir, time.Now())
	restored := open(t, dir, quiet())
	all, err := restored.Examples.Embeddings(t.Context(), "gate")
	must(t, err)
	equal(t, "examples", all, []edgelens.Example{b})
	got, err := restored.Examples.Image(t.Context(), "gate", b.ID)
	must(t, err)
	equal(t, "image", string(got), string(image("b")))
	equal(t, "the removed one's file", filesIn(t, dir)[a.ID], false)
}

// The copy of a database from before datasets can still be checked.
func TestCheckCopyWithoutDatasets(t *testing.T) {
	dir := t.TempDir()
	old, err := ledger.OpenAtVersion(t.Context(), dir, 21)
	must(t, err)
	must(t, old.Close())
	counts, err := ledger.CheckCopy(t.Context(), dir+"/ledger.db")
	must(t, err)
	equal(t, "counts", counts, ledger.SnapshotCounts{})
}

// The examples made of what is erased are erased with it: of results that are there, and, by device and time, of those that
// were removed for their age before.
func TestEraseExamples(t *testing.T) {
	at := func(n int) time.Time { return time.UnixMicro(int64(n) * 5_000_000) } // of reception
	for name, test := range map[string]struct {
		filter edgelens.ErasureFilter
		// expired: the results were removed for their age before.
		expired bool
		left    string
	}{
		"device":          {edgelens.ErasureFilter{Device: "door"}, false, "gate own"},
		"device, expired": {edgelens.ErasureFilter{Device: "door"}, true, "gate own"},
		"time":            {edgelens.ErasureFilter{Since: at(2)}, false, "door own"},
		"time, expired":   {edgelens.ErasureFilter{Until: at(2)}, true, "gate own"},
		"person":          {edgelens.ErasureFilter{Person: "Bo"}, false, "door own"},
		"id":              {edgelens.ErasureFilter{ID: "door"}, true, "gate own"},
		"nothing":         {edgelens.ErasureFilter{Person: "none"}, false, "door gate own"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, quiet())
			ids := map[string]string{}
			for i, device := range []string{"door", "gate"} {
				r := reception(device, i+1, person(fmt.Sprint(i), []string{"Al", "Bo"}[i]))
				receive(t, l, r)
				ids[device] = r.Record.ID
			}
			finishAll(t, l)
			if test.filter.ID != "" {
				test.filter.ID = ids[test.filter.ID]
			}
			examples := map[string]edgelens.Example{"own": addExample(t, l, gate(), "own", "open")}
			for device, id := range ids {
				e := addExample(t, l, gate(), device, "open", func(e *edgelens.Example) { e.Result = id })
				equal(t, "device", e.Device, device)
				examples[device] = e
			}
			if test.expired {
				must(t, l.RemoveResults(t.Context()))
			}
			counted, err := l.Erasure.Count(t.Context(), test.filter)
			must(t, err)
			erased, err := l.Erasure.Erase(t.Context(), test.filter)
			must(t, err)
			equal(t, "counted", counted, erased)
			var left []string
			for _, which := range []string{"door", "gate", "own"} {
				_, err := l.Examples.Example(t.Context(), "gate", examples[which].ID)
				if (err == nil) != filesIn(t, dir)[examples[which].ID] {
					t.Errorf("example of %s is erased in part: %v", which, err)
				}
				if err == nil {
					left = append(left, which)
				}
			}
			equal(t, "left", strings.Join(left, " "), test.left)
			equal(t, "erased examples", erased.Examples, int64(3-len(left)))
		})
	}
}

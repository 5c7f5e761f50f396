//go:build cgo

package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"edgelens"
	"edgelens/internal/ledger"
)

const extractor = "sha256:01"

// recorded records results without a job, and returns their ids.
func recorded(t *testing.T, l *ledger.Ledger, device string, n int) (ids []string) {
	t.Helper()
	for range n {
		r, err := l.Results.Record(t.Context(), edgelens.StoredResult{Source: edgelens.SourceSync, Device: device, Result: &edgelens.Result{Embedding: []float32{1}}})
		must(t, err)
		ids = append(ids, r.ID)
	}
	return ids
}

func vectorOf(n int8) edgelens.StoredEmbedding {
	return edgelens.StoredEmbedding{Extractor: extractor, Scale: 0.5, Values: []int8{n, -128, 127}}
}

func loaded(t *testing.T, l *ledger.Ledger, by string) (seqs []int64) {
	t.Helper()
	list, err := l.Embeddings.Load(t.Context(), by, 0, 1000)
	must(t, err)
	for _, e := range list {
		seqs = append(seqs, e.Seq)
	}
	return seqs
}

func TestEmbeddings(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	ids := recorded(t, l, "door", 2)
	first, err := l.Embeddings.Put(t.Context(), vectorOf(1), ids[0], "", 10)
	must(t, err)
	_, err = l.Embeddings.Put(t.Context(), edgelens.StoredEmbedding{Extractor: extractor}, ids[1], "", 10) // it can have none
	must(t, err)
	if _, err := l.Embeddings.Put(t.Context(), vectorOf(1), "no such result", "", 10); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("of no result: %v", err)
	}
	got, err := l.Embeddings.Embedding(t.Context(), ids[0])
	must(t, err)
	if got.Seq != first || got.Extractor != extractor || got.Scale != 0.5 || !slices.Equal(got.Values, []int8{1, -128, 127}) {
		t.Errorf("%+v", got)
	}
	if _, err := l.Embeddings.Embedding(t.Context(), ids[1]); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("of an image without one: %v", err)
	}
	equal(t, "vectors", fmt.Sprint(loaded(t, l, extractor)), fmt.Sprint([]int64{first}))
	equal(t, "vectors of another model", len(loaded(t, l, "sha256:02")), 0)
	n, err := l.Embeddings.DeleteOthers(t.Context(), "sha256:02", 100)
	must(t, err)
	equal(t, "deleted", n, 2)
	deleted, err := l.Embeddings.Deleted(t.Context())
	must(t, err)
	equal(t, "noted as deleted", len(deleted), 2)
	must(t, l.Embeddings.ForgetDeleted(t.Context(), deleted))
	deleted, err = l.Embeddings.Deleted(t.Context())
	must(t, err)
	equal(t, "noted still", len(deleted), 0)
}

// Whatever removes a result removes its vector: here, an erasure.
func TestEmbeddingIsErasedWithItsResult(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	ids := recorded(t, l, "door", 1)
	other := recorded(t, l, "gate", 1)
	seq, err := l.Embeddings.Put(t.Context(), vectorOf(1), ids[0], "", 10)
	must(t, err)
	kept, err := l.Embeddings.Put(t.Context(), vectorOf(2), other[0], "", 10)
	must(t, err)
	_, err = l.Erasure.Erase(t.Context(), edgelens.ErasureFilter{Device: "door"})
	must(t, err)
	equal(t, "vectors", fmt.Sprint(loaded(t, l, extractor)), fmt.Sprint([]int64{kept}))
	deleted, err := l.Embeddings.Deleted(t.Context())
	must(t, err)
	equal(t, "noted as deleted", fmt.Sprint(deleted), fmt.Sprint([]int64{seq}))
}

// The oldest vectors give way, and their results are not pending again.
func TestEmbeddingsGiveWay(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	var seqs []int64
	for _, id := range recorded(t, l, "", 200) {
		seq, err := l.Embeddings.Put(t.Context(), vectorOf(1), id, "", 128)
		must(t, err)
		seqs = append(seqs, seq)
	}
	left := loaded(t, l, extractor)
	if len(left) > 128 || len(left) < 128-128/64 || !slices.Equal(left, seqs[200-len(left):]) {
		t.Errorf("%d are left: %v", len(left), left)
	}
	_, all, err := l.Embeddings.Matching(t.Context(), edgelens.SimilarFilter{})
	must(t, err)
	equal(t, "all match", all, true)
	matching, all, err := l.Embeddings.Matching(t.Context(), edgelens.SimilarFilter{Visible: &edgelens.Visibility{Owner: "nobody"}})
	must(t, err)
	equal(t, "match", len(matching), 0)
	equal(t, "all match", all, false)
	newest, err := l.Embeddings.Newest(t.Context(), 3)
	must(t, err)
	equal(t, "newest", newest, seqs[196])
	results, err := l.Embeddings.Results(t.Context(), append(seqs[:150:150], 12345))
	must(t, err)
	equal(t, "results", len(results), 150)
}

// Results of jobs whose images are kept are pending until they have an embedding.
func TestPendingEmbeddings(t *testing.T) {
	config := quiet()
	config.KeepImages = true
	l := open(t, t.TempDir(), config)
	recorded(t, l, "", 1) // whose image is not kept
	view := edgelens.View{Fit: edgelens.FitPad, Region: edgelens.Region{Width: .5, Height: 1}}
	job := accept(t, l, func(s *edgelens.JobSpec) { s.Task, s.View = edgelens.TaskEmbedding, view })
	equal(t, "task of the job", jobOf(t, l, job.ID).Task, edgelens.TaskEmbedding)
	start(t, l, job.ID)
	must(t, l.Jobs.Finish(t.Context(), job.ID, &edgelens.Result{Embedding: []float32{1}}))
	list, last, err := l.Embeddings.Pending(t.Context(), extractor, 0, 100)
	must(t, err)
	if len(list) != 1 || list[0].Job != job.ID || list[0].View != view || last != list[0].Seq {
		t.Fatalf("%+v, %d", list, last)
	}
	_, err = l.Embeddings.Put(t.Context(), vectorOf(1), "", job.ID, 10)
	must(t, err)
	if again, _, err := l.Embeddings.Pending(t.Context(), extractor, 0, 100); err != nil || len(again) != 0 {
		t.Errorf("%+v, %v", again, err)
	}
	if others, _, err := l.Embeddings.Pending(t.Context(), "sha256:02", 0, 100); err != nil || len(others) != 1 {
		t.Errorf("for another model: %+v, %v", others, err)
	}
	if none, last, err := l.Embeddings.Pending(t.Context(), extractor, last, 100); err != nil || len(none) != 0 || last != 0 {
		t.Errorf("after the last: %+v, %d, %v", none, last, err)
	}
}

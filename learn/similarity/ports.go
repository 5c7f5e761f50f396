package similarity

import (
	"context"

	"edgelens"
)

// Store keeps embeddings durably, beside the results that they are of; internal/ledger has it.
type Store interface {
	// Put stores an embedding of the result with that id, of the result of a job, or of e.Seq, and returns the result's Seq.
	// Beyond most, the oldest give way. Its error is an edgelens.ErrNotFound where there is no such result, or not yet.
	Put(ctx context.Context, e edgelens.StoredEmbedding, id, job string, most int) (seq int64, err error)
	// Load returns up to limit embeddings of an extractor after that Seq, in order.
	Load(ctx context.Context, extractor string, after int64, limit int) ([]edgelens.StoredEmbedding, error)
	// Embedding returns that of a result; an edgelens.ErrNotFound where there is none.
	Embedding(ctx context.Context, id string) (edgelens.StoredEmbedding, error)
	// Pending looks at up to limit results after that Seq, and returns those whose image is kept and has no embedding, and
	// the Seq of the last one that it looked at; 0 for none.
	Pending(ctx context.Context, extractor string, after int64, limit int) (list []edgelens.PendingEmbedding, last int64, err error)
	// Newest returns the Seq after which there are up to n results.
	Newest(ctx context.Context, n int) (int64, error)
	// DeleteOthers deletes up to limit embeddings of other extractors, and returns how many.
	DeleteOthers(ctx context.Context, extractor string, limit int) (int, error)
	// Deleted returns the results whose embeddings were deleted, until ForgetDeleted.
	Deleted(ctx context.Context) ([]int64, error)
	ForgetDeleted(ctx context.Context, seqs []int64) error
	// Matching returns the Seqs of the results that a filter selects, in order; all is true where that is all of them.
	Matching(ctx context.Context, f edgelens.SimilarFilter) (seqs []int64, all bool, err error)
	// Results returns results by their Seqs, as far as they are there.
	Results(ctx context.Context, seqs []int64) (map[int64]edgelens.StoredResult, error)
}

// Images has the images that are kept, by their jobs.
type Images interface {
	Image(ctx context.Context, job string) ([]byte, error)
}

// Parts are what a Service works with.
type Parts struct {
	// Recognizer gives the embeddings of images that a client sends, and Background those of the history.
	Recognizer, Background edgelens.Recognizer
	// Model is the name of the extractor, and Extractor returns the present one, loading it where needed.
	Model     string
	Extractor func(ctx context.Context) (edgelens.ModelRef, error)
	Store     Store
	Images    Images
}

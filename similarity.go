package edgelens

import "time"

// StoredEmbedding is the feature vector of the image of a result, as int8.
type StoredEmbedding struct {
	// Seq orders the results: a newer one has a larger Seq.
	Seq int64
	// Extractor is the digest of the model that gave it.
	Extractor string
	// Scale times one of Values is a number of the vector. Values are empty where the image cannot have an embedding, such as
	// one that is damaged.
	Scale  float32
	Values []int8
}

// PendingEmbedding is a result whose image is kept and has no StoredEmbedding yet.
type PendingEmbedding struct {
	Seq int64
	// Job is the id of its job, which has the image.
	Job string
	// View is that of the job.
	View View
}

// SimilarFilter selects results by their similarity to an image.
type SimilarFilter struct {
	// Visible selects those that the client may see; nil means all.
	Visible *Visibility
	// Device selects those of one device; empty for all. Since is the earliest CreatedAt; zero for any.
	Device string
	Since  time.Time
	// Limit is the largest number wanted, at least 1, and MinSimilarity the least similarity.
	Limit         int
	MinSimilarity float64
}

// SimilarResult is a result whose image is similar to another image.
type SimilarResult struct {
	StoredResult
	// Similarity is the cosine similarity of the images' embeddings, -1 to 1.
	Similarity float64
}

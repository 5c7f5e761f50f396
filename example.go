package edgelens

import "time"

// Example is an image with its right label, from which heads learn. It never leaves the node.
type Example struct {
	// ID is a UUID of version 7.
	ID string
	// Dataset is the name of the Dataset that it is in.
	Dataset string
	// Label is what the image shows, or in which state it shows something, such as "open".
	Label string
	// SHA256 is the digest of the encoded image, 64 hex digits, and Bytes its size.
	SHA256 string
	Bytes  int64
	// Extractor is the model of TaskEmbedding that gave Embedding, shown the Dataset's View of the image.
	Extractor ModelRef
	// Embedding has length 1.
	Embedding []float32
	// Result is the id of the result that the example corrects, and Device what took the image; empty where there is none.
	Result, Device string
	// Owner is the id of the key of the client that gave it; empty for none.
	Owner     string
	CreatedAt time.Time
}

// Dataset is a named set of Examples.
type Dataset struct {
	Name string
	// Extractor and View are how every example's embedding is made.
	Extractor ModelRef
	View      View
	// Labels are the labels with the number of their examples, sorted by label.
	Labels []LabelCount
	// Examples is how many it has, and Bytes the size of their images together.
	Examples             int
	Bytes                int64
	CreatedAt, ChangedAt time.Time
}

// LabelCount is how many examples have a label.
type LabelCount struct {
	Label string
	Count int
}

// ExampleFilter selects a page of the examples of a dataset.
type ExampleFilter struct {
	Dataset string
	// Visible selects those that the client may see; nil means all.
	Visible *Visibility
	// Label selects those with that label; empty means all.
	Label string
	// Limit is the largest number wanted, 1 to 1000; 0 means 50.
	Limit int
	// Cursor is the one that the previous page returned; empty means the first page.
	Cursor string
}

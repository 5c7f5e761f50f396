package edgelens

import "time"

// Delivery is one record that one sink is to be told of, with what was found
// out about it.
type Delivery struct {
	// Seq grows in the order in which the sink is to be told, for each device.
	Seq int64
	// Sink names who is to be told.
	Sink   string
	Record Record
	// Result is what became of the record: its ID is the record's.
	Result StoredResult
	// Picture is the id under which the picture can be had; empty for none.
	Picture string
	// CreatedAt is when the record was received.
	CreatedAt time.Time
}

// Route is a sink that wants to be told of a record.
type Route struct {
	Sink string
	// Picture keeps the record's picture until the sink has been told.
	Picture bool
}

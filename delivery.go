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
	// Image is the id under which the image can be had; empty for none.
	Image string
	// CreatedAt is when the record was received.
	CreatedAt time.Time
	// Reduced asks for what is left without its large parts: the sink does not take
	// it whole.
	Reduced bool
}

// SetAside is an event that its sink never takes, kept until it is sent again or
// removed for its age.
type SetAside struct {
	// ID names it, and grows.
	ID int64
	// Sink is who does not take it, Device what reported its record, Event the id
	// of the event.
	Sink, Device, Event string
	// Kind is the record's.
	Kind string
	// ReceivedAt is when the record came, At when the event was set aside.
	ReceivedAt, At time.Time
	// Reason says in a sentence why.
	Reason string
}

// SetAsideFilter selects events that were set aside; empty fields select all.
type SetAsideFilter struct {
	Sink, Device string
	// Cursor and Limit are those of a JobFilter.
	Cursor string
	Limit  int
}

// Route is a sink that wants to be told of a record.
type Route struct {
	Sink string
	// Image keeps the record's image until the sink has been told.
	Image bool
}

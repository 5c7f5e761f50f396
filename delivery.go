package edgelens

import "time"

// Delivery is one outbox entry: a record and its result, an insight, or a change of a state, addressed to one sink.
type Delivery struct {
	// Seq grows in the order of delivery to the sink, for each device.
	Seq int64
	// Sink names the receiver.
	Sink string
	// Record is what it is about; for an Insight or a State, it has its id, device and time alone.
	Record Record
	// Insight is set in place of a record and its result.
	Insight *Insight
	// State is set in place of a record and its result, as Insight is.
	State *StateChange
	// Result is the outcome of the record; its ID is the record's.
	Result StoredResult
	// Chain is the place of the record's event in the chain of its device; zero for none. Its Hash is empty while a record
	// before it has no result.
	Chain ChainLink
	// Image is the id of the stored image; empty for none.
	Image string
	// CreatedAt is when the record was received.
	CreatedAt time.Time
	// Reduced asks for a delivery without the large parts: the sink rejects it
	// whole.
	Reduced bool
	// Trace is the span of the present attempt, which the sink sends along; empty for none.
	Trace Trace
	// Status is the status with which the sink answered the last attempt; 0 where it has none.
	Status int
}

// DeliveryStatus is how the delivery of a record's event to a sink goes.
type DeliveryStatus struct {
	Sink  string
	State DeliveryState
	// Attempts is how often it was sent: since the start of the process, where it is not delivered.
	Attempts int
	// DeliveredAt is when the sink confirmed it, AttemptedAt when the last attempt failed, each zero for never, and
	// Reason why it failed.
	DeliveredAt, AttemptedAt time.Time
	Reason                   string
}

// DeliveryState is whether an event was delivered.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryWaiting   DeliveryState = "waiting"   // in order, or for the next attempt
	DeliveryHeld      DeliveryState = "held"      // until the device is accepted
	DeliveryDelivered DeliveryState = "delivered" // the sink confirmed it
	DeliverySetAside  DeliveryState = "set_aside" // the sink never accepts it
)

// SetAside is an event that its sink never accepts, kept until it is sent again
// or removed because of its age.
type SetAside struct {
	// ID identifies it, and grows.
	ID int64
	// Sink is the sink that rejects it, Device the source of its record, Event the
	// id of the event.
	Sink, Device, Event string
	// Kind is the record's.
	Kind string
	// ReceivedAt is when the record was received, At when the event was set aside.
	ReceivedAt, At time.Time
	// Reason is a sentence with the cause.
	Reason string
}

// SetAsideFilter selects events that were set aside; empty fields select all.
type SetAsideFilter struct {
	Sink, Device string
	// Cursor and Limit are those of a JobFilter.
	Cursor string
	Limit  int
}

// Route addresses a record to a sink.
type Route struct {
	Sink string
	// Image keeps the record's image until the record has been delivered.
	Image bool
}

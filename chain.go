package edgelens

import "time"

// ChainLink is the place of an event in the chain of its device's events, in which each has the hash of the one before.
type ChainLink struct {
	// Chain identifies the chain; empty where the event has no place in one.
	Chain string
	// Seq counts the events of the chain from 1.
	Seq int64
	// Prev is the Hash of the event before; empty for the first.
	Prev string
	// Hash is that of this link, in hexadecimal.
	Hash string
}

// ChainState is what became of an event that has a place in a chain.
type ChainState string

// The states of an event in a chain.
const (
	ChainKept    ChainState = "kept"
	ChainErased  ChainState = "erased"  // it was erased on request
	ChainExpired ChainState = "expired" // it was removed for its age, or for space
)

// ChainEntry is a link with what is stored about its event.
type ChainEntry struct {
	ChainLink
	// Digest is that of the event.
	Digest string
	State  ChainState
	// Event is the event's id; empty unless it is kept.
	Event string
	// EndedAt is when the event was erased or expired, and Signature that of the tombstone; zero and empty for one that is
	// kept.
	EndedAt   time.Time
	Signature string
}

// ChainCheckpoint is where the links of a chain begin that are stored: those up to Seq are summed up in it.
type ChainCheckpoint struct {
	// Seq and Hash are those of the last link before; Seq is 0 where none was removed.
	Seq  int64
	Hash string
	// Erased and Expired count the events before.
	Erased, Expired int64
	// At is when the checkpoint was made.
	At        time.Time
	Signature string
}

// Chain is the chain of a device's events as it is stored.
type Chain struct {
	Chain, Device string
	Checkpoint    ChainCheckpoint
	// Seq and Hash are those of the newest link; Seq is 0 where there is none yet.
	Seq  int64
	Hash string
}

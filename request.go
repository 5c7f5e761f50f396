package edgelens

import (
	"fmt"
	"net/netip"
)

// DefaultTopK is the number of predictions in a Result when the request does
// not set one.
const DefaultTopK = 3

// MaxTopK is the largest number of predictions that a request may ask for.
const MaxTopK = 1000

// CheckOptions returns an ErrInvalid for options of a Request or a JobSpec that
// are out of range.
func CheckOptions(topK int, minScore float64, view View) error {
	switch {
	case topK < 0 || topK > MaxTopK:
		return fmt.Errorf("%w: top_k must be 1 to %d, not %d", ErrInvalid, MaxTopK, topK)
	case !(minScore >= 0 && minScore <= 1): // NaN too
		return fmt.Errorf("%w: min_score must be 0 to 1, not %v", ErrInvalid, minScore)
	}
	return view.Check()
}

// Request is one encoded image and the options of its recognition.
type Request struct {
	// ID is the request id that logs, events and error bodies carry.
	ID string
	// Source names how the request came in: "http", "mqtt", "job" or "cli".
	Source string
	// Device is the terminal or camera that took the image; empty where none
	// did.
	Device string
	// Owner is the ID of the client's key; empty for none.
	Owner string
	// Client is the address of the client; the zero Addr where there is none.
	Client netip.Addr
	// Record is the id of the terminal's record; empty for other images.
	Record string
	// Trace is the span that the recognition is a part of; empty for none.
	Trace Trace
	// Image is the encoded image (JPEG, PNG, WebP, GIF, TIFF or BMP). It must not be
	// modified, not even after Recognize returned; see Recognizer.
	Image []byte
	// SHA256 is the digest of Image, computed while the body was read.
	SHA256 [32]byte
	// Model is the model's name; empty means the default model of the task.
	Model string
	// Task is TaskClassification or TaskEmbedding, which the model must have; empty means whatever the model's is.
	Task string
	// TopK is the maximum number of predictions; 0 means DefaultTopK.
	TopK int
	// MinScore drops predictions with a lower probability. In [0, 1].
	MinScore float64
	// View is which part of the image is shown to the model, and how; what it leaves
	// open the model or the service decides.
	View View
	// NoCache neither reads nor fills the result cache.
	NoCache bool
	// Priority orders the requests that wait for an interpreter.
	Priority Priority
}

// Priority orders requests that wait for an interpreter. A lower one is served less
// often, but never starves.
type Priority int

// The priorities, highest first, but for the zero value.
const (
	// PrioritySynchronous: a client holds its connection for the answer.
	PrioritySynchronous Priority = iota
	// PriorityDevice: a person waits at a door for what follows from the event. It comes
	// before PrioritySynchronous.
	PriorityDevice
	// PriorityInteractive: a queued job whose result is looked for soon.
	PriorityInteractive
	// PriorityBulk: a job that no one waits for. Its work also runs at a low thread
	// priority.
	PriorityBulk
)

// String returns the name in metrics.
func (p Priority) String() string {
	switch p {
	case PrioritySynchronous:
		return "synchronous"
	case PriorityDevice:
		return "device"
	case PriorityInteractive:
		return "interactive"
	case PriorityBulk:
		return "bulk"
	default:
		return "unknown"
	}
}

// Package edgelens defines the domain types of the service: the Request with an
// encoded image, the Result with Predictions, the facts about a Model, the
// sentinel errors and the Recognizer interface that every source (HTTP, command
// line, queue, MQTT) calls.
//
// It imports only the standard library. Everything else in this module may
// import it, and adapters never import one another.
package edgelens

import "context"

// A Recognizer classifies images.
//
// Implementations are safe for concurrent use. The caller may reuse the Request
// once Recognize has returned, and owns the Result. After a return with an error,
// the bytes of Image must never change: they may be read for a while. Without one
// they are the caller's again, and an implementation that needs them later has
// copied them. The error, if any, wraps one of this package's sentinels.
type Recognizer interface {
	Recognize(ctx context.Context, req *Request) (*Result, error)
}

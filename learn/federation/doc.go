// Package federation has what the two sides of a federated head share: a coordinator (package coordinator) and the nodes
// that take part (package participant). Nodes train a head on examples that never leave them, and the coordinator averages
// what they learned (McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data", AISTATS
// 2017). docs/federation.md has the whole, and docs/adr/0055-federated-rounds.md the reasons.
//
// Nodes poll the coordinator over HTTP, so that they need no open port. Every message is a JSON object with its signature in
// the member "signature" (Seal, Open): a detached JWS over the canonical form of the rest. No decision depends on the clock
// of a node: messages carry a number that grows, and deadlines are sent as the time that is left.
package federation

// Path begins the addresses of the coordinator.
const Path = "/federation/v1"

// The kinds of messages. A signature covers the kind, so that no message passes for one of another kind.
const (
	KindJoin    = "join"
	KindJoined  = "joined"
	KindPoll    = "poll"
	KindAnswer  = "answer"
	KindHead    = "head"
	KindUpdate  = "update"
	KindScore   = "score"
	KindOutcome = "outcome"
	KindReceipt = "receipt"
	KindMaskKey = "mask_key"
)

// MaxMessage is the most bytes of a message.
const MaxMessage = 1 << 20

package ledger

// The parts of the ledger that can have a Problem.
const (
	PartLedger = "ledger"
	PartImages = "images"
	PartSpace  = "space"
)

// Problem is an error state of the ledger.
type Problem struct {
	// Part is PartLedger, PartImages or PartSpace.
	Part string
	// Unavailable: nothing is accepted. Otherwise something is missing or lost.
	Unavailable bool
	// Reason is a sentence for the operator.
	Reason string
}

// Problems returns the current error states; none where all is well. It is cheap.
func (l *Ledger) Problems() []Problem {
	return append(l.db.storage.problems(), l.space.problems(l.db.clock().Monotonic)...)
}

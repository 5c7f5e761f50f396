package edgelens

import "time"

// FederationPart is the part of a node in a federation: nodes that learn a head together from examples that never leave them.
type FederationPart struct {
	// Joined is false for a node that takes part in none; most other fields are zero then.
	Joined bool
	// Coordinator is the address of the coordinator, and Node the name of this node there.
	Coordinator, Node string
	// Dataset has the examples, and Head is the name of the head on this node.
	Dataset, Head string
	// Examples is how many examples of each label the node trains on, sorted by label, and HeldOut how many it never does.
	Examples []LabelCount
	HeldOut  int
	// Contact is when the coordinator last answered, and Problem why it did not since; empty for none.
	Contact time.Time
	Problem string
	// Unready is why the node takes no part at present, and Doing what it does; empty for none.
	Unready, Doing string
	// Round is the round whose head was installed last, 0 for none, and Version that of the head on this node. RolledBack is true
	// where the node went back to the head before.
	Round, Version int
	RolledBack     bool
	// Updates is how many updates the node has sent, ever. What they reveal is (Epsilon, Delta)-differentially private; Epsilon
	// is nil where an update had no noise, so that there is no such bound.
	Updates int
	Epsilon *float64
	Delta   float64
}

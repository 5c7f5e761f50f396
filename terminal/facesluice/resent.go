package facesluice

import (
	"fmt"

	"edgelens"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect/wire"
)

// liveMembers are those by which a camera says that it sends a record at once,
// with the value that says so. Records that it had kept while it was not connected
// have others.
var liveMembers = []struct {
	name  string
	live  int
	slips int // in how many letters a name may differ
}{{"Sendintime", 1, 2}, {"PushType", 0, 1}} // with 2, passType is one

// sentAtOnce returns what a camera says of whether it sends a record at once, wherever in
// the message it says it: nothing where all that it says is yes.
func sentAtOnce(record wire.Found) (freshness edgelens.Freshness, reason string) {
	for _, m := range liveMembers {
		for _, member := range record.Near(m.name, m.slips) {
			switch {
			case member.Value.Is(m.live):
			case m.name == "Sendintime" && member.Value.Is(0):
				return edgelens.FreshnessReplayed, fmt.Sprintf("The terminal says that it did not send the record at once (%s is 0).", m.name)
			case member.Value.Time().Kind > clock.Unreadable: // SendTime, PushTime
			case freshness == "":
				freshness, reason = edgelens.FreshnessUnknown, fmt.Sprintf("The terminal does not say that it sends the record at once: %s is %q, which is not known to mean so.", m.name, wire.Clip(member.Value.Name(), maxShown))
			}
		}
	}
	return freshness, reason
}

// maxShown is how much of a value that is not understood a sentence has.
const maxShown = 40

package facesluice

import (
	"fmt"

	"edgelens"
	"edgelens/internal/clip"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect/wire"
)

// liveMembers are the members that state whether a camera sends a record at once, with the
// value for yes. Records that were stored while the camera was disconnected have other
// values.
var liveMembers = []struct {
	name  string
	live  int
	slips int // number of letters in which a name may differ
}{{"Sendintime", 1, 2}, {"PushType", 0, 1}} // with 2, passType would match

// sentAtOnce returns what a camera states about sending a record at once, anywhere in the
// message: nothing where all statements are yes.
func sentAtOnce(record wire.Found) (freshness edgelens.Freshness, reason string) {
	for _, m := range liveMembers {
		for _, member := range record.Near(m.name, m.slips) {
			switch {
			case member.Value.Is(m.live):
			case m.name == "Sendintime" && member.Value.Is(0):
				return edgelens.FreshnessReplayed, fmt.Sprintf("The terminal reports that it did not send the record at once (%s is 0).", m.name)
			case member.Value.Time().Kind > clock.Unreadable: // SendTime, PushTime
			case freshness == "":
				freshness, reason = edgelens.FreshnessUnknown, fmt.Sprintf("It is unknown whether the terminal sent the record at once: %s is %q, which is not a known value.", m.name, clip.Line(member.Value.Name(), maxShown))
			}
		}
	}
	return freshness, reason
}

// maxShown is the maximum length of a value, which is not understood, in a sentence.
const maxShown = 40

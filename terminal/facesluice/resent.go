package facesluice

import (
	"fmt"

	"edgelens"
	"edgelens/terminal/dialect/wire"
)

// liveMembers are those by which a camera says that it sends a record at once,
// with the value that says so. Records that it had kept while it was not connected
// have others.
var liveMembers = []struct {
	name string
	live int
}{{"Sendintime", 1}, {"PushType", 0}}

// sentAtOnce returns what a camera says of whether it sends a record at once:
// nothing where all that it says is yes.
func sentAtOnce(info wire.Object) (edgelens.Freshness, string) {
	for _, m := range liveMembers {
		for _, member := range info.Spelled(m.name) {
			switch {
			case member.Value.Is(m.live):
			case m.name == "Sendintime" && member.Value.Is(0):
				return edgelens.FreshnessReplayed, "The terminal says that it did not send the record at once (Sendintime is 0)."
			default:
				return edgelens.FreshnessUnknown, fmt.Sprintf("The terminal does not say that it sends the record at once: %s is %q, which is not known to mean so.", m.name, wire.Clip(member.Value.Name(), maxShown))
			}
		}
	}
	return "", ""
}

// maxShown is how much of a value that is not understood a sentence has.
const maxShown = 40

package wire

import (
	"fmt"
	"strings"

	"edgelens/internal/similar"
)

// Code returns the value of a member of a record that a verdict depends on, nil for
// none, and a sentence that says why it is not understood; empty where it is. What
// nearly has its name (in other letters, misspelt, with underscores), wherever it
// stands in the record or beside it, is not understood: it may be what the verdict
// depends on. Neither is a member that is there twice with different values. Null is
// a value like any other.
func (f Found) Code(name string) (code Value, doubt string) {
	at, there := f.index[name]
	if there {
		code = f.Members[at].Value
	}
	for _, member := range f.Repeated {
		if member.Name == name {
			return code, fmt.Sprintf("%s is there twice, with different values.", name)
		}
	}
	wanted, other := fold(name), ""
	for _, member := range f.all() {
		if (member.depth > 0 || member.Name != name) && near(member.folded, wanted, codeSlips) {
			other = member.Name
			break
		}
	}
	if besides := f.Beside.near(wanted, codeSlips); other == "" && len(besides) > 0 {
		other = besides[0].Name
	}
	if other != "" {
		return code, fmt.Sprintf("%q may be meant for %s.", Clip(Value(Marshal(other)).Name(), maxShownName), name)
	}
	return code, ""
}

// maxShownName is how much of a name, or value, that is not understood a sentence
// has.
const maxShownName = 40

// Unknown is the sentence for a code whose value is none that is known.
func Unknown(name string, code Value) string {
	if code == nil {
		return name + " is missing."
	}
	shown := code.Name()
	if shown == "" {
		shown = Clip(strings.Map(printable, string(code[:min(len(code), maxShownName)])), maxShownName)
	}
	return fmt.Sprintf("%s is %q, which is not known.", name, Clip(shown, maxShownName))
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}

// codeSlips is how many letters the name of a code may differ in.
const codeSlips = 2

// near reports whether a folded name is a spelling of another, or a slip of so many
// letters.
func near(name, wanted string, slips int) bool {
	if strings.Contains(name, wanted) {
		return true
	}
	if len(name) > len(wanted)+slips || len(name) < len(wanted)-slips {
		return false
	}
	return similar.Distance(name, wanted) <= slips
}

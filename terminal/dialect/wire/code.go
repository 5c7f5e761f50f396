package wire

import (
	"fmt"
	"strings"

	"edgelens/internal/clip"
	"edgelens/internal/similar"
)

// Code returns the value of a member of a record that a verdict depends on, nil for none,
// and a sentence with the reason why it is not understood; empty where it is. A member with
// a similar name (other case, misspelled, with underscores), anywhere in the record or
// beside it, makes it not understood: the verdict may depend on that one. So do duplicate
// members with different values. Null is a value like any other.
func (f Found) Code(name string) (code Value, doubt string) {
	at, there := f.index[name]
	if there {
		code = f.Members[at].Value
	}
	for _, member := range f.Repeated {
		if member.Name == name {
			return code, fmt.Sprintf("%s appears twice, with different values.", name)
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
		return code, fmt.Sprintf("%q may be meant for %s.", clip.Line(Value(Marshal(other)).Name(), maxShownName), name)
	}
	return code, ""
}

// maxShownName is the maximum length of a name, or value, in a sentence about what is not
// understood.
const maxShownName = 40

// Unknown returns the sentence for a code with an unknown value.
func Unknown(name string, code Value) string {
	if code == nil {
		return name + " is missing."
	}
	shown := code.Name()
	if shown == "" {
		shown = clip.ASCII(string(code), maxShownName)
	}
	return fmt.Sprintf("%s is %q, which is not known.", name, clip.Line(shown, maxShownName))
}

// codeSlips is the number of letters in which the name of a code may differ.
const codeSlips = 2

// near reports whether a folded name contains another, or differs from it in at most slips
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

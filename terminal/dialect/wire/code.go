package wire

import (
	"fmt"
	"strings"

	"edgelens/internal/similar"
)

// codeDepth is how deep in a record members are looked for that nearly have the
// name of a code.
const codeDepth = 4

// Code returns the value of a member of a record that a verdict depends on, nil for
// none, and a sentence that says why it is not understood; empty where it is. What
// nearly has its name (in other letters, misspelt, with underscores), wherever it
// stands in the record or beside it, is not understood: it may be what the verdict
// depends on. Neither is a member that is there twice with different values. Null is
// a value like any other.
func Code(name string, record Object, beside ...Object) (code Value, doubt string) {
	at, there := record.index[name]
	if there {
		code = record.Members[at].Value
	}
	for _, member := range record.Repeated {
		if member.Name == name {
			return code, fmt.Sprintf("%s is there twice, with different values.", name)
		}
	}
	other := record.nearly(name, codeDepth)
	for _, object := range beside {
		if other == "" {
			other = object.nearly(name, 1)
		}
		if _, ok := object.index[name]; ok && other == "" {
			other = name
		}
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

// nearly returns the first name that nearly is the one given, other than itself in
// the object itself; empty for none. It looks as deep as that.
func (o Object) nearly(name string, depth int) string {
	for _, members := range [][]Member{o.Members, o.Repeated} {
		for _, member := range members {
			if member.Name != name && near(fold(member.Name), fold(name)) {
				return member.Name
			}
			if found := member.Value.nearly(name, depth-1); found != "" {
				return found
			}
		}
	}
	return ""
}

func (v Value) nearly(name string, depth int) string {
	if depth == 0 || len(v) == 0 || v[0] != '{' && v[0] != '[' {
		return ""
	}
	if object, ok := v.Object(); ok {
		if _, there := object.index[name]; there {
			return name
		}
		return object.nearly(name, depth)
	}
	elements, _ := v.Array()
	for _, element := range elements {
		if found := element.nearly(name, depth-1); found != "" {
			return found
		}
	}
	return ""
}

// near reports whether a folded name is a spelling of another, or a slip of two
// letters.
func near(name, wanted string) bool {
	const slip = 2
	if strings.Contains(name, wanted) {
		return true
	}
	if len(name) > len(wanted)+slip || len(name) < len(wanted)-slip {
		return false
	}
	return similar.Distance(name, wanted) <= slip
}

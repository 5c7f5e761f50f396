package fungxi

import (
	"strconv"

	"edgelens/terminal/dialect/wire"
)

// The members of a verdict, and their known values.
const (
	memberPerson = "personType"
	memberCode   = "verifiedCode"

	personUnknown = 0
	personKnown   = 1
	codeVerified  = 0
)

// verdict reports whether the terminal granted access: only where all parts of the verdict
// are understood and good. The doubt is a sentence about the part that is not understood;
// empty where all are. The codes are not published: 0 means verified, and any other whole
// number counts as a refusal.
func verdict(record wire.Found) (passed bool, doubt string) {
	code, doubt := record.Code(memberCode)
	if doubt == "" && !isWhole(code) {
		doubt = wire.Unknown(memberCode, code)
	}
	if doubt != "" {
		return false, doubt
	}
	person, doubt := record.Code(memberPerson)
	if doubt == "" && !person.Is(personKnown) && !person.Is(personUnknown) {
		doubt = wire.Unknown(memberPerson, person)
	}
	return doubt == "" && code.Is(codeVerified) && person.Is(personKnown), doubt
}

// isWhole reports whether a value is a whole number, or a string of one.
func isWhole(v wire.Value) bool {
	n, err := strconv.Atoi(v.Text())
	return err == nil && v.Is(n) || v.Is(codeVerified)
}

package fungxi

import (
	"strconv"

	"edgelens/terminal/dialect/wire"
)

// The members that a verdict consists of, and the values that are known of them.
const (
	memberPerson = "personType"
	memberCode   = "verifiedCode"

	personUnknown = 0
	personKnown   = 1
	codeVerified  = 0
)

// verdict reports whether the terminal let the person in: only where all parts of
// what it says are understood and good. The doubt is a sentence that says which is
// not understood; empty where all are. Nobody published the codes: 0 means verified,
// and any other whole number is taken for a refusal.
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

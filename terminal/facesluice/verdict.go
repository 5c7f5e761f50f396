package facesluice

import "edgelens/terminal/dialect/wire"

// The members that a verdict consists of, and the values that are known of them.
const (
	memberStatus = "VerifyStatus"
	memberPerson = "PersonType"

	verifyAllowed       = 1
	verifyRefused       = 2
	verifyNotRegistered = 3

	personAllowList = 0
	personBlockList = 1
)

// verdict reports whether the camera let the person in: only where all parts of
// what it says are understood and good. The doubt is a sentence that says which is
// not understood; empty where all are.
func verdict(record wire.Found) (passed bool, doubt string) {
	status, doubt := record.Code(memberStatus)
	if doubt == "" && !status.Is(verifyAllowed) && !status.Is(verifyRefused) && !status.Is(verifyNotRegistered) {
		doubt = wire.Unknown(memberStatus, status)
	}
	if doubt != "" {
		return false, doubt
	}
	person, doubt := record.Code(memberPerson)
	known := person == nil || person.Is(personAllowList)
	if doubt == "" && !known && !person.Is(personBlockList) {
		doubt = wire.Unknown(memberPerson, person)
	}
	return doubt == "" && status.Is(verifyAllowed) && known, doubt
}

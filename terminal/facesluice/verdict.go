package facesluice

import "edgelens/terminal/dialect/wire"

// The members of a verdict, and their known values.
const (
	memberStatus = "VerifyStatus"
	memberPerson = "PersonType"

	verifyAllowed       = 1
	verifyRefused       = 2
	verifyNotRegistered = 3

	personAllowList = 0
	personBlockList = 1
)

// verdict reports whether the camera granted access: only where all parts of the verdict are
// understood and good. The doubt is a sentence about the part that is not understood; empty
// where all are.
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

package wire

// fold returns a name in small letters and digits alone: "PersonType",
// "person_type" and "PERSON-TYPE" are the same to it.
func fold(name string) string {
	folded := make([]byte, 0, len(name))
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'A' && c <= 'Z':
			folded = append(folded, c|0x20)
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			folded = append(folded, c)
		}
	}
	return string(folded)
}

// Spelled returns the members of that name, however its letters are written, and
// those that a later one replaced.
func (o Object) Spelled(name string) []Member {
	var found []Member
	for _, members := range [][]Member{o.Members, o.Repeated} {
		for _, member := range members {
			if fold(member.Name) == fold(name) {
				found = append(found, member)
			}
		}
	}
	return found
}

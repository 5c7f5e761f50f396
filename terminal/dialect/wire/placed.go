package wire

import (
	"strings"

	"edgelens/terminal/dialect/lenient"
)

// placed is a member with its position.
type placed struct {
	Member
	folded string
	// depth is the number of objects, arrays and strings around it, below the object that
	// was searched.
	depth int
	// replaced is set where a later member of the same name has another value.
	replaced bool
	// owner is the owner of the object that contains it, by the names of the members around
	// it.
	owner owner
}

// owner is the owner of a nested object.
type owner int

const (
	// ownerRecord: the record, as far as is known.
	ownerRecord owner = iota
	// ownerPerson: a person, a card or a device, which were created at some time, too.
	ownerPerson
	// ownerValidity: the period in which something is valid.
	ownerValidity
)

// collector finds all members in a value, at any depth: in objects, arrays and strings that
// contain JSON.
type collector struct{ found []placed }

// within returns all members of an object, at any depth.
func within(o Object) []placed {
	c := collector{found: make([]placed, 0, len(o.Members)+len(o.Repeated))}
	c.object(o, 0, ownerRecord)
	return c.found
}

func (c *collector) object(o Object, depth int, of owner) {
	for i, members := range [][]Member{o.Members, o.Repeated} {
		for _, member := range members {
			if len(c.found) >= maxValues {
				return
			}
			folded := fold(member.Name)
			c.found = append(c.found, placed{member, folded, depth, i > 0, of})
			c.value(member.Value, depth+1, ownerOf(folded, of))
		}
	}
}

func (c *collector) value(v Value, depth int, of owner) {
	if depth > maxDepth || len(c.found) >= maxValues {
		return
	}
	switch v.kind() {
	case '{':
		object, _ := v.Object()
		c.object(object, depth, of)
	case '[':
		elements, _ := v.Array()
		for _, element := range elements {
			c.value(element, depth+1, of)
		}
	case '"':
		if !v.mayHoldJSON() {
			return
		}
		inside, err := lenient.Read(v.bytes())
		if err != nil {
			return
		}
		for _, text := range inside.Objects {
			if object, ok := Value(text).Object(); ok {
				c.object(object, depth+1, of)
			}
		}
	}
}

// mayHoldJSON reports whether a string begins like JSON, escaped or not.
func (v Value) mayHoldJSON() bool {
	i := skipSpace(v, 1)
	if i+1 < len(v) && v[i] == '\\' {
		return v[i+1] != '/' // images in base64 begin so
	}
	return i < len(v) && (v[i] == '{' || v[i] == '[')
}

func ownerOf(folded string, outer owner) owner {
	switch {
	case outer == ownerValidity, containsAny(folded, "valid", "expir", "effective", "birth", "period"):
		return ownerValidity
	case outer == ownerPerson, containsAny(folded, "person", "user", "employee", "staff", "student", "visitor", "member", "owner", "card", "device", "terminal", "firmware"):
		return ownerPerson
	default:
		return ownerRecord
	}
}

func containsAny(text string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// Surroundings are the members of a message beside the records in one value, at any depth.
// They are for one goroutine at a time, since results are cached: a message may have many
// records.
type Surroundings struct {
	// members are those in the object that contains the value, and outer the surroundings
	// of that object; nil for none.
	members []placed
	outer   *Surroundings
	// nearly caches the members with names similar to the folded ones searched for.
	nearly map[spelling][]Member
	times  *times
}

// spelling is a folded name, with the number of letters that may differ.
type spelling struct {
	name  string
	slips int
}

// beside returns the surroundings of records in the value of a member of an object, which
// has surroundings itself.
func beside(o Object, value Value, outer *Surroundings) *Surroundings {
	return &Surroundings{members: within(o.without(value)), outer: outer}
}

// Near returns the members in the record and beside it, at any depth, whose folded name
// contains that of name, or differs from it in at most slips letters.
func (f Found) Near(name string, slips int) (found []Member) {
	wanted := fold(name)
	for _, member := range f.all() {
		if near(member.folded, wanted, slips) {
			found = append(found, member.Member)
		}
	}
	return append(found, f.Beside.near(wanted, slips)...)
}

func (s *Surroundings) near(wanted string, slips int) []Member {
	if s == nil {
		return nil
	}
	if found, ok := s.nearly[spelling{wanted, slips}]; ok {
		return found
	}
	var found []Member
	for _, member := range s.members {
		if near(member.folded, wanted, slips) {
			found = append(found, member.Member)
		}
	}
	found = append(found, s.outer.near(wanted, slips)...)
	if s.nearly == nil {
		s.nearly = map[spelling][]Member{}
	}
	s.nearly[spelling{wanted, slips}] = found
	return found
}

// without returns the object without the member that has the value; it must be a part of the
// object.
func (o Object) without(value Value) Object {
	if len(value) == 0 {
		return o
	}
	rest := Object{Repeated: o.Repeated, raw: o.raw, index: map[string]int{}}
	for _, member := range o.Members {
		if len(member.Value) > 0 && &member.Value[0] == &value[0] {
			continue
		}
		rest.index[member.Name] = len(rest.Members)
		rest.Members = append(rest.Members, member)
	}
	return rest
}

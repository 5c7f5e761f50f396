package wire

import (
	"fmt"

	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/lenient"
)

const (
	// MaxRecords is the maximum number of records of a message.
	MaxRecords = 100
	// maxWrappings is the maximum number of objects, arrays and strings around records.
	maxWrappings = 4
)

// Found is a record in a message.
type Found struct {
	Object
	// Beside are the surroundings of the record in the message; nil for none.
	Beside *Surroundings
	// members are all members in the record; nil where they have not been collected.
	members []placed
}

func (f Found) all() []placed {
	if f.members == nil {
		return within(f.Object)
	}
	return f.members
}

// In returns the record with another object in place of its own, such as the same object in
// another character set.
func (f Found) In(o Object) Found {
	if len(o.raw) > 0 && len(f.raw) > 0 && &o.raw[0] == &f.raw[0] {
		return f
	}
	return Found{Object: o, Beside: f.Beside, members: within(o)}
}

// Records returns the records in the value of a member, as Value.Records does, with their
// surroundings in the object.
func (o Object) Records(member string, names ...string) (found []Found, leftOut int, err error) {
	value := o.Find(member)
	if value.IsNull() {
		return nil, 0, nil
	}
	return value.records(beside(o, value, nil), names)
}

// Records returns the records in a value: objects that have one of the names, in any
// spelling, in arrays, in objects that have none of them and one member with records, and in
// strings that contain JSON. An object that is neither is a record, too. Null and a missing
// value have none. leftOut is the number of parts that are not records, or exceed
// MaxRecords. Errors: dialect.ErrMalformed where there are only such parts.
func (v Value) Records(names ...string) (found []Found, leftOut int, err error) {
	if v.IsNull() {
		return nil, 0, nil
	}
	return v.records(nil, names)
}

func (v Value) records(around *Surroundings, names []string) (found []Found, leftOut int, err error) {
	f := finder{names: map[string]bool{}}
	for _, name := range names {
		f.names[fold(name)] = true
	}
	f.find(v, around, maxWrappings)
	if len(f.found) == 0 && f.leftOut > 0 {
		return nil, 0, fmt.Errorf("%w: its records are not objects", dialect.ErrMalformed)
	}
	for i := range f.found {
		f.found[i].members = within(f.found[i].Object)
	}
	return f.found, f.leftOut, nil
}

// finder collects records.
type finder struct {
	names   map[string]bool
	found   []Found
	leftOut int
	// named is set where one of the records has one of the names.
	named bool
}

func (f *finder) find(v Value, around *Surroundings, wrappings int) {
	switch v.kind() {
	case '{':
		object, _ := v.Object()
		f.object(object, around, wrappings)
	case '[':
		elements, _ := v.Array()
		for _, element := range elements {
			if element.kind() == 0 || wrappings == 0 {
				f.leftOut++
				continue
			}
			f.find(element, around, wrappings-1)
		}
	case '"':
		inside, err := lenient.Read(v.bytes())
		if err != nil || wrappings == 0 {
			f.leftOut++
			return
		}
		f.leftOut += inside.LeftOut
		for _, object := range inside.Objects {
			f.find(object, around, wrappings-1)
		}
	default:
		f.leftOut++
	}
}

// kind returns '{', '[' or '"' for values that may hold records, and 0 for others.
func (v Value) kind() byte {
	switch {
	case len(v) > 0 && (v[0] == '{' || v[0] == '['):
		return v[0]
	case v.isString() && len(v) > 4:
		return '"'
	default:
		return 0
	}
}

func (f *finder) object(object Object, around *Surroundings, wrappings int) {
	isRecord, inside := f.look(object)
	if inside != nil && wrappings > 0 {
		below := finder{names: f.names}
		below.find(inside, beside(object, inside, around), wrappings-1)
		if below.named {
			f.named = true
			for _, found := range below.found {
				f.add(found)
			}
			f.leftOut += below.leftOut
			return
		}
	}
	f.named = f.named || isRecord
	f.add(Found{Object: object, Beside: around})
}

// look reports whether an object has one of the names and, where it has none, returns its
// only member that may hold records.
func (f *finder) look(object Object) (isRecord bool, inside Value) {
	inner := 0
	for _, member := range object.Members {
		if f.names[fold(member.Name)] {
			return true, nil
		}
		if member.Value.holdsObject() {
			inner++
			inside = member.Value
		}
	}
	if inner != 1 {
		inside = nil
	}
	return false, inside
}

func (f *finder) add(found Found) {
	if len(f.found) == MaxRecords {
		f.leftOut++
		return
	}
	f.found = append(f.found, found)
}

// holdsObject reports whether the value is an object, or an array or a string that begins
// with one.
func (v Value) holdsObject() bool {
	switch v.kind() {
	case '{':
		return true
	case '[':
		i := skipSpace(v, 1)
		return i < len(v) && v[i] == '{'
	case '"':
		return v[1] == '{' || v[1] == '['
	default:
		return false
	}
}

// Find returns the value of a member, or of the only one whose folded name is the same; nil
// for none.
func (o Object) Find(name string) Value {
	if value := o.Get(name); value != nil {
		return value
	}
	spelled := o.Spelled(name)
	if len(spelled) != 1 || spelled[0].Value.IsNull() {
		return nil
	}
	return spelled[0].Value
}

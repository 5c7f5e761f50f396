package terminal

import "edgelens/terminal/dialect"

// matcher finds the dialect of a topic.
type matcher []dialect.Dialect

// match returns the dialect of a message's topic, nil for none, and the device where the
// topic names it.
func (m matcher) match(topic string) (dialect.Dialect, string) {
	for _, d := range m {
		if device, ok := d.Match(topic); ok {
			return d, device
		}
	}
	return nil, ""
}

// named returns the dialect with that name, nil for none.
func (m matcher) named(name string) dialect.Dialect {
	for _, d := range m {
		if d.Name() == name {
			return d
		}
	}
	return nil
}

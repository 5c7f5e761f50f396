//go:build !linux

package participant

// background runs do.
func background(do func()) { do() }

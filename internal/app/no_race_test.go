//go:build !race && cgo

package app

// underRace is true where the race detector slows the tests down several times.
const underRace = false

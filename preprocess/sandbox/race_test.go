//go:build race

package sandbox

// raceDetector is whether the race detector is in this program: it takes memory of its own
// for all that Go accesses.
const raceDetector = true

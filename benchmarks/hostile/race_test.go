//go:build race

package hostile

// underRace is whether the race detector slows everything down.
const underRace = true

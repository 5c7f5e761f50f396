//go:build !race

package sensor_test

// raceDetector is whether the race detector is in this program.
const raceDetector = false

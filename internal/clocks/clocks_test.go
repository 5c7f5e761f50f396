package clocks_test

import (
	"testing"
	"time"

	"edgelens/internal/clocks"
)

func TestJumpTo(t *testing.T) {
	const threshold = 2 * time.Second
	day := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		from            time.Time
		wall, monotonic time.Duration // how far the clocks advance
		want            time.Duration
	}{
		"time passes":              {day, time.Hour, time.Hour, 0},
		"it drifts":                {day, time.Hour + threshold - 1, time.Hour, 0},
		"it drifts back":           {day, time.Hour - threshold + 1, time.Hour, 0},
		"it reaches the threshold": {day, time.Hour + threshold, time.Hour, threshold},
		"it is set back":           {day, -time.Hour, time.Minute, -time.Hour - time.Minute},
		"NTP after a boot in 1970": {time.Unix(20, 0), 56 * 365 * 24 * time.Hour, 0, 56 * 365 * 24 * time.Hour},
		"back to 1970":             {day, -56 * 365 * 24 * time.Hour, time.Second, -56*365*24*time.Hour - time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			earlier := clocks.Reading{Wall: test.from, Monotonic: 7 * time.Second}
			later := clocks.Reading{Wall: test.from.Add(test.wall), Monotonic: 7*time.Second + test.monotonic}
			if got := earlier.JumpTo(later, threshold); got != test.want {
				t.Errorf("jumped by %v, want %v", got, test.want)
			}
		})
	}
}

// Its wall times differ by the time of day, whatever the monotonic clock reads.
func TestSystemReadsBothClocks(t *testing.T) {
	before := time.Now().Round(0)
	clock := clocks.System()
	first, second := clock(), clock()
	if first.Wall.Before(before) || first.Wall != first.Wall.Round(0) {
		t.Errorf("wall time %v, after %v; it may have no monotonic part", first.Wall, before)
	}
	if first.Monotonic < 0 || second.Monotonic < first.Monotonic || second.Monotonic > time.Minute {
		t.Errorf("monotonic readings %v and %v", first.Monotonic, second.Monotonic)
	}
	if jump := first.JumpTo(second, time.Second); jump != 0 {
		t.Errorf("it jumped by %v", jump)
	}
}

package board

import "fmt"

// tooHot is where a Raspberry Pi begins to throttle
// (https://www.raspberrypi.com/documentation/computers/raspberry-pi.html#frequency-management-and-thermal-control).
const tooHot = 80

// The flags of get_throttled
// (https://www.raspberrypi.com/documentation/computers/os.html#get_throttled).
// Each "has been" flag stays until the next boot.
var throttleFlags = []struct {
	now, before uint32
	what        string
}{
	{1 << 0, 1 << 16, "under-voltage: use a better power supply"},
	{1 << 1, 1 << 17, "the ARM frequency was capped"},
	{1 << 2, 1 << 18, "throttled: give it a heat sink or a fan"},
	{1 << 3, 1 << 19, "the soft temperature limit was reached: give it a heat sink or a fan"},
}

// Problems returns why figures measured between two states are invalid; none where they are valid.
func Problems(before, after State) []string {
	var errs []string
	if after.Throttled != nil {
		var earlier uint32 // flags from before this run do not count
		if before.Throttled != nil {
			earlier = *before.Throttled
		}
		for _, flag := range throttleFlags {
			isOn := (*after.Throttled|earlier)&flag.now != 0
			if isOn || *after.Throttled&^earlier&flag.before != 0 {
				errs = append(errs, "the board reports "+flag.what)
			}
		}
	}
	if before.Throttles != nil && after.Throttles != nil && *after.Throttles > *before.Throttles {
		errs = append(errs, fmt.Sprintf("the CPU was throttled for heat %d times", *after.Throttles-*before.Throttles))
	}
	for _, s := range []struct {
		when string
		State
	}{{"before", before}, {"after", after}} {
		if s.Celsius != nil && *s.Celsius >= tooHot {
			errs = append(errs, fmt.Sprintf("the temperature was %.0f degrees %s the benchmark; the board throttles from %d", *s.Celsius, s.when, tooHot))
		}
	}
	return errs
}

// Throttling returns why the machine runs slower than it could, or has since it was started; empty where it does not, or
// does not report it.
func (s State) Throttling() []string {
	reasons := []string{}
	for _, flag := range throttleFlags {
		switch {
		case s.Throttled == nil:
		case *s.Throttled&flag.now != 0:
			reasons = append(reasons, "The board reports "+flag.what+".")
		case *s.Throttled&flag.before != 0:
			reasons = append(reasons, "Since it was started, the board has reported "+flag.what+".")
		}
	}
	if s.Throttles != nil && *s.Throttles > 0 {
		reasons = append(reasons, fmt.Sprintf("Since it was started, the processor was throttled for heat %d times.", *s.Throttles))
	}
	return reasons
}

// ThrottledSince reports whether the processor is throttled, or was since an earlier reading; nil where the machine does not
// report it.
func (s State) ThrottledSince(earlier State) *bool {
	var throttled bool
	switch {
	case s.Throttled != nil:
		for _, flag := range throttleFlags {
			throttled = throttled || *s.Throttled&flag.now != 0
		}
	case s.Throttles != nil && earlier.Throttles != nil:
		throttled = *s.Throttles > *earlier.Throttles
	default:
		return nil
	}
	return &throttled
}

// Warnings returns what may have disturbed the figures without making them invalid.
func Warnings(facts Facts, before State) []string {
	var warnings []string
	if before.Governor != "" && before.Governor != "performance" {
		warnings = append(warnings, fmt.Sprintf("the CPU's governor is %q; with %q figures vary less", before.Governor, "performance"))
	}
	if facts.Cores > 0 && before.Load > 0.3*float64(facts.Cores) {
		warnings = append(warnings, fmt.Sprintf("the machine was busy before it began (load %.1f on %d cores); ratios hold, absolute figures may not", before.Load, facts.Cores))
	}
	return warnings
}

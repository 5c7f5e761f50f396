package board

import "fmt"

// tooHot is where a Raspberry Pi begins to slow down
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

// Problems returns why figures that were measured between two states are not
// good; none where they are.
func Problems(before, after State) []string {
	var errs []string
	if after.Throttled != nil {
		var earlier uint32 // what happened before is no fault of this run
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
		errs = append(errs, fmt.Sprintf("the CPU was slowed down for heat %d times", *after.Throttles-*before.Throttles))
	}
	for _, s := range []struct {
		when string
		State
	}{{"before", before}, {"after", after}} {
		if s.Celsius != nil && *s.Celsius >= tooHot {
			errs = append(errs, fmt.Sprintf("it was %.0f degrees hot %s the benchmark; from %d on the board slows down", *s.Celsius, s.when, tooHot))
		}
	}
	return errs
}

// Warnings returns what may have disturbed the figures, and does not make
// them bad by itself.
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

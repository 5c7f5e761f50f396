package board

// Celsius returns the temperature of the hottest thermal zone; nil where there is none.
func (p Prober) Celsius() (hottest *float64) {
	for _, zone := range p.glob("sys/class/thermal/thermal_zone*/temp") {
		if text := p.text(zone); text != "" {
			celsius := float64(p.number(zone)) / 1000
			if hottest == nil || celsius > *hottest {
				hottest = &celsius
			}
		}
	}
	return hottest
}

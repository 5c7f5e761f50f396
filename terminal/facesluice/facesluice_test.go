package facesluice_test

import "edgelens/terminal/facesluice"
import "time"

func zone(string) *time.Location { return time.FixedZone("CEST", 2*3600) }

func config() facesluice.Config {
	c := facesluice.DefaultConfig()
	c.Zone = zone
	return c
}

var cameras = facesluice.New(config())

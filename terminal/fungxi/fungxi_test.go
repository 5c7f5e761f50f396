package fungxi_test

import "edgelens/terminal/fungxi"
import "time"

const topic = "fungxi_F1A2-77_upLink"

var berlin = time.FixedZone("CEST", 2*3600)

func zone(string) *time.Location { return berlin }

func config(ack string) fungxi.Config {
	c := fungxi.DefaultConfig()
	c.Ack, c.Zone = ack, zone
	return c
}

var echoing, silent = fungxi.New(config(fungxi.AckEcho)), fungxi.New(config(fungxi.AckNone))

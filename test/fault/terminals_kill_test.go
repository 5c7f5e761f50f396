//go:build fault

package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// image is one of a few small ones.
func (s *site) image() []byte {
	all := smallImages()
	return all[rand.IntN(len(all))]
}

var smallImages = sync.OnceValue(func() (all [][]byte) {
	for side := 20; side < 30; side++ {
		for _, p := range images(side) {
			all = append(all, p.bytes)
		}
	}
	return all
})

// chatter is five terminals that send records all the time.
type chatter struct {
	*site
	quit   chan struct{}
	giveUp context.CancelFunc
	all    sync.WaitGroup
}

func newChatter(t *testing.T, acked bool, pause time.Duration) *chatter {
	t.Helper()
	ack := "none"
	if acked {
		ack = "echo"
	}
	c := &chatter{site: newSite(t, "--fungxi-ack", ack), quit: make(chan struct{})}
	ctx, giveUp := context.WithCancel(context.Background())
	c.giveUp = giveUp
	for i := range 3 {
		c.addFungxi(fmt.Sprint("F", i), acked)
	}
	for i := range 2 {
		c.addCamera(fmt.Sprint("C", i))
	}
	t.Cleanup(func() { giveUp(); c.all.Wait() })
	for _, d := range c.devices {
		c.all.Go(func() { d.chat(ctx, c.quit, pause) })
	}
	return c
}

// chatOn returns at a random point: after so many records more, and then some.
func (c *chatter) chatOn() {
	c.t.Helper()
	enough := c.sent() + 10 + rand.IntN(30)
	c.until("the terminals send", endWithin, func() bool { return c.sent() >= enough })
	time.Sleep(rand.N(150 * time.Millisecond))
}

// endWithin is the maximum time for terminals to reconnect, and to get their records acknowledged: they retry at least
// every 30 s.
const endWithin = time.Minute

// end lets the terminals finish their records, and compares.
func (c *chatter) end(what string, times int) {
	c.t.Helper()
	close(c.quit)
	ended := make(chan struct{})
	go func() { c.all.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(endWithin):
		for _, d := range c.devices {
			c.t.Logf("%s: connected %v, %v; it sent %d", d.serial, d.session.Up(), d.session.LastError(), len(d.all()))
		}
		c.t.Fatal("the terminals do not get their records confirmed")
	}
	took := c.settle()
	lost := c.compare()
	resent, unrouted := 0, 0
	for _, d := range c.devices {
		resent, unrouted = resent+d.resent, unrouted+d.unrouted
	}
	report("%s %d times: %d records sent, %d of them again without an acknowledgement; %d delivered to the business server (%d again), %d published (%d again); %d lost that the broker had acknowledged; all delivered %.1f s after the last",
		what, times, c.sent(), resent, c.business.count(), c.business.repeated(), c.received.count(), c.received.repeated(), lost, took.Seconds())
	if unrouted > 0 {
		c.t.Errorf("%d messages were taken by a broker that had forgotten us", unrouted)
	}
}

// acknowledgements are the responses that confirm records of fungxi terminals.
var acknowledgements = []struct {
	name  string
	acked bool
}{{"acknowledged", true}, {"not acknowledged", false}}

// Whenever the service is killed, and its broker with it, every record of a terminal has one event, in order, under one
// id.
func TestKillServiceWithTerminals(t *testing.T) {
	for _, test := range acknowledgements {
		t.Run(test.name, func(t *testing.T) {
			c := newChatter(t, test.acked, 50*time.Millisecond)
			n := slowRounds(t)
			for round := range n {
				c.chatOn()
				c.deaths = append(c.deaths, time.Now())
				c.kill()
				c.noOrphans()
				c.start()
				if (round+1)%max(1, n/5) == 0 {
					report("killed %d of %d times, %d records", round+1, n, c.sent())
				}
			}
			c.chatOn()
			c.end("the service was killed", n)
			c.stop()
			c.noOrphans()
		})
	}
}

// Whenever the private broker is killed, the same holds.
func TestKillBroker(t *testing.T) {
	for _, test := range acknowledgements {
		t.Run(test.name, func(t *testing.T) {
			c := newChatter(t, test.acked, 50*time.Millisecond)
			n := slowRounds(t)
			for round := range n {
				c.chatOn()
				c.killBroker()
				if (round+1)%max(1, n/5) == 0 {
					report("the broker was killed %d of %d times, %d records", round+1, n, c.sent())
				}
			}
			c.chatOn()
			c.end("the broker was killed", n)
		})
	}
}

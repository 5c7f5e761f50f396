package session

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/log"
)

// pinger shows the broker that we live, and finds out whether it does. paho's own
// takes a broker for dead whose PINGRESP does not come in time, though it sends
// all the while: one with much to hand on sends it behind all that. So every
// packet is a sign of life.
type pinger struct {
	sent, received atomic.Int64 // nanoseconds since begun
	begun          time.Time
}

var _ paho.Pinger = (*pinger)(nil)

func newPinger() *pinger { return &pinger{begun: time.Now()} }

// errSilent: the broker sends nothing any more.
var errSilent = errors.New("the broker has not answered for too long")

// looks is how often in a keep alive it is looked whether a ping is due.
const looks = 4

// Run implements paho.Pinger: a ping is due when a keep alive less one look has
// passed with nothing sent or nothing received, and the broker is silent after
// another one with nothing received (MQTT 5, 3.1.2.10).
func (p *pinger) Run(ctx context.Context, conn net.Conn, keepAlive uint16) error {
	if keepAlive == 0 {
		return nil
	}
	p.PacketSent()
	p.PacketReceived()
	every := time.Duration(keepAlive) * time.Second
	look := time.NewTicker(every / looks)
	defer look.Stop()
	pinged := make(chan error, 1)
	pinging := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-pinged:
			if pinging = false; err != nil {
				return err
			}
		case <-look.C:
			silent := time.Since(p.begun) - time.Duration(p.received.Load())
			mute := time.Since(p.begun) - time.Duration(p.sent.Load())
			if silent > 2*every {
				return errSilent
			}
			if !pinging && max(silent, mute) > every-every/looks {
				pinging = true
				go func() { // ends with the connection at the latest
					_, err := packets.NewControlPacket(packets.PINGREQ).WriteTo(conn)
					p.PacketSent()
					pinged <- err
				}()
			}
		}
	}
}

// PacketSent implements paho.Pinger.
func (p *pinger) PacketSent() { p.sent.Store(int64(time.Since(p.begun))) }

// PacketReceived implements paho.Pinger.
func (p *pinger) PacketReceived() { p.received.Store(int64(time.Since(p.begun))) }

// PingResp implements paho.Pinger; it is a packet like any other.
func (p *pinger) PingResp() { p.PacketReceived() }

// SetDebug implements paho.Pinger.
func (p *pinger) SetDebug(log.Logger) {}

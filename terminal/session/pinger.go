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

// pinger sends keep-alives, and detects a dead connection. paho's own considers a broker
// dead whose PINGRESP is late, even while it sends: a broker with many messages to deliver
// queues PINGRESP behind them. So every packet counts as a sign of life.
type pinger struct {
	sent, received atomic.Int64 // nanoseconds since begun
	begun          time.Time
}

var _ paho.Pinger = (*pinger)(nil)

func newPinger() *pinger { return &pinger{begun: time.Now()} }

// errSilent: the broker sends nothing.
var errSilent = errors.New("the broker has not answered for too long")

// checks is the number of checks per keep alive whether a ping is due.
const checks = 4

// Run implements paho.Pinger: a ping is due when nothing was sent or nothing was received
// for a keep alive less one check, and the broker is dead after another one with nothing
// received (MQTT 5, 3.1.2.10).
func (p *pinger) Run(ctx context.Context, conn net.Conn, keepAlive uint16) error {
	if keepAlive == 0 {
		return nil
	}
	p.PacketSent()
	p.PacketReceived()
	every := time.Duration(keepAlive) * time.Second
	check := time.NewTicker(every / checks)
	defer check.Stop()
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
		case <-check.C:
			silent := time.Since(p.begun) - time.Duration(p.received.Load())
			idle := time.Since(p.begun) - time.Duration(p.sent.Load())
			if silent > 2*every {
				return errSilent
			}
			if !pinging && max(silent, idle) > every-every/checks {
				pinging = true
				go func() { // ends with the connection
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

// PingResp implements paho.Pinger; it counts like any other packet.
func (p *pinger) PingResp() { p.PacketReceived() }

// SetDebug implements paho.Pinger.
func (p *pinger) SetDebug(log.Logger) {}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"edgelens/benchmarks/stats"
	"edgelens/terminal/fungxi"
	"edgelens/terminal/session"
)

const (
	claimers = 11
	// others are the ordinary clients beside clients that hold connections.
	others = 4
	// othersThink is the pause of each: the machine is not busy.
	othersThink = 5 * time.Millisecond
)

// claimsRow measures ordinary clients, and commands to a door, beside connections that announce bodies.
func claimsRow(ctx context.Context, b *bench, s *service) error {
	const device = "DOOR0"
	if err := b.introduce(ctx, s, device); err != nil {
		return err
	}
	a := newAttack(ctx)
	defer a.stop()
	a.claim(s, claimers)
	pause(ctx, time.Second)
	var commands, accepted int
	commanding, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() {
		c := s.client(200)
		defer c.close()
		for pause(commanding, 200*time.Millisecond) {
			answer, err := c.do(commanding, "POST", "/api/devices/"+device+"/commands", "Content-Type: application/json\r\n", []byte(`{"cmd":"open"}`))
			if commanding.Err() != nil {
				return
			}
			commands++
			if err == nil && answer.status == http.StatusAccepted {
				accepted++
			}
		}
	})
	c := b.crowd(s, others)
	c.image, c.think = b.small, othersThink
	beside, err := b.closed(ctx, s, "claims", "four clients beside eleven that announce 20 MB and send none", c, 2*b.plan.window)
	cancel()
	group.Wait()
	if err != nil {
		return err
	}
	b.results.atLeast("claims", "images served beside eleven claims", percent, beside.served(), b.plan.served, fmt.Sprintf("%d of %d; p99 %.0f ms", beside.good(), beside.Samples, beside.P99))
	b.results.atLeast("claims", "commands to a door accepted", percent, 100*float64(accepted)/float64(commands), b.plan.served, fmt.Sprintf("%d of %d", accepted, commands))
	return nil
}

// introduce has a terminal send a heartbeat, and waits until the service knows it.
func (b *bench) introduce(ctx context.Context, s *service, device string) error {
	connection, err := connect(ctx, s, session.Config{ClientID: device, AckAtOnce: true})
	if err != nil {
		return err
	}
	defer disconnect(connection)
	heartbeat, _ := fungxi.NewSimulator(nil).Heartbeat(device, time.Now())
	if err := connection.Publish(ctx, session.Outgoing{Topic: heartbeat.Topic, Payload: heartbeat.Payload, QoS: heartbeat.QoS}); err != nil {
		return fmt.Errorf("send a heartbeat: %w", err)
	}
	return s.awaitDevice(ctx, device, brokerTimeout)
}

// awaitDevice returns nil once the service knows a terminal.
func (s *service) awaitDevice(ctx context.Context, device string, timeout time.Duration) error {
	c := s.client(0)
	defer c.close()
	status := "none"
	for end := time.Now().Add(timeout); time.Now().Before(end); {
		a, err := c.do(ctx, "GET", "/api/devices/"+device, "")
		if err == nil && a.status == http.StatusOK {
			return nil
		}
		if status = strconv.Itoa(a.status); err != nil {
			status = class(err)
		}
		if !pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
	return fmt.Errorf("the service does not know the terminal %s: the answer is %s", device, status)
}

// The numbers of slow clients.
const (
	slowHeaders = 300
	slowBodies  = 50
	listeners   = 200
)

// slowRow measures ordinary clients alone, and beside clients that send a byte a second, or read nothing.
func slowRow(ctx context.Context, b *bench, s *service) error {
	measure := func(name string) (summary, error) {
		c := b.crowd(s, others)
		c.image, c.think = b.small, othersThink
		return b.closed(ctx, s, "slow", name, c, b.plan.window)
	}
	alone, err := measure("four clients alone")
	if err != nil {
		return err
	}
	a := newAttack(ctx)
	defer a.stop()
	a.slowHeaders(s, slowHeaders)
	a.slowBodies(s, slowBodies)
	a.deafListeners(s, listeners)
	pause(ctx, 2*time.Second)
	beside, err := measure("four clients beside slow ones")
	if err != nil {
		return err
	}
	b.results.atLeast("slow", "images served beside slow clients", percent, beside.served(), b.plan.served,
		fmt.Sprintf("%d of %d; %d slow headers, %d slow bodies, %d listeners that read nothing", beside.good(), beside.Samples, slowHeaders, slowBodies, listeners))
	b.results.atMost("slow", "p99 beside them", times, beside.P99/alone.P99, slower, fmt.Sprintf("%.0f ms, alone %.0f ms", beside.P99, alone.P99))
	return nil
}

const (
	strangers = 10_000
	// strangerConnections are the connections that send their heartbeats.
	strangerConnections = 4
	newcomerWithin      = 10 * time.Second
)

// strangersRow sends heartbeats of terminals that do not exist, and then a new terminal reports a record.
func strangersRow(ctx context.Context, b *bench, s *service) error {
	d, err := b.openDoors(ctx, s)
	if err != nil {
		return err
	}
	defer d.close()
	begin := time.Now()
	sent, err := b.sendStrangers(ctx, s)
	if err != nil {
		return err
	}
	progress("  %d heartbeats in %v", sent, time.Since(begin).Round(time.Millisecond))
	s.settle(ctx, settleTimeout)
	e, err := d.build("NEWCOMER")
	if err != nil {
		return err
	}
	begin = time.Now()
	for time.Since(begin) < b.plan.newcomer {
		_ = d.publish(ctx, e.message) // a terminal sends it again until it is acknowledged
		if !pause(ctx, time.Second) {
			return ctx.Err()
		}
		d.mu.Lock()
		_, ok := d.arrived[e.id]
		d.mu.Unlock()
		if ok {
			break
		}
	}
	d.mu.Lock()
	at, ok := d.arrived[e.id]
	d.mu.Unlock()
	took := at.Sub(begin).Seconds()
	note := fmt.Sprintf("after %d heartbeats of others", sent)
	if !ok {
		took = notANumber
		note += fmt.Sprintf("; there was no event in %v", b.plan.newcomer)
	}
	b.results.atMost("strangers", "event of a new terminal's first record", seconds, took, newcomerWithin.Seconds(), note)
	known := 1.0
	if err := s.awaitDevice(ctx, "NEWCOMER", time.Second); err != nil {
		known = 0
	}
	b.results.atLeast("strangers", "new terminals that are known then", count, known, 1, fmt.Sprintf("the service has %s terminals", s.deviceCount(ctx)))
	return s.mustLive()
}

func (b *bench) sendStrangers(ctx context.Context, s *service) (sent int, err error) {
	numbers := make(chan int)
	var group sync.WaitGroup
	errs := make(chan error, strangerConnections)
	counts := make([]int, strangerConnections)
	for i := range strangerConnections {
		group.Go(func() {
			connection, err := connect(ctx, s, session.Config{ClientID: fmt.Sprint("abuse-stranger-", i), AckAtOnce: true})
			if err != nil {
				errs <- err
				for range numbers { // others may be connected
				}
				return
			}
			defer disconnect(connection)
			for n := range numbers {
				heartbeat, _ := fungxi.NewSimulator(nil).Heartbeat(fmt.Sprintf("X%d-%05d", b.seed, n), time.Now())
				if connection.Publish(ctx, session.Outgoing{Topic: heartbeat.Topic, Payload: heartbeat.Payload, QoS: heartbeat.QoS}) == nil {
					counts[i]++ // one that fails is one less
				}
			}
		})
	}
	for n := range strangers {
		if ctx.Err() != nil {
			break
		}
		numbers <- n
	}
	close(numbers)
	group.Wait()
	for _, n := range counts {
		sent += n
	}
	select {
	case err := <-errs:
		return sent, err
	default:
		return sent, ctx.Err()
	}
}

// deviceCount is how many terminals the service lists on its first page, or why that is unknown.
func (s *service) deviceCount(ctx context.Context) string {
	c := s.client(0)
	defer c.close()
	a, err := c.do(ctx, "GET", "/api/devices", "")
	if err != nil || a.status != http.StatusOK {
		return "an unknown number of"
	}
	if len(a.body) == maxBody {
		return "many"
	}
	var page struct{ Devices []json.RawMessage }
	if json.Unmarshal(a.body, &page) != nil {
		return "an unknown number of"
	}
	return strconv.Itoa(len(page.Devices))
}

const (
	crowdOfHealth  = 256
	healthInterval = 50 * time.Millisecond
	healthWithin   = 20 // milliseconds
)

// healthRow checks the health as an orchestrator does, on a new connection each time, beside a crowd.
func healthRow(ctx context.Context, b *bench, s *service) error {
	alone := b.checkHealth(ctx, s, "health checks alone")
	a := newAttack(ctx)
	defer a.stop()
	a.besiege(b, s, crowdOfHealth)
	pause(ctx, 2*time.Second)
	beside := b.checkHealth(ctx, s, fmt.Sprintf("health checks beside %d connections", crowdOfHealth))
	if err := s.mustLive(); err != nil {
		return err
	}
	b.results.atMost("health", fmt.Sprintf("p99 of /healthz beside %d connections", crowdOfHealth), ms, beside.P99, healthWithin,
		fmt.Sprintf("alone %.1f ms; at most %.0f ms; %d of %d were 200; the crowd got %d answers, %d refusals", alone.P99, beside.Max, beside.good(), beside.Samples, a.answers.Load(), a.failures.Load()))
	return ctx.Err()
}

func (b *bench) checkHealth(ctx context.Context, s *service, name string) summary {
	sum := summary{Row: "health", Name: name, Statuses: map[string]int{}}
	var took []float64
	c := s.client(201)
	for end := time.Now().Add(b.plan.window); time.Now().Before(end) && pause(ctx, healthInterval); {
		begin := time.Now()
		a, err := c.do(ctx, "GET", "/healthz", "Connection: close\r\n")
		c.close()
		sum.Samples++
		took = append(took, milliseconds(time.Since(begin)))
		switch {
		case err != nil:
			sum.Statuses[class(err)]++
		case a.status == http.StatusOK:
			sum.Statuses["ok"]++
		default:
			sum.Statuses[strconv.Itoa(a.status)]++
		}
	}
	if len(took) > 0 {
		sum.P50, sum.P90, sum.P99, sum.Max = stats.Quantile(took, 0.5), stats.Quantile(took, 0.9), stats.Quantile(took, 0.99), stats.Quantile(took, 1)
	}
	b.results.keep(sum)
	return sum
}

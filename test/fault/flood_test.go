//go:build fault

package fault

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"edgelens/terminal/dialect"
)

const (
	quietTerminals = 20
	// floodRate is how many records a second the flooding terminal sends: a
	// hundred times the share of the others, which send one.
	floodRate = 100
	// floodInFlight is the maximum number of them without acknowledgement.
	floodInFlight = 16
	// mostSlower is the maximum increase of the others' p99.
	mostSlower = 1.5
)

// distinct returns a unique copy of the image.
func distinct(p image) []byte {
	if !bytes.HasPrefix(p.bytes, []byte{0xff, 0xd8}) {
		return withNoise(p, 16).bytes
	}
	// A comment behind the start of the image (ITU-T T.81, B.2.4.5).
	comment := binary.BigEndian.AppendUint16([]byte{0xff, 0xd8, 0xff, 0xfe}, 2+8)
	comment = binary.BigEndian.AppendUint64(comment, rand.Uint64())
	return append(comment, p.bytes[2:]...)
}

// A terminal that sends a hundred times its share does not raise the others' p99
// from record to event by more than half.
func TestFloodingTerminal(t *testing.T) {
	if rounds(t) < 100 {
		t.Skip("a valid percentile takes minutes; `make fault` runs it")
	}
	model, photographs := photograph(t)
	s := newSite(t, append([]string{"--webhook-records", "passed"}, model...)...)
	for i := range quietTerminals {
		s.addFungxi(fmt.Sprint("F", i), false)
	}
	flooder := s.addFungxi("flooder", false)
	pairs := min(slowRounds(t), 8)
	window := time.Second * time.Duration(min(pairs, 10))
	s.quietWindow(2*time.Second, photographs) // warms up caches and connections
	var without, with []float64
	for pair := range pairs {
		alone := s.quietWindow(window, photographs)
		messages := flooder.build(2*floodRate*int(window/time.Second), photographs[0])
		quit := make(chan struct{})
		var flood sync.WaitGroup
		flood.Go(func() { flooder.flood(quit, messages) })
		beside := s.quietWindow(window, photographs)
		close(quit)
		flood.Wait()
		over := time.Now()
		s.until("the flood is over", 2*time.Minute, func() bool { return s.received.count() >= s.sent() })
		without, with = append(without, milliseconds(percentile(alone, 99))), append(with, milliseconds(percentile(beside, 99)))
		report("window %d of %d: %d records alone, p50 %v, p99 %v; %d beside the flood, p50 %v, p99 %v; the flood was over %.1f s later", pair+1, pairs,
			len(alone), percentile(alone, 50), percentile(alone, 99), len(beside), percentile(beside, 50), percentile(beside, 99), time.Since(over).Seconds())
	}
	a, b := median(without), median(with)
	report("the median of the windows' p99 is %.0f ms alone and %.0f ms beside a terminal that sent %d records: %.2f times", a, b, len(flooder.all()), b/a)
	if b > a*mostSlower {
		t.Errorf("the others' p99 was %.2f times what it is without the flood, and %.1f may be", b/a, mostSlower)
	}
}

// quietWindow has all but the last terminal send a record a second, and returns the latencies from the due time until
// the listener received the event.
func (s *site) quietWindow(window time.Duration, of []image) []time.Duration {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), window+endWithin)
	defer cancel()
	var mu sync.Mutex
	var took []time.Duration
	var all sync.WaitGroup
	records := make([][]built, quietTerminals)
	for i, d := range s.devices[:quietTerminals] {
		for k := range int(window / time.Second) {
			records[i] = append(records[i], d.build(1, of[k%len(of)])...)
		}
	}
	start := time.Now()
	for i, d := range s.devices[:quietTerminals] {
		all.Go(func() {
			for k, r := range records[i] {
				due := start.Add(time.Duration(k)*time.Second + time.Duration(i)*time.Second/quietTerminals)
				arrived := s.received.coming(r.sent.id)
				time.Sleep(time.Until(due))
				if !d.deliver(ctx, r.sent, r.message) {
					return
				}
				select {
				case <-arrived:
				case <-ctx.Done():
					s.t.Errorf("%s: record %s was not received", d.serial, r.sent.id)
					return
				}
				event, _ := s.received.get(r.sent.id)
				mu.Lock()
				took = append(took, event.at.Sub(due))
				mu.Unlock()
			}
		})
	}
	all.Wait()
	slices.Sort(took)
	return took
}

// built is a record that is ready to be sent. It is created beforehand, because encoding JSON costs as much CPU as
// decoding it, and terminals have their own processors.
type built struct {
	sent    *sent
	message dialect.Outgoing
}

func (d *device) build(n int, of image) []built {
	messages := make([]built, n)
	for i := range messages {
		messages[i].sent, messages[i].message = d.new(time.Now(), distinct(of))
	}
	return messages
}

// flood sends the records at floodRate, many at a time, until quit is closed.
func (d *device) flood(quit <-chan struct{}, messages []built) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Second / floodRate)
	defer tick.Stop()
	var all sync.WaitGroup
	defer all.Wait()
	free := make(chan struct{}, floodInFlight)
	for _, one := range messages {
		select {
		case <-tick.C:
			free <- struct{}{}
			all.Go(func() { d.deliver(ctx, one.sent, one.message); <-free })
		case <-quit:
			return
		}
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

package sensor_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/sensor"
)

// A million series: the limit holds, what is known stays, and what was dropped is stated.
func TestMaxSeries(t *testing.T) {
	run(t, func(c *sensor.Config) { c.MaxSeries = 10 }, func(s *site) {
		s.send(room, 21)
		const attack = 100_000
		for i := range attack {
			s.send(fmt.Sprintf("sensors/x%d/t", i), 1)
		}
		s.send(room, 22)
		got := s.Status()
		if got.Series != 10 || got.Dropped != attack-9 || !strings.Contains(got.Problem, "max_series") {
			t.Errorf("%+v", got)
		}
		if s.one(roomID).Points != 2 {
			t.Error("the attack displaced a known series")
		}
		if n := strings.Count(s.log.String(), "sensor_series_limit"); n != 1 {
			t.Errorf("%d lines about dropped series, want 1", n)
		}
		if err := s.Observe(edgelens.Reading{Device: "door", Field: sensor.OwnMinutesSilent, Value: 1}); err != nil || s.Status().OwnSeries != 1 {
			t.Errorf("the attack displaced edgelens' own series: %v", err)
		}
	})
}

func TestSilentSeriesGivesWay(t *testing.T) {
	run(t, func(c *sensor.Config) { c.MaxSeries = 3 }, func(s *site) {
		for _, device := range []string{"a", "b", "c"} {
			s.send("sensors/"+device+"/t", 1)
			s.wait(time.Minute)
		}
		s.send("sensors/a/t", 1) // b is the oldest now
		s.wait(57 * time.Minute)
		s.send("sensors/d/t", 1)
		if s.Status().Dropped != 1 {
			t.Errorf("%+v: b was silent for 59 minutes only", s.Status())
		}
		s.wait(2 * time.Minute)
		s.send("sensors/d/t", 1)
		if _, err := s.OneSeries(edgelens.SeriesID("b", "t")); !errors.Is(err, edgelens.ErrNotFound) {
			t.Errorf("b is still there: %v", err)
		}
		if got := s.Status(); got.Series != 3 || got.GaveWay != 1 || s.one(edgelens.SeriesID("d", "t")).Points != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestSubscription(t *testing.T) {
	run(t, func(c *sensor.Config) { c.MaxSubscriptions = 2 }, func(s *site) {
		s.send(room, 1)
		s.send("sensors/b/t", 1)
		follow, err := s.Subscribe([]string{roomID}, 2)
		if err != nil {
			t.Fatal(err)
		}
		s.send("sensors/b/t", 2) // another series
		for i := range 5 {
			s.send(room, float64(i))
		}
		if a, b := <-follow.C(), <-follow.C(); a.Seq != 2 || b.Seq != 3 || a.Series != roomID {
			t.Errorf("%+v, %+v", a, b)
		}
		if follow.Lost() != 3 || s.Status().LostToSubscribers != 3 {
			t.Errorf("%d lost, %+v", follow.Lost(), s.Status())
		}
		if _, err := s.Subscribe([]string{roomID}, 1); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Subscribe([]string{roomID}, 1); !errors.Is(err, edgelens.ErrBusy) {
			t.Errorf("a third subscription of two: %v", err)
		}
		follow.Close()
		follow.Close()
		if _, ok := <-follow.C(); ok {
			t.Error("a closed subscription delivers")
		}
		last, err := s.Subscribe([]string{roomID}, 1)
		if err != nil {
			t.Errorf("after closing one: %v", err)
		}
		for name, ids := range map[string][]string{"none": nil, "too many": make([]string, 1000)} {
			if _, err := s.Subscribe(ids, 1); !errors.Is(err, edgelens.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := s.Subscribe([]string{"no"}, 1); !errors.Is(err, edgelens.ErrNotFound) {
			t.Errorf("an unknown series: %v", err)
		}
		s.stop()
		if _, ok := <-last.C(); ok {
			t.Error("the end of the Monitor leaves a subscription open")
		}
		if _, err := s.Subscribe([]string{roomID}, 1); !errors.Is(err, edgelens.ErrStopping) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestPointsAreStored(t *testing.T) {
	run(t, nil, func(s *site) {
		s.sendText("sensor/data", `{"device_id":"d1","t":1,"unit":"C","location":"Hall"}`)
		s.store.setFail(errors.New("disk full"))
		s.wait(3 * time.Second)
		s.sendText("sensor/data", `{"device_id":"d1","t":2,"unit":"K"}`)
		s.wait(2 * time.Second)
		if len(s.store.saved()) != 0 || s.store.calls < 3 {
			t.Fatalf("%d points stored by a store that fails, in %d calls", len(s.store.saved()), s.store.calls)
		}
		s.store.setFail(nil)
		s.wait(2 * time.Second)
		saved := s.store.saved()
		if len(saved) != 2 || saved[0].Value != 1 || saved[1].Value != 2 || s.Status().LostToStore != 0 {
			t.Errorf("%+v", saved)
		}
		id := edgelens.SeriesID("d1", "t")
		if info := s.store.series[id]; info.Device != "d1" || info.Field != "t" || info.Unit != "K" || info.Location != "Hall" {
			t.Errorf("%+v", info)
		}
		s.store.setFail(fmt.Errorf("no such table: %w", edgelens.ErrInvalid))
		s.sendText("sensor/data", `{"device_id":"d1","t":3}`)
		s.wait(3 * time.Second)
		if s.Status().LostToStore != 1 {
			t.Errorf("%+v: what the store refuses for good is lost, and counted", s.Status())
		}
		s.store.setFail(nil)
		s.sendText("sensor/data", `{"device_id":"d1","t":4}`)
		s.stop()
		if saved := s.store.saved(); len(saved) != 3 || saved[2].Value != 4 {
			t.Errorf("at the end: %+v", saved)
		}
	})
}

// A store that takes nothing costs bounded memory: the oldest points are lost, and counted.
func TestQueueToStoreIsBounded(t *testing.T) {
	run(t, nil, func(s *site) {
		s.store.setFail(errors.New("disk full"))
		for range 60_000 {
			s.send(room, 1)
		}
		s.wait(2 * time.Second)
		s.send(room, 2)
		s.wait(2 * time.Second)
		s.store.setFail(nil)
		s.wait(2 * time.Second)
		if n, lost := len(s.store.saved()), s.Status().LostToStore; n != 50_000 || lost != 10_001 {
			t.Errorf("%d points stored, %d lost", n, lost)
		}
	})
}

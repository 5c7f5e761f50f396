package sensor_test

import (
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/sensor"
)

// before is what an earlier run stored: values of the room, an interval apart, the last one a while ago.
func before(interval, ago time.Duration, values ...float64) sensor.Past {
	past := edgelens.SeriesPast{StoredSeries: edgelens.StoredSeries{ID: roomID, Device: "room_101", Field: "temperature", Unit: "°C", Location: "hall"}}
	first := time.Now().Add(-ago - time.Duration(len(values)-1)*interval)
	for i, value := range values {
		past.Points = append(past.Points, edgelens.Point{Series: roomID, At: first.Add(time.Duration(i) * interval), Value: value, Freshness: edgelens.FreshnessFresh})
	}
	past.LastAt, past.Last = past.Points[len(values)-1].At, values[len(values)-1]
	return sensor.Past{Series: []edgelens.SeriesPast{past}}
}

// silent is a rule for sensors that send nothing.
var silent = sensor.Rule{Name: "silent", Kind: edgelens.InsightAbsence}

// A sensor that died while the node was down is missed: three of its intervals after the broker is reached.
func TestSilentSinceBeforeTheStart(t *testing.T) {
	run(t, rules(silent), func(s *site) {
		s.Connected(false)
		s.Restore(before(time.Minute, time.Hour, noisy(30, 21, 0.5)...))
		s.wait(time.Minute)
		s.Connected(true)
		s.wait(2 * time.Minute)
		if got := s.summaries(); len(got) != 0 {
			t.Fatalf("two intervals after the broker was reached: %q", got)
		}
		s.wait(2 * time.Minute)
		if got := s.summaries(); len(got) != 1 || !strings.HasPrefix(got[0], "raised silent: room_101 temperature has sent no value for 3m") {
			t.Fatalf("%q", got)
		}
		if one := s.one(roomID); !one.Silent || one.Points != 0 || one.Unit != "°C" || one.Location != "hall" || one.Window.Count != 30 {
			t.Errorf("%+v", one)
		}
		s.send(room, 21)
		if got := s.summaries(); len(got) != 2 || !strings.HasPrefix(got[1], "cleared silent") {
			t.Errorf("%q", got)
		}
	})
}

// One that goes on has its window: the first value is compared with those before the restart, and is the first of this run.
func TestWindowContinues(t *testing.T) {
	run(t, rules(silent), func(s *site) {
		s.Restore(before(time.Second, 10*time.Second, noisy(50, 21, 0.5)...))
		if got, err := s.Points(roomID, 0); err != nil || len(got) != 0 {
			t.Errorf("restored points are points of this run: %+v %v", got, err)
		}
		s.send(room, 40)
		if one := s.one(roomID); one.Anomalies != 1 || one.Points != 1 || one.Window.Count != 51 {
			t.Errorf("%+v", one)
		}
		if got, err := s.Points(roomID, 0); err != nil || len(got) != 1 || got[0].Seq != 1 || got[0].Anomaly == nil {
			t.Errorf("%+v %v", got, err)
		}
		s.wait(2 * time.Second)
		if saved := s.store.saved(); len(saved) != 1 {
			t.Errorf("stored again: %d points", len(saved))
		}
	})
}

// A series that has values already keeps those alone.
func TestRestoreComesTooLate(t *testing.T) {
	run(t, nil, func(s *site) {
		s.send(room, 20)
		s.Restore(before(time.Second, time.Second, 1, 2, 3))
		if one := s.one(roomID); one.Window.Count != 1 || one.Last != 20 {
			t.Errorf("%+v", one)
		}
	})
}

// A clock that is behind the last value, as that of a board without a battery before NTP, makes no value of the future.
func TestRestoreWithClockBehind(t *testing.T) {
	run(t, rules(silent), func(s *site) {
		s.Restore(before(time.Minute, -24*time.Hour, noisy(30, 21, 0.5)...))
		s.wait(2 * time.Minute)
		if got := s.summaries(); len(got) != 0 {
			t.Errorf("%q", got)
		}
		s.wait(2 * time.Minute)
		if got := s.summaries(); len(got) != 1 {
			t.Errorf("%q", got)
		}
	})
}

// What an earlier run raised is not raised again, and is cleared when it ends.
func TestRaisedBeforeTheStart(t *testing.T) {
	raised := edgelens.Insight{ID: "0197a000-0000-7000-8000-000000000001", Kind: edgelens.InsightThreshold, Rule: hot.Name, Series: roomID, Device: "room_101", Field: "temperature", Summary: "It was hot.", Confidence: 1}
	run(t, rules(hot), func(s *site) {
		s.Restore(sensor.Past{Raised: []edgelens.Insight{raised}})
		s.send(room, 35)
		if got := s.summaries(); len(got) != 0 {
			t.Errorf("raised again: %q", got)
		}
		if got := s.Active(); len(got) != 1 || got[0].ID != raised.ID || got[0].Summary != raised.Summary {
			t.Errorf("%+v", got)
		}
		s.send(room, 20)
		s.wait(0)
		if got := s.publisher.all(); len(got) != 1 || got[0].State != edgelens.InsightCleared || got[0].Raised != raised.ID {
			t.Errorf("%+v", got)
		}
	})
}

// No more series are restored than there may be: those with the newest values.
func TestRestoreIsLimited(t *testing.T) {
	run(t, func(c *sensor.Config) { c.MaxSeries = 2 }, func(s *site) {
		var past sensor.Past
		for i, device := range []string{"new", "old", "newer"} {
			one := before(time.Second, []time.Duration{time.Hour, 2 * time.Hour, time.Minute}[i], 1, 2).Series[0]
			one.Device, one.ID = device, edgelens.SeriesID(device, "temperature")
			past.Series = append(past.Series, one)
		}
		s.Restore(past)
		all, err := s.Series("")
		if err != nil || len(all) != 2 || all[0].Device != "new" || all[1].Device != "newer" {
			t.Errorf("%+v %v", all, err)
		}
	})
}

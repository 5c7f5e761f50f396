package sensor_test

import (
	"testing"
	"testing/synctest"
	"time"

	"edgelens"
)

// What is forgotten is not stored afterwards, and begins anew with its description.
func TestForgottenPointsAreNotStored(t *testing.T) {
	run(t, nil, func(s *site) {
		id := edgelens.SeriesID("d1", "a")
		s.sendText("sensor/data", `{"device_id":"d1","a":1,"unit":"C"}`)
		s.sendText("sensor/data", `{"device_id":"d2","a":2}`)
		if n := s.Forget(edgelens.SeriesErasure{Series: id}); n != 1 {
			t.Errorf("%d series forgotten", n)
		}
		time.Sleep(3 * time.Second) // of the bubble
		synctest.Wait()
		if saved := s.store.saved(); len(saved) != 1 || saved[0].Series == id {
			t.Errorf("stored: %+v", saved)
		}
		s.sendText("sensor/data", `{"device_id":"d1","a":3}`)
		s.sendText("sensor/data", `{"device_id":"d2","a":4}`)
		s.store.mu.Lock()
		s.store.series = nil
		s.store.mu.Unlock()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		s.store.mu.Lock()
		defer s.store.mu.Unlock()
		if len(s.store.points) != 3 || len(s.store.series) != 2 {
			t.Errorf("stored %+v, described %v: each is described again", s.store.points, s.store.series)
		}
	})
}

// No filter selects nothing.
func TestForgetWithoutFilter(t *testing.T) {
	run(t, nil, func(s *site) {
		s.send(room, 1)
		if n := s.Forget(edgelens.SeriesErasure{}); n != 0 || s.Status().Series != 1 {
			t.Errorf("%d forgotten, %d left", n, s.Status().Series)
		}
	})
}

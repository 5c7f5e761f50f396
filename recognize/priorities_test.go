package recognize_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"edgelens"
	"edgelens/recognize"
)

// order starts one request for each letter a little after the one before, and returns the
// letters in the order of their answers: d is a device's, s synchronous, i an interactive
// job, b bulk. Each takes a second.
func (b *bench) order(t *testing.T, letters string) string {
	t.Helper()
	b.takes(time.Second)
	priorities := map[rune]edgelens.Priority{
		'd': edgelens.PriorityDevice, 's': edgelens.PrioritySynchronous, 'i': edgelens.PriorityInteractive, 'b': edgelens.PriorityBulk,
	}
	answered := make(chan rune, len(letters))
	for n, letter := range letters {
		req := image(fmt.Sprint(n))
		req.Priority = priorities[letter]
		go func() {
			if _, err := b.Recognize(t.Context(), req); err != nil {
				t.Error(err)
			}
			answered <- letter
		}()
		time.Sleep(time.Millisecond)
	}
	got := ""
	for range letters {
		got += string(<-answered)
	}
	return got
}

func TestPriorities(t *testing.T) {
	for name, test := range map[string]struct{ letters, want string }{
		"in order":               {"iii", "iii"},
		"bulk alone":             {"bbb", "bbb"},
		"interactive first":      {"ibbiii", "iiiibb"},
		"but bulk not starved":   {"i" + "bb" + strings.Repeat("i", 14), "iiiiiii" + "b" + "iiiiii" + "b" + "ii"},
		"door first":             {"sbisdd", "sddsib"},
		"nothing starves":        {"b" + "bis" + strings.Repeat("d", 13), "b" + "ddddddd" + "sd" + "id" + "bdddd"},
		"synchronous, then jobs": {"sibsisb", "sssiibb"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := newBench(recognize.Config{Slots: 1, Timeout: 5 * time.Minute}, 64, 128).order(t, test.letters); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			})
		})
	}
}

// A class that was idle has no claim from that time: who waits first goes first.
func TestIdleClassDoesNotOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(oneSlot(), 64, 128)
		for i := range 9 {
			door := image(fmt.Sprint("door ", i))
			door.Priority = edgelens.PriorityDevice
			b.must(t, door)
		}
		if got := b.order(t, "dd"+"bis"); got != "dd"+"sib" {
			t.Errorf("got %s, want the door that waits first", got)
		}
	})
}

// A synchronous request beside a flood of device jobs has its share, and is not rejected for
// their number.
func TestSynchronousBesideAFloodOfDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(recognize.Config{Slots: 1, Timeout: 20 * time.Second}, 64, 128)
		b.takes(time.Second)
		b.must(t, image("the one to learn from"))
		jobs, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var waiting []<-chan answer
		for i := range 40 {
			door := image(fmt.Sprint("door ", i))
			door.Priority = edgelens.PriorityDevice
			waiting = append(waiting, b.start(jobs, door))
			synctest.Wait()
		}
		if a := <-b.start(t.Context(), image("another client")); a.err != nil || a.after > 8*time.Second {
			t.Errorf("%v after %v, want an answer after seven others", a.err, a.after)
		}
		for _, done := range waiting {
			<-done
		}
	})
}

// A class keeps its claim to a slot while more callers join its work.
func TestJoiningKeepsTheShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(recognize.Config{Slots: 1, Timeout: 2 * time.Minute}, 64, 128)
		b.takes(time.Second)
		b.must(t, image("the one to learn from"))
		var waiting []<-chan answer
		for i := range 40 {
			door := image(fmt.Sprint("door ", i))
			door.Priority = edgelens.PriorityDevice
			waiting = append(waiting, b.start(t.Context(), door))
			synctest.Wait()
		}
		first := b.start(t.Context(), image("asked for again and again"))
		for range 20 {
			waiting = append(waiting, b.start(t.Context(), image("asked for again and again")))
			time.Sleep(500 * time.Millisecond)
		}
		if a := <-first; a.err != nil || a.after > 8*time.Second {
			t.Errorf("%v after %v, want an answer after seven others", a.err, a.after)
		}
		for _, done := range waiting {
			<-done
		}
	})
}

// A client that waits for longer than others does not keep them out.
func TestPatientClientsDoNotKeepOthersOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(oneSlot(), 64, 128)
		b.takes(time.Second)
		b.must(t, image("the one to learn from"))
		patient, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var waiting []<-chan answer
		for i := range 40 {
			waiting = append(waiting, b.start(patient, image(fmt.Sprint("patient ", i))))
			synctest.Wait()
		}
		if a := <-b.start(t.Context(), image("another client")); a.err != nil || a.after > 3*time.Second {
			t.Errorf("%v after %v, want an answer soon", a.err, a.after)
		}
		for _, done := range waiting {
			if a := <-done; a.err != nil {
				t.Error(a.err)
			}
		}
	})
}

// A device has a slot of its own, so that its image is the next that an interpreter takes.
func TestDeviceHasASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(recognize.Config{Slots: 2, Timeout: time.Minute}, 64, 128)
		b.takes(time.Second)
		var others []<-chan answer
		for i := range 4 {
			others = append(others, b.start(t.Context(), image(fmt.Sprint(i))))
			synctest.Wait()
		}
		door, second := image("door"), image("another door")
		door.Priority, second.Priority = edgelens.PriorityDevice, edgelens.PriorityDevice
		first := b.start(t.Context(), door)
		synctest.Wait()
		if n := b.preprocessor.inside.Load(); n != 3 {
			t.Errorf("%d at work, want the door's image beside the others", n)
		}
		next := b.start(t.Context(), second)
		synctest.Wait()
		if n := b.preprocessor.inside.Load(); n != 3 {
			t.Errorf("%d at work, want one slot for all devices", n)
		}
		if b.runner.urgent.Load() != 0 {
			t.Error("it has run already")
		}
		for _, done := range []<-chan answer{first, next} {
			if a := <-done; a.err != nil || a.after > 2*time.Second {
				t.Errorf("a door: %v after %v", a.err, a.after)
			}
		}
		if n := b.runner.urgent.Load(); n != 2 {
			t.Errorf("%d were urgent, want those of the doors", n)
		}
		for _, done := range others {
			<-done
		}
	})
}

// While other work arrives, bulk leaves an interpreter free, though there is one slot more.
func TestBulkLeavesAnInterpreterFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(recognize.Config{Slots: 3, Timeout: time.Minute}, 64, 128) // for two interpreters
		b.must(t, image("a synchronous one"))
		b.takes(time.Second)
		var waiting []<-chan answer
		for i := range 4 {
			waiting = append(waiting, b.start(t.Context(), bulk(fmt.Sprint(i))))
			synctest.Wait()
		}
		if n := b.preprocessor.inside.Load(); n != 1 {
			t.Errorf("%d at work, want one", n)
		}
		door := image("door")
		door.Priority = edgelens.PriorityDevice
		if a := <-b.start(t.Context(), door); a.err != nil || a.after != time.Second {
			t.Errorf("a door: %v after %v", a.err, a.after)
		}
		for _, done := range waiting {
			<-done
		}
	})
}

// While other work arrives, bulk leaves a slot free; after a while it takes it.
func TestBulkLeavesASlotFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(recognize.Config{Slots: 2, Timeout: time.Minute}, 64, 128)
		b.must(t, image("a synchronous one"))
		b.takes(15 * time.Second)
		first := b.start(t.Context(), bulk("first"))
		synctest.Wait()
		second := b.start(t.Context(), bulk("second"))
		time.Sleep(500 * time.Millisecond)
		if n := b.preprocessor.inside.Load(); n != 1 {
			t.Errorf("%d at work, want one slot left free", n)
		}
		if a := <-first; a.err != nil || a.after != 15*time.Second {
			t.Errorf("the first: %v after %v", a.err, a.after)
		}
		if a := <-second; a.err != nil || a.after != 25*time.Second {
			t.Errorf("the second: %v after %v, want the slot after ten seconds", a.err, a.after)
		}
	})
}

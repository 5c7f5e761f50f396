package federation_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"edgelens/internal/testutil"
	"edgelens/learn/federation"
	"edgelens/learn/federation/participant"
)

// flip gives all examples the other label.
func (s *store) flip() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.examples {
		if s.examples[i].Label == labels[0] {
			s.examples[i].Label = labels[1]
		} else {
			s.examples[i].Label = labels[0]
		}
	}
	s.changed = s.changed.Add(time.Second)
}

// A candidate that the canary node finds worse does not go live.
func TestGateRejects(t *testing.T) {
	settings := quickSettings()
	settings.Rounds, settings.Canary = 1, "honest"
	s := newSite(t, settings)
	honest, a, b := s.addNode("honest", 40, 40), s.addNode("a", 40, 40), s.addNode("b", 40, 40)
	s.run(honest, a, b)
	testutil.Eventually(t, "the first head is live everywhere", func() bool {
		live := s.Status().Head
		return live.Version == 2 && honest.Status().Live == live && a.Status().Live == live && b.Status().Live == live
	})
	for _, m := range []*member{honest, a, b} {
		m.stop()
	}
	good := s.Status().Head
	a.store.flip()
	b.store.flip()
	settings.Rounds, settings.Epochs, settings.MinNodes = 2, 50, 3 // the flipped ones outvote the honest one
	s.end()
	s.start(federation.Definition{Head: "gate", Labels: labels, Settings: settings})
	s.run(honest, a, b)
	testutil.Eventually(t, "the second round ends", func() bool { return len(s.ended()) == 2 })
	if r := s.ended()[1]; r.Outcome != "rejected" || !strings.Contains(r.Reason, "the canary node honest finds it worse") || len(r.Scores) != 1 {
		t.Errorf("the second round: %+v", r)
	}
	if s.Status().Head != good {
		t.Errorf("the head is %+v", s.Status().Head)
	}
}

// A head that does worse than the one before on what a node sees later is taken back: by the node, and by the coordinator.
func TestRollback(t *testing.T) {
	settings := quickSettings()
	settings.Rounds, settings.Epochs = 1, 30
	s := newSite(t, settings)
	a, b := s.addNode("a", 80, 80), s.addNode("b", 20, 20) // the sum of the scores follows node a
	a.store.flip()
	b.store.flip()
	live := func(version int) {
		t.Helper()
		testutil.Eventually(t, "a head is live everywhere", func() bool {
			return s.Status().Head.Version == version && a.Status().Live.Version == version && b.Status().Live.Version == version
		})
	}
	s.run(a, b)
	live(2)
	a.stop()
	b.stop()
	first := s.Status().Head
	a.store.flip()
	b.store.flip()
	settings.Rounds, settings.Epochs = 2, 100
	s.end()
	s.start(federation.Definition{Head: "gate", Labels: labels, Settings: settings})
	s.run(a, b)
	live(3)
	a.store.flip()
	testutil.Eventually(t, "the node goes back", func() bool { return a.Status().RolledBack })
	if got := rightShare(a.store.installed()); got > 0.2 {
		t.Errorf("the head of node a classifies %v rightly: it is not the first one", got)
	}
	testutil.Eventually(t, "the coordinator goes back", func() bool { return s.Status().Head == first })
	testutil.Eventually(t, "the other node follows", func() bool { return b.Status().Live == first })
	text, err := s.Receipts()
	if err != nil || !strings.Contains(string(text), `"what":"rolled_back"`) {
		t.Errorf("the receipts have no roll back: %v", err)
	}
}

// With masks, the coordinator learns the sum alone, and a node that drops out costs the round, which is repeated without it.
func TestSecureAggregation(t *testing.T) {
	settings := quickSettings()
	settings.Secure, settings.MinNodes, settings.Deadline, settings.Rounds = true, 3, federation.Seconds(2*time.Second), 2
	s := newSite(t, settings)
	a, b, c := s.addNode("a", 30, 10), s.addNode("b", 10, 30), s.addNode("c", 20, 20)
	dropping := s.addRaw("d")
	dropping.poll()
	s.run(a, b, c)
	var key federation.Task
	testutil.Eventually(t, "the node that drops out is asked for its key", func() bool {
		if answer := dropping.poll(); answer.Task != nil && answer.Task.Kind == federation.TaskKey {
			key = *answer.Task
		}
		return key.Ticket != ""
	})
	if _, reason, _ := dropping.call("POST", "/tasks/"+key.Ticket+"/key", dropping.seal(federation.KindMaskKey, federation.MaskKey{Node: "d", Round: key.Round, Key: []byte("no point")}), nil); reason != string(federation.Malformed) {
		t.Errorf("a key that is no point is refused with %q", reason)
	}
	if _, reason, _ := dropping.call("POST", "/tasks/"+key.Ticket+"/key", dropping.seal(federation.KindMaskKey, federation.MaskKey{Node: "d", Round: key.Round, Key: point(t)}), nil); reason != "" {
		t.Fatalf("the key is refused with %q", reason)
	}
	live := func() bool { return s.Status().Head.Version > 1 }
	testutil.Eventually(t, "a later round is live", live)
	failed := false
	for _, r := range s.ended() {
		failed = failed || strings.Contains(r.Reason, "the masks of the others do not cancel")
	}
	if !failed {
		t.Errorf("no round failed: %+v", s.ended())
	}
	testutil.Eventually(t, "it is installed", func() bool { return a.store.installed() != nil })
	if share := rightShare(a.store.installed()); share < 0.9 {
		t.Errorf("the head classifies %v rightly", share)
	}
}

// One of five nodes that sends a huge update moves the trimmed mean little.
func TestTrimmedMean(t *testing.T) {
	settings := quickSettings()
	settings.Aggregation, settings.MinNodes, settings.Rounds, settings.Canary = federation.Trimmed, 5, 1, "a"
	settings.Clip = 1000
	s := newSite(t, settings)
	poison := s.addRaw("poison")
	poison.poll()
	s.run(s.addNode("a", 20, 20), s.addNode("b", 20, 20), s.addNode("c", 20, 20), s.addNode("d", 20, 20))
	task := poison.task(federation.TaskTrain)
	data := values(-900)
	poison.upload(task, data)
	if reason := poison.commit(task, poison.seal(federation.KindUpdate, poison.describe(task, data))); reason != "" {
		t.Fatalf("the update is refused with %q", reason)
	}
	testutil.Eventually(t, "there is a candidate", func() bool {
		r := s.Status().Round
		return r != nil && r.Candidate.Version > 0 || len(s.ended()) > 0
	})
	if r := s.Status().Round; r != nil && r.Norm > 20 {
		t.Errorf("the head changed by %v", r.Norm)
	}
}

// The noise gives an (epsilon, delta), which a node can bound.
func TestPrivacyBudget(t *testing.T) {
	settings := quickSettings()
	settings.MinNodes, settings.Noise, settings.MaxDrop = 1, 4, 1
	s := newSite(t, settings)
	a := s.newNode("a")
	a.store.add(1, 0, 20, false)
	a.store.add(1, 1, 20, false)
	config := participant.DefaultConfig()
	config.MaxEpsilon = 2.5
	a.open(t, participant.Parts{Config: config})
	s.joins(a)
	s.run(a)
	testutil.Eventually(t, "the node stops", func() bool { return strings.Contains(a.Status().Unready, "federation.max_epsilon") })
	status := a.Status()
	if status.Epsilon == nil || *status.Epsilon <= 0 || *status.Epsilon > 2.5 || status.Updates < 2 || status.Delta != settings.Delta {
		t.Errorf("after %d updates epsilon is %v at %v", status.Updates, status.Epsilon, status.Delta)
	}
}

// Nodes that are throttled, or have another extractor, are not asked.
func TestObstacles(t *testing.T) {
	s := newSite(t, quickSettings())
	a, hot, other := s.addNode("a", 20, 20), s.newNode("hot"), s.newNode("other")
	for _, m := range []*member{hot, other} {
		m.store.add(1, 0, 20, false)
		m.store.add(1, 1, 20, false)
	}
	other.store.digest = "sha256:e2"
	hot.open(t, participant.Parts{Throttled: func(context.Context) string { return "the processor is throttled" }})
	s.run(a)
	testutil.Eventually(t, "the extractor is that of the first node", func() bool { return s.Status().Definition.Extractor.Digest == "sha256:e1" })
	s.joins(hot)
	s.joins(other)
	s.run(hot, other)
	obstacle := func(name string) string {
		for _, m := range s.Status().Members {
			if m.Name == name {
				return m.Obstacle
			}
		}
		return "is no member"
	}
	testutil.Eventually(t, "the obstacles are known", func() bool {
		return obstacle("a") == "" && obstacle("hot") == "the processor is throttled" && strings.Contains(obstacle("other"), "extractor")
	})
	if s.Status().Rounds != 0 {
		t.Error("a round began with one node")
	}
}

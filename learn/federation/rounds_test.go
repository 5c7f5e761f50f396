package federation_test

import (
	"testing"

	"edgelens/internal/testutil"
	"edgelens/learn/federation/receipts"
)

// TestFederationLearns has three nodes learn what none of them could alone: two have examples of one class each.
func TestFederationLearns(t *testing.T) {
	settings := quickSettings()
	settings.Rounds = 4
	s := newSite(t, settings)
	a, b, c := s.addNode("a", 40, 2), s.addNode("b", 2, 40), s.addNode("c", 20, 20)
	s.run(a, b, c)
	testutil.Eventually(t, "four rounds end", func() bool { return len(s.ended()) >= 4 })
	rounds := s.ended()
	if first, last := rounds[0].LossBefore, rounds[3].LossBefore; last >= first/2 {
		t.Errorf("the loss fell from %v to %v only", first, last)
	}
	if rounds[0].Outcome != "live" {
		t.Errorf("the first round was %s: %s", rounds[0].Outcome, rounds[0].Reason)
	}
	live := s.Status().Head
	testutil.Eventually(t, "every node has the live head", func() bool {
		return a.Status().Live == live && b.Status().Live == live && c.Status().Live == live
	})
	for _, m := range []*member{a, b, c} {
		if share := rightShare(m.store.installed()); share < 0.95 {
			t.Errorf("node %s classifies %v of fresh examples rightly", m.name, share)
		}
	}
	for name, read := range map[string]func() ([]byte, error){"coordinator": s.Receipts, "node": a.Receipts} {
		text, err := read()
		if err != nil {
			t.Fatal(err)
		}
		keys := a.keys
		if name == "coordinator" {
			keys = newKeys(t, s.folder)
		}
		public, err := keys.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		all, err := receipts.Verify(text, keys, public)
		if err != nil || len(all) < 8 {
			t.Errorf("%s: %d receipts, %v", name, len(all), err)
		}
	}
}

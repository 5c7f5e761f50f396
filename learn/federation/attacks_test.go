package federation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/learn/federation"
	"edgelens/learn/federation/participant"
)

// Losses whose sum overflows are refused: an infinite number cannot be saved, and the federation would never go on.
func TestHugeLossesAreRefused(t *testing.T) {
	t.Parallel()
	settings := quickSettings()
	settings.MinNodes, settings.Rounds = 1, 1
	s := newSite(t, settings)
	poison := s.addRaw("poison")
	task := poison.task(federation.TaskTrain)
	data := values(0.5)
	poison.upload(task, data)
	u := poison.describe(task, data)
	u.LossBefore = 1e308
	if reason := poison.commit(task, poison.seal(federation.KindUpdate, u)); reason != string(federation.Malformed) {
		t.Errorf("the update is refused with %q", reason)
	}
	if err := s.Remove("poison"); err != nil {
		t.Fatal(err)
	}
	s.run(s.addNode("a", 20, 20))
	testutil.Eventually(t, "a round without it is live", func() bool { return s.Status().Head.Version > 1 })
}

// A node that claims a billion held-out examples, all of them right or all of them wrong, does not decide alone whether a head goes
// live or is taken back.
func TestOneScorerDoesNotDecide(t *testing.T) {
	t.Parallel()
	settings := quickSettings()
	settings.Rounds, settings.Canary, settings.MaxWeight, settings.MaxDrop = 1, "a", 20, 0.3
	s := newSite(t, settings)
	liar := s.addRaw("liar")
	liar.poll()
	a, b, c := s.addNode("a", 40, 40), s.addNode("b", 40, 40), s.addNode("c", 40, 40)
	s.run(a, b, c)
	data := values(0)
	task := liar.task(federation.TaskTrain)
	liar.upload(task, data)
	liar.commit(task, liar.seal(federation.KindUpdate, liar.describe(task, data)))
	task = liar.task(federation.TaskScore)
	const billion = 1e9
	score := federation.Score{Node: "liar", Round: task.Round, Candidate: task.Candidate.Digest, Examples: billion, Base: billion}
	if _, reason, _ := liar.call(http.MethodPost, "/tasks/"+task.Ticket+"/score", liar.seal(federation.KindScore, score), nil); reason != "" {
		t.Fatalf("the score is refused with %q", reason)
	}
	testutil.Eventually(t, "the round ends", func() bool { return len(s.ended()) == 1 })
	if r := s.ended()[0]; r.Outcome != "live" {
		t.Fatalf("the round: %+v", r)
	}
}

// Parts of an upload that came from someone else who knows the ticket do not end the part of the node in the round: it sends the
// update anew.
func TestSpoiledUploadIsSentAnew(t *testing.T) {
	t.Parallel()
	settings := quickSettings()
	settings.MinNodes, settings.Rounds = 1, 1
	s := newSite(t, settings)
	spoiled := false
	s.wrap = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if ticket := strings.Split(r.URL.Path, "/"); strings.HasSuffix(r.URL.Path, "/update") && r.Method == http.MethodGet && !spoiled {
				spoiled = true
				path := filepath.Join(s.folder, "federation", "uploads", ticket[len(ticket)-2])
				if err := os.WriteFile(path, []byte("of someone else"), 0o600); err != nil {
					t.Error(err)
				}
			}
			next.ServeHTTP(w, r)
		})
	}
	a := s.addNode("a", 20, 20)
	s.run(a)
	testutil.Eventually(t, "the round ends", func() bool { return len(s.ended()) == 1 })
	if r := s.ended()[0]; r.Outcome != "live" || a.Status().Updates != 1 {
		t.Errorf("after %d updates, the round: %+v", a.Status().Updates, r)
	}
}

// A part of an upload whose connection died without a sign gives way to the next part at once, not after its deadline.
func TestStalledUploadGivesWay(t *testing.T) {
	t.Parallel()
	settings := quickSettings()
	settings.MinNodes = 1
	s := newSite(t, settings)
	a := s.addRaw("a")
	task := a.task(federation.TaskTrain)
	path, data := "/tasks/"+task.Ticket+"/update", values(0.5)
	stalled, writer := io.Pipe()
	defer writer.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.server.URL+federation.Path+path, stalled)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Range", "bytes 0-71/72")
	go func() {
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close() // there is nothing of interest
		}
	}()
	if _, err := writer.Write(data[:10]); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, "a part has come", func() bool { return s.Status().Round.Nodes[0].Received == 10 })
	testutil.Eventually(t, "the rest has come", func() bool {
		_, reason, _ := a.call(http.MethodPut, path, data[10:], http.Header{"Content-Range": {"bytes 10-71/72"}})
		return reason == ""
	})
	if reason := a.commit(task, a.seal(federation.KindUpdate, a.describe(task, data))); reason != "" {
		t.Errorf("the update is refused with %q", reason)
	}
}

// Two copies of one node are one node to the coordinator: one update of both counts in a round, and rounds go on.
func TestCopiedNode(t *testing.T) {
	t.Parallel()
	settings := quickSettings()
	settings.MinNodes, settings.Rounds, settings.MaxDrop = 2, 3, 1
	s := newSite(t, settings)
	a, b := s.addNode("a", 20, 20), s.addNode("b", 20, 20)
	clone := &member{name: "a", folder: t.TempDir(), keys: a.keys, store: a.store}
	if err := os.CopyFS(clone.folder, os.DirFS(a.folder)); err != nil {
		t.Fatal(err)
	}
	clone.open(t, participant.Parts{})
	s.run(a, b, clone)
	testutil.Eventually(t, "three rounds are over", func() bool { return s.Status().Candidates == 3 && s.Status().Round == nil })
	text, err := s.Receipts()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.ended() {
		ofRound := fmt.Sprintf(`"round":%d,"sha256"`, r.Number)
		updates := 0
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, `"what":"update"`) && strings.Contains(line, `"node":"a"`) && strings.Contains(line, ofRound) {
				updates++
			}
		}
		if updates > 1 || updates == 0 && r.Outcome == "live" {
			t.Errorf("round %d: %d updates of one node count, outcome %s", r.Number, updates, r.Outcome)
		}
	}
}

// A full disk has the coordinator accept nothing that a crash would undo, and it goes on once there is room.
func TestFullDiskOfTheCoordinator(t *testing.T) {
	t.Parallel()
	settings := quickSettings()
	settings.MinNodes, settings.Rounds, settings.MaxDrop = 1, 1, 1
	s := newSite(t, settings)
	a := s.addRaw("a")
	task := a.task(federation.TaskTrain)
	data := values(0.5)
	a.upload(task, data)
	state := filepath.Join(s.folder, "federation", "federation.json")
	before, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	// A folder in the way of the file has the same effect as a full disk: it cannot be replaced.
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(state, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	message := a.seal(federation.KindUpdate, a.describe(task, data))
	path := "/tasks/" + task.Ticket + "/update"
	for range 2 {
		if status, _, _ := a.call(http.MethodPost, path, message, nil); status != http.StatusInternalServerError {
			t.Errorf("an update that cannot be saved is answered with %d", status)
		}
	}
	if err := os.RemoveAll(state); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(state, before, 0o600); err != nil {
		t.Fatal(err)
	}
	s.restart() // by kill -9: nothing but the files is known
	if status, reason, _ := a.call(http.MethodPost, path, message, nil); status != http.StatusOK {
		t.Errorf("with room again, it is refused: %d %q", status, reason)
	}
}

// Tokens that were used do not count against the most nodes of a federation, beside the members that they brought.
func TestUsedInvitationsDoNotCount(t *testing.T) {
	t.Parallel()
	s := newSite(t, quickSettings())
	s.addRaw("used")
	s.end()
	path := filepath.Join(s.folder, "federation", "federation.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var state map[string]any
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"members", "invitations"} {
		all := state[name].(map[string]any)
		for i := range federation.MaxNodes - 2 {
			all[fmt.Sprint("n", i)] = all["used"]
		}
	}
	if text, err = json.Marshal(state); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(federation.Definition{})
	if _, _, err := s.Invite("last", time.Hour); err != nil {
		t.Errorf("the last of %d nodes: %v", federation.MaxNodes, err)
	}
	if _, _, err := s.Invite("other", time.Hour); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("one more: %v", err)
	}
}

// Nodes do not believe another key than the one that they joined. They take part again once they have joined anew, and from the same
// head.
func TestRotatedKeyOfTheCoordinator(t *testing.T) {
	t.Parallel()
	settings := quickSettings()
	settings.MinNodes, settings.Rounds, settings.MaxDrop = 1, 1, 1
	s := newSite(t, settings)
	a := s.addNode("a", 20, 20)
	s.run(a)
	testutil.Eventually(t, "the first head is live", func() bool { return a.Status().Live.Version == 2 })
	live := a.Status().Live
	rotate(t, s.folder)
	settings.Rounds = 2
	s.end()
	s.start(federation.Definition{Head: "gate", Labels: labels, Settings: settings})
	testutil.Eventually(t, "the node reports it", func() bool { return strings.Contains(a.Status().Problem, "if that was rotated") })
	if s.Status().Head != live {
		t.Errorf("the head is %+v", s.Status().Head)
	}
	if err := a.Leave(); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove("a"); err != nil {
		t.Fatal(err)
	}
	s.joins(a)
	testutil.Eventually(t, "the second head is live", func() bool { return a.Status().Live.Version > live.Version })
	if text, err := s.Receipts(); err != nil || !strings.Contains(string(text), `"what":"key_changed"`) {
		t.Errorf("the receipts have no change of the key: %v", err)
	}
}

// A message that was read on the way is not taken again after the coordinator was killed, where the state was saved since.
func TestReplayAfterRestart(t *testing.T) {
	t.Parallel()
	s := newSite(t, quickSettings())
	a := s.addRaw("a")
	a.poll()
	old := a.seal(federation.KindPoll, a.announce())
	a.call(http.MethodPost, "/poll", old, nil)
	s.addRaw("b") // the state is saved
	s.restart()
	if _, reason, _ := a.call(http.MethodPost, "/poll", old, nil); reason != string(federation.Replay) {
		t.Errorf("the message of before is refused with %q", reason)
	}
}

// What a crash left of files that were being written is removed at the next start.
func TestLeftoversAreRemoved(t *testing.T) {
	t.Parallel()
	s := newSite(t, quickSettings())
	a := s.addNode("a", 20, 20)
	folder := filepath.Join(s.folder, "federation")
	leftovers := []string{
		filepath.Join(folder, ".new-1.json"), filepath.Join(folder, "heads", ".new-1.json"), filepath.Join(folder, "uploads", strings.Repeat("a", 32)),
		filepath.Join(folder, "rounds", ".new-1.json"), filepath.Join(a.folder, "federation", ".new-1"), filepath.Join(a.folder, "federation", "heads", ".new-1.json"),
	}
	for _, path := range leftovers {
		if err := os.WriteFile(path, []byte("cut"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.restart()
	a.open(t, participant.Parts{})
	for _, path := range leftovers {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
}

package federation_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgelens/internal/testutil"
	"edgelens/learn/federation"
	"edgelens/learn/federation/participant"
)

// cutBody is a body that ends by an error after some bytes.
type cutBody struct {
	io.ReadCloser
	left int
}

var errCut = errors.New("the connection was cut")

func (b *cutBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errCut
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// cutter cuts uploads after 20 bytes, and counts the bytes of their parts.
type cutter struct {
	cuts  atomic.Int64 // how many uploads it cuts still
	mu    sync.Mutex
	spans []string
}

func (c *cutter) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			next.ServeHTTP(w, r)
			return
		}
		c.mu.Lock()
		c.spans = append(c.spans, r.Header.Get("Content-Range"))
		c.mu.Unlock()
		if c.cuts.Add(-1) < 0 {
			next.ServeHTTP(w, r)
			return
		}
		r.Body = &cutBody{r.Body, 20}
		next.ServeHTTP(w, r)
		panic(http.ErrAbortHandler) // the node sees no answer
	})
}

func (c *cutter) seen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.spans...)
}

// An upload that is cut goes on where it stopped: 72 bytes in parts from 0, 20 and 40.
func TestCutUploadGoesOn(t *testing.T) {
	settings := quickSettings()
	settings.MinNodes, settings.Rounds = 1, 1
	s := newSite(t, settings)
	var cut cutter
	cut.cuts.Store(2)
	s.wrap = cut.wrap
	s.run(s.addNode("a", 20, 20))
	testutil.Eventually(t, "the round ends", func() bool { return len(s.ended()) == 1 })
	if r := s.ended()[0]; r.Outcome != "live" {
		t.Errorf("the round: %+v", r)
	}
	if spans := strings.Join(cut.seen(), " "); spans != "bytes 0-71/72 bytes 20-71/72 bytes 40-71/72" {
		t.Errorf("the parts were %s", spans)
	}
}

// A node that is killed in the middle of an upload goes on with the same update after its restart.
func TestKilledNodeGoesOn(t *testing.T) {
	settings := quickSettings()
	settings.MinNodes, settings.Rounds = 1, 1
	s := newSite(t, settings)
	var cut cutter
	cut.cuts.Store(1)
	blocked := make(chan struct{})
	s.wrap = func(next http.Handler) http.Handler {
		next = cut.wrap(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut && len(cut.seen()) == 1 {
				select {
				case <-blocked:
				case <-r.Context().Done(): // the node died
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
	a := s.addNode("a", 20, 20)
	s.run(a)
	testutil.Eventually(t, "a part of the update has come", func() bool {
		r := s.Status().Round
		return r != nil && r.Nodes[0].Received == 20
	})
	a.stop()
	before, err := os.ReadFile(filepath.Join(a.folder, "federation", "update"))
	if err != nil {
		t.Fatal(err)
	}
	close(blocked)
	a.open(t, participant.Parts{})
	s.run(a)
	testutil.Eventually(t, "the round ends", func() bool { return len(s.ended()) == 1 })
	round := s.ended()[0]
	if round.Outcome != "live" || a.Status().Updates != 1 {
		t.Errorf("the round: %+v, after %d updates", round, a.Status().Updates)
	}
	text, err := s.Receipts()
	if err != nil || !strings.Contains(string(text), federation.Digest(before)) {
		t.Errorf("the update of before the restart is not what was accepted: %v", err)
	}
	if spans := cut.seen(); spans[len(spans)-1] != "bytes 20-71/72" {
		t.Errorf("the last part was %v", spans)
	}
}

// A node that takes a task and dies costs the round nothing but the wait for it.
func TestDeadNodeCostsNothing(t *testing.T) {
	settings := quickSettings()
	settings.Deadline = federation.Seconds(time.Second)
	s := newSite(t, settings)
	dead := s.addRaw("dead")
	s.run(s.addNode("a", 20, 20), s.addNode("b", 20, 20))
	testutil.Eventually(t, "a round without its update is live", func() bool {
		dead.poll() // it does no more than that
		for _, r := range s.ended() {
			if len(r.Nodes) == 3 && r.Nodes[2].State == "silent" && r.Outcome == "live" {
				return true
			}
		}
		return false
	})
}

// The coordinator goes on in every phase after it was killed: what it knows is in its files.
func TestCoordinatorGoesOn(t *testing.T) {
	for _, phase := range []string{"train", "canary", "gate"} {
		t.Run(phase, func(t *testing.T) {
			settings := quickSettings()
			settings.Rounds = 1
			s := newSite(t, settings)
			hold := make(chan struct{})
			s.wrap = func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					score := strings.HasSuffix(r.URL.Path, "/score")
					if r.Method == http.MethodPut && phase == "train" || score && (phase == "canary" || s.Status().Round != nil && s.Status().Round.Phase == "gate") {
						select {
						case <-hold:
						case <-r.Context().Done():
							return
						}
						next = s.Handler() // that of after the restart
					}
					next.ServeHTTP(w, r)
				})
			}
			a, b := s.addNode("a", 20, 20), s.addNode("b", 20, 20)
			s.run(a, b)
			testutil.Eventually(t, "the round is in its phase "+phase, func() bool { r := s.Status().Round; return r != nil && r.Phase == phase })
			a.stop()
			b.stop()
			s.restart()
			close(hold)
			if r := s.Status().Round; r == nil || r.Phase != phase {
				t.Fatalf("after the restart the round is %+v", r)
			}
			s.run(a, b)
			testutil.Eventually(t, "the round ends", func() bool { return len(s.ended()) == 1 })
			if r := s.ended()[0]; r.Outcome != "live" || r.Number != 1 {
				t.Errorf("the round: %+v", r)
			}
		})
	}
}

// A head that the coordinator did not sign, or another one than it named, is not trained from and not installed.
func TestSwappedBaseIsRefused(t *testing.T) {
	settings := quickSettings()
	settings.MinNodes = 1
	for name, swap := range map[string]func(s *site, honest []byte) []byte{
		"a changed one": func(_ *site, honest []byte) []byte {
			return []byte(strings.Replace(string(honest), `"round":0`, `"round":1`, 1))
		},
		"by another key":    func(s *site, honest []byte) []byte { return resign(s.t, honest) },
		"of no head":        func(*site, []byte) []byte { return []byte(`{"kind":"head"}`) },
		"of nothing":        func(*site, []byte) []byte { return nil },
		"of too many bytes": func(*site, []byte) []byte { return make([]byte, 10<<20) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, settings)
			s.wrap = func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if !strings.Contains(r.URL.Path, "/heads/") {
						next.ServeHTTP(w, r)
						return
					}
					files, _ := filepath.Glob(filepath.Join(s.folder, "federation", "heads", "*.json"))
					honest, err := os.ReadFile(files[0])
					if err != nil {
						t.Error(err)
					}
					_, _ = w.Write(swap(s, honest))
				})
			}
			a := s.addNode("a", 20, 20)
			s.run(a)
			testutil.Eventually(t, "the node has a problem", func() bool { return strings.Contains(a.Status().Problem, "fetch head 1") })
			if a.Status().Updates != 0 {
				t.Error("it trained all the same")
			}
		})
	}
}

// resign returns a head signed by another key.
func resign(t testing.TB, honest []byte) []byte {
	t.Helper()
	var head federation.SignedHead
	if err := federation.Peek(honest, &head); err != nil {
		t.Fatal(err)
	}
	forged, err := federation.Seal(newKeys(t, t.TempDir()), federation.KindHead, head)
	if err != nil {
		t.Fatal(err)
	}
	return forged
}

// No clock of a node matters.
func TestClocksOff(t *testing.T) {
	settings := quickSettings()
	settings.Rounds = 2
	s := newSite(t, settings)
	a, b := s.newNode("a"), s.newNode("b")
	for m, off := range map[*member]time.Duration{a: -56 * 365 * 24 * time.Hour, b: 24 * time.Hour} {
		m.store.add(1, 0, 20, false)
		m.store.add(2, 1, 20, false)
		m.openAt(t, func() time.Time { return time.Now().Add(off) })
		s.joins(m)
	}
	s.run(a, b)
	testutil.Eventually(t, "two rounds end", func() bool { return len(s.ended()) == 2 })
	for _, r := range s.ended() {
		if r.Outcome != "live" {
			t.Errorf("the round: %+v", r)
		}
	}
	// A clock that is set back, too.
	a.stop()
	a.openAt(t, func() time.Time { return time.Unix(0, 0) })
	s.run(a)
	contact := time.Unix(0, 0)
	testutil.Eventually(t, "the coordinator has answered again", func() bool {
		status := a.Status()
		return status.Contact.Equal(contact) && status.Problem == "" && status.Examples["open"] > 0
	})
}

// openAt opens the participant anew with another clock.
func (m *member) openAt(t testing.TB, now func() time.Time) {
	t.Helper()
	m.open(t, participant.Parts{Now: now})
}

package heads_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/learn/head"
	"edgelens/learn/heads"
	"edgelens/learn/softmax"
)

func newHead(name string, weight float64) *head.Head {
	p := softmax.New(2, 3)
	p.Values[0] = weight
	return &head.Head{
		Name: name, Extractor: edgelens.ModelRef{Name: "extractor", Digest: "sha256:ab"}, Labels: []string{"closed", "open"}, Params: p, Scale: 10,
		Method: head.Softmax, Examples: 12, CreatedAt: time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC),
	}
}

var report = &edgelens.TrainingReport{
	Method: head.Softmax, L2: 1e-3, Folds: 5, Labels: []edgelens.LabelCount{{Label: "closed", Count: 6}, {Label: "open", Count: 6}}, HeldOut: 12, Right: 11,
	Accuracy: 11.0 / 12, Low: 0.65, High: 0.98, Confusion: [][]int{{6, 0}, {1, 5}}, ErrorBefore: 0.2, ErrorAfter: 0.05, Threshold: 0.7, RightBelow: 1, WrongBelow: 1,
	Took: 1500 * time.Millisecond,
}

func put(t *testing.T, s *heads.Store, name string, weight float64, live bool) *head.Head {
	t.Helper()
	h, err := s.Put(newHead(name, weight), report, live)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func checkLive(t *testing.T, s *heads.Store, name string, version int) {
	t.Helper()
	h, err := s.Live(name)
	if err != nil || h.Version != version || h.Params.Values[0] != float64(version) {
		t.Fatalf("live is %+v, %v, and should be version %d", h, err, version)
	}
}

func TestPutAndRollback(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "heads")
	s := heads.Open(dir)
	if _, err := s.Live("gate"); !errors.Is(err, edgelens.ErrUnknownModel) {
		t.Errorf("an empty store has a live head: %v", err)
	}
	if _, err := s.Versions("gate"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("an empty store has versions: %v", err)
	}
	for i := 1; i <= 3; i++ {
		put(t, s, "gate", float64(i), true)
		checkLive(t, s, "gate", i)
	}
	candidate := put(t, s, "gate", 4, false)
	checkLive(t, s, "gate", 3)
	if n, err := s.Rollback("gate", candidate.Version); err != nil || n != 4 {
		t.Errorf("making the candidate live: %d, %v", n, err)
	}
	checkLive(t, s, "gate", 4)
	for _, want := range []int{3, 2, 1} {
		if n, err := s.Rollback("gate", 0); err != nil || n != want {
			t.Errorf("rolled back to %d, %v", n, err)
		}
		checkLive(t, s, "gate", want)
		checkLive(t, heads.Open(dir), "gate", want) // as after a restart
	}
	if _, err := s.Rollback("gate", 0); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("rolled back beyond the first version: %v", err)
	}
	if _, err := s.Rollback("gate", 9); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("rolled back to a version that is not there: %v", err)
	}
	if put(t, s, "gate", 5, true).Version != 5 {
		t.Error("a version is used twice")
	}
}

func TestVersionsHaveReports(t *testing.T) {
	s := heads.Open(t.TempDir())
	put(t, s, "gate", 1, true)
	if _, err := s.Put(newHead("gate", 2), nil, false); err != nil {
		t.Fatal(err)
	}
	versions, err := s.Versions("gate")
	if err != nil || len(versions) != 2 {
		t.Fatalf("%v, %v", versions, err)
	}
	newest, oldest := versions[0], versions[1]
	if newest.Version != 2 || newest.Live || newest.Report != nil || newest.Digest == oldest.Digest {
		t.Errorf("the newest is %+v", newest)
	}
	if !oldest.Live || !reflect.DeepEqual(oldest.Report, report) || oldest.Extractor.Name != "extractor" || oldest.Examples != 12 {
		t.Errorf("the oldest is %+v", oldest)
	}
}

func TestKeepsNewestVersionsAndLive(t *testing.T) {
	s := heads.Open(t.TempDir())
	put(t, s, "gate", 1, true)
	for i := 2; i <= heads.Keep+5; i++ {
		put(t, s, "gate", float64(i), false)
	}
	checkLive(t, s, "gate", 1)
	versions, err := s.Versions("gate")
	if err != nil || len(versions) != heads.Keep+1 || versions[heads.Keep].Version != 1 || versions[heads.Keep-1].Version != 6 {
		t.Errorf("%d versions: %+v, %v", len(versions), versions, err)
	}
}

// TestChangesOfOthersAreUsed changes the folder by another Store, as another process does.
func TestChangesOfOthersAreUsed(t *testing.T) {
	dir := t.TempDir()
	ours, theirs := heads.Open(dir), heads.Open(dir)
	put(t, ours, "gate", 1, true)
	checkLive(t, theirs, "gate", 1)
	put(t, theirs, "gate", 2, true)
	checkLive(t, ours, "gate", 2)
	if _, err := theirs.Rollback("gate", 0); err != nil {
		t.Fatal(err)
	}
	checkLive(t, ours, "gate", 1)
	if err := theirs.Remove("gate"); err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Live("gate"); !errors.Is(err, edgelens.ErrUnknownModel) {
		t.Errorf("a removed head is live: %v", err)
	}
	if err := ours.Remove("gate"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
}

// TestDamagedFileIsReported damages files in the ways that disks and people do.
func TestDamagedFileIsReported(t *testing.T) {
	for name, damage := range map[string]func(data []byte) []byte{
		"empty":   func([]byte) []byte { return nil },
		"cut off": func(data []byte) []byte { return data[:len(data)/2] },
		"no JSON": func([]byte) []byte { return []byte("gate") },
		"a changed number": func(data []byte) []byte {
			return []byte(strings.Replace(string(data), `"scale":10`, `"scale":11`, 1))
		},
		"another version": func(data []byte) []byte {
			return []byte(strings.ReplaceAll(string(data), `"version":2`, `"version":3`))
		},
		"a later format": func(data []byte) []byte { return []byte(strings.Replace(string(data), `"format":1`, `"format":2`, 1)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := heads.Open(dir)
			put(t, s, "gate", 1, true)
			put(t, s, "gate", 2, true)
			put(t, s, "bin", 1, true)
			checkLive(t, s, "gate", 2)
			path := filepath.Join(dir, "gate", "0002.json")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(data), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := heads.Open(dir).Live("gate"); !errors.Is(err, edgelens.ErrModel) || errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), "head rollback gate") {
				t.Errorf("the damaged version is live, or the client is to blame: %v", err)
			}
			versions, err := heads.Open(dir).Versions("gate")
			if err != nil || len(versions) != 2 || versions[0].Problem == "" || !versions[0].Live || versions[1].Problem != "" {
				t.Errorf("the versions are %+v, %v", versions, err)
			}
			checkLive(t, s, "bin", 1)
			if _, err := s.Rollback("gate", 2); !errors.Is(err, edgelens.ErrModel) {
				t.Errorf("a damaged version was made live: %v", err)
			}
			if n, err := s.Rollback("gate", 0); err != nil || n != 1 {
				t.Errorf("rolled back to %d, %v", n, err)
			}
			checkLive(t, s, "gate", 1)
		})
	}
}

func TestDamagedLiveFile(t *testing.T) {
	dir := t.TempDir()
	s := heads.Open(dir)
	put(t, s, "gate", 1, true)
	put(t, s, "gate", 2, true)
	if err := os.WriteFile(filepath.Join(dir, "gate", "live.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Live("gate"); !errors.Is(err, edgelens.ErrModel) {
		t.Errorf("live: %v", err)
	}
	if n, err := s.Rollback("gate", 0); err != nil || n != 2 {
		t.Errorf("rolled back to %d, %v", n, err)
	}
	checkLive(t, s, "gate", 2)
}

func TestPutRefuses(t *testing.T) {
	dir := t.TempDir()
	s := heads.Open(dir)
	bad := newHead("gate", 1)
	bad.Labels = bad.Labels[:1]
	if _, err := s.Put(bad, nil, true); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("a head with one label: %v", err)
	}
	if _, err := s.Put(newHead("../gate", 1), nil, true); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("a name that leaves the folder: %v", err)
	}
	for i := range heads.MaxHeads {
		put(t, s, fmt.Sprintf("head-%d", i), 1, true)
	}
	if _, err := s.Put(newHead("gate", 1), nil, true); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("one head too many: %v", err)
	}
	if len(s.Names()) != heads.MaxHeads {
		t.Errorf("%d heads", len(s.Names()))
	}
}

// Of each head, the weights of the live version alone are in memory, and none once it was removed.
func TestFormerVersionsLeaveMemory(t *testing.T) {
	s := heads.Open(t.TempDir())
	var freed atomic.Int32
	use := func() {
		t.Helper()
		h, err := s.Live("gate")
		if err != nil {
			t.Fatal(err)
		}
		runtime.AddCleanup(h, func(*atomic.Int32) { freed.Add(1) }, nil)
	}
	awaitFreed := func(n int32) {
		t.Helper()
		testutil.Eventually(t, fmt.Sprintf("%d versions are freed", n), func() bool { runtime.GC(); return freed.Load() == n })
	}
	put(t, s, "gate", 1, true)
	use()
	put(t, s, "gate", 2, true)
	use()
	awaitFreed(1)
	if err := s.Remove("gate"); err != nil {
		t.Fatal(err)
	}
	awaitFreed(2)
	runtime.KeepAlive(s)
}

func TestConcurrentUse(t *testing.T) {
	s := heads.Open(t.TempDir())
	put(t, s, "gate", 1, true)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 10 {
				if _, err := s.Put(newHead("gate", 1), report, true); err != nil {
					t.Error(err)
				}
				if _, err := s.Live("gate"); err != nil {
					t.Error(err)
				}
				_, _ = s.Rollback("gate", 0)
				if _, err := s.Versions("gate"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if h, err := s.Get("gate", 41); err != nil || h.Version != 41 {
		t.Errorf("version 41 of 41 is %v, %v", h, err)
	}
}

package ledger

import (
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"edgelens"
)

const (
	// spaceWarning is how often the log warns that space is short.
	spaceWarning = time.Minute
	// spaceMemory is how long after the last removal for space it still counts as short.
	spaceMemory = 10 * time.Minute
)

// space is what the sweeps measured. It is safe for use by many goroutines.
type space struct {
	config Config
	log    *slog.Logger

	mu         sync.Mutex
	removed    map[string]int64         // for space, since the start
	last       map[string]time.Duration // of the last removal of a kind, by the monotonic clock
	warned     time.Duration
	unreported int64 // removed since the last warning
	// over is by how much the non-removable content exceeds the limit, as of the last sweep; idsOver is the same for
	// ids.
	over    int64
	idsOver bool
}

// note counts what was removed for space.
func (s *space) note(kind string, n int, now time.Duration) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removed == nil {
		s.removed, s.last = map[string]int64{}, map[string]time.Duration{}
		s.warned = now - spaceWarning
	}
	s.removed[kind] += int64(n)
	s.unreported += int64(n)
	s.last[kind] = now
}

// warning returns how much was removed since the last warning, once the next is due.
func (s *space) warning(now time.Duration) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unreported == 0 || now-s.warned < spaceWarning {
		return 0
	}
	n := s.unreported
	s.unreported, s.warned = 0, now
	return n
}

func (s *space) set(over int64, idsOver bool) (was bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was = s.over > 0 || s.idsOver
	s.over, s.idsOver = over, idsOver
	return was
}

func (s *space) full() (over int64, idsOver bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over, s.idsOver
}

// short reports whether something was removed for space recently.
func (s *space) short(now time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for kind := range s.last {
		if s.shortOf(kind, now) {
			return true
		}
	}
	return false
}

// shortFor reports whether some of a kind was removed for space recently.
func (s *space) shortFor(kind string, now time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shortOf(kind, now)
}

// shortOf is shortFor with mu held.
func (s *space) shortOf(kind string, now time.Duration) bool {
	last, removed := s.last[kind]
	return removed && now-last < spaceMemory
}

// removedByKind returns how much was removed since the start for lack of space, and not for its age, by kind: jobs,
// results, records, events, images (of finished jobs) and ids (of records).
func (s *space) removedByKind() map[string]int64 {
	all := map[string]int64{edgelens.KeptIDs: 0}
	for _, kind := range shared {
		all[kind] = 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(all, s.removed)
	return all
}

// report stores by how much the content exceeds the limits, and logs a change; now is by the monotonic clock.
func (s *space) report(over int64, idsOver bool, now time.Duration) {
	was, is := s.set(over, idsOver), over > 0 || idsOver
	switch {
	case is && !was:
		s.log.Error("the ledger is full and its rows are too young to be removed: nothing more is accepted. Raise ledger.max_bytes (or ledger.remember_max), or lower ledger.min_age", "event", "ledger_full",
			"over_bytes", max(0, over), "max_bytes", s.config.MaxBytes, "min_age", s.config.MinAge)
	case was && !is:
		s.log.Info("the ledger has room again", "event", "ledger_has_room")
	}
	if n := s.warning(now); n > 0 {
		s.log.Warn("the ledger removes rows for space before they reach their age: raise ledger.max_bytes, or lower ledger.max_age", "event", "ledger_space_short",
			"rows", n, "max_bytes", s.config.MaxBytes, "max_age", s.config.MaxAge)
	}
}

// noRoom is the error of what is refused because MinAge protects all content.
func (s *space) noRoom() error {
	return &edgelens.NoRoom{Reason: fmt.Sprintf("The ledger is full (ledger.max_bytes) of jobs, results and events that are not removed before they are %v old (ledger.min_age). Try again later, or contact the operator.",
		s.config.MinAge)}
}

// checkIDs returns an error where no more ids of records can be kept.
func (s *space) checkIDs() error {
	if _, over := s.full(); over {
		return &edgelens.NoRoom{Reason: fmt.Sprintf("More than %d records (ledger.remember_max) arrived within %v (ledger.min_age), for which their ids are kept.",
			s.config.RememberMax, s.config.MinAge)}
	}
	return nil
}

func (s *space) problems(now time.Duration) []Problem {
	over, idsOver := s.full()
	switch {
	case over > 0:
		return []Problem{{PartSpace, false, fmt.Sprintf(
			"jobs and records are refused: the ledger is %d bytes over ledger.max_bytes, with rows too young to be removed (ledger.min_age); raise the former or lower the latter", over)}}
	case idsOver:
		return []Problem{{PartSpace, false,
			"records are refused: more arrived within ledger.min_age than ledger.remember_max ids; raise the latter"}}
	case s.short(now):
		return []Problem{{PartSpace, false,
			"finished jobs, results or events are removed for space before they reach ledger.max_age; raise ledger.max_bytes or lower ledger.max_age"}}
	}
	return nil
}

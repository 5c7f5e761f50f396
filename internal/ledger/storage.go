package ledger

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"edgelens"
)

// errImages: the folder of the images cannot be written; the database is unaffected.
var errImages = errors.New("the folder of the images cannot be written")

// errMoved: the file in the folder is not the open one.
var errMoved = fmt.Errorf("%w: the database was removed or replaced while it was in use; restart edgelens", edgelens.ErrStorage)

// storage is the state of the ledger's files as of their last use. It is safe for use by many goroutines.
type storage struct {
	dir, imagesDir string
	// minFree is how many bytes of each disk must stay free.
	minFree int64
	log     *slog.Logger

	mu sync.Mutex
	// database and images are the last errors; nil where none is known.
	database, images error
	// damage is what a check found; nil where the database is intact, as far as is known.
	damage error
}

func (s *storage) get() (database, images error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.database, s.images
}

// setDatabase stores whether the database can be written, and logs a change.
func (s *storage) setDatabase(err error) {
	s.mu.Lock()
	was := s.database
	s.database = err
	s.mu.Unlock()
	switch {
	case err != nil && was == nil:
		s.log.Error("the ledger cannot be written: nothing is accepted or acknowledged", "event", "storage_not_writable", "error", err)
	case err == nil && was != nil:
		s.log.Info("the ledger can be written again", "event", "storage_writable")
	}
}

// setDamage stores that the database is damaged, and logs it.
func (s *storage) setDamage(err error) {
	s.mu.Lock()
	s.damage = err
	s.mu.Unlock()
	s.log.Error("the ledger is damaged, and goes on: the next start sets it aside, with its jobs and results, and begins with an empty one. Before it, take a backup of what is left: sqlite3 ledger.db .recover",
		"event", "ledger_damaged_in_use", "error", err)
}

// setImages stores whether images can be written, and logs a change.
func (s *storage) setImages(err error) {
	s.mu.Lock()
	was := s.images
	s.images = err
	s.mu.Unlock()
	switch {
	case err != nil && was == nil:
		s.log.Error("images cannot be written: jobs are refused, and records of terminals are kept without their images", "event", "images_not_writable", "error", err)
	case err == nil && was != nil:
		s.log.Info("images can be written again", "event", "images_writable")
	}
}

// noteWrite stores the outcome of a transaction. A success proves nothing where the file is no longer the one in the
// folder.
func (s *storage) noteWrite(err error) {
	switch {
	case err == nil:
		if broken, _ := s.get(); broken != nil && !errors.Is(broken, errMoved) {
			s.setDatabase(nil)
		}
	case errors.Is(err, errImages): // setImages has it
	case isDiskFull(err), isUnwritable(err):
		s.setDatabase(s.explainFile(err))
	}
}

// checkWritable returns errMoved while the database is known to be elsewhere: a write would succeed. After other
// errors, a write is attempted: there may be room again.
func (s *storage) checkWritable() error {
	if database, _ := s.get(); errors.Is(database, errMoved) {
		return database
	}
	return nil
}

func (s *storage) problems() (problems []Problem) {
	database, images := s.get()
	s.mu.Lock()
	damage := s.damage
	s.mu.Unlock()
	if damage != nil {
		problems = append(problems, Problem{PartLedger, false, "its file is damaged (" + damage.Error() + "): save what is left (sqlite3 ledger.db .recover), then restart edgelens, which sets it aside and begins with an empty one"})
	}
	if database != nil {
		problems = append(problems, Problem{PartLedger, true, "nothing can be accepted or acknowledged: " + database.Error()})
	}
	if images != nil {
		problems = append(problems, Problem{PartImages, false, "jobs are refused, and records of terminals are kept without their images: " + images.Error()})
	}
	return problems
}

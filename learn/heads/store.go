// Package heads stores the versions of the heads that were trained on site, in the data folder:
//
//	heads/NAME/0001.json, 0002.json, ...   a version with its report
//	heads/NAME/live.json                   which version answers for the model NAME
//
// Files are replaced atomically and synced. A damaged one is reported, and never used; it does not hinder the others. What
// another process changes in the folder is used by the next call: each compares the files with what was read of them.
package heads

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"edgelens"
	"edgelens/internal/atomicfile"
	"edgelens/internal/datadir"
	"edgelens/learn/head"
)

// The limits of a Store.
const (
	// MaxHeads is how many heads there can be, and Keep how many versions of each are kept, besides the live one.
	MaxHeads = 100
	Keep     = 10
	// maxBytes bounds the file of a version.
	maxBytes = 80 << 20
)

// LiveFile is the name of the file with the number of the live version.
const LiveFile = "live.json"

// Store is a folder of heads. It is safe for concurrent use.
type Store struct {
	dir string

	// changing is held while files are written or removed.
	changing sync.Mutex
	current  cache[int]                  // which version is live, by path
	live     cache[*head.Head]           // by name: the weights of one version of each head are in memory
	versions cache[edgelens.HeadVersion] // by path
}

// Open returns the store in a folder, which is created with the first head.
func Open(dir string) *Store { return &Store{dir: dir} }

// Put stores a head as the next version of its name, and makes it the live one if live is set. It returns the head with its
// version. report may be nil. Old versions are removed, beyond the Keep newest, but never the live one.
//
// The error wraps edgelens.ErrInvalid for a head that head.Check refuses, ErrConflict where there are MaxHeads others, and
// ErrDiskFull or ErrStorage.
func (s *Store) Put(h *head.Head, report *edgelens.TrainingReport, live bool) (*head.Head, error) {
	if err := head.CheckName(h.Name); err != nil {
		return nil, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	numbers, err := s.numbers(h.Name)
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 && len(s.names()) >= MaxHeads {
		return nil, fmt.Errorf("%w: there are %d heads already; delete one that is not used any more", edgelens.ErrConflict, MaxHeads)
	}
	next := *h
	next.Version = 1
	if n := len(numbers); n > 0 {
		next.Version = numbers[n-1] + 1
	}
	data, err := marshal(&next, report)
	if err != nil {
		return nil, err
	}
	if err := atomicfile.MakeFolder(filepath.Join(s.dir, h.Name), datadir.FolderMode); err != nil {
		return nil, datadir.Explain(s.dir, err)
	}
	path := s.path(h.Name, next.Version)
	if err := atomicfile.Write(path, data, datadir.FileMode); err != nil {
		_ = os.Remove(filepath.Dir(path)) // an empty folder is no head; another one stays
		return nil, datadir.Explain(path, err)
	}
	if live {
		if err := s.setLive(h.Name, next.Version); err != nil {
			return nil, err
		}
	}
	s.prune(h.Name, append(numbers, next.Version))
	return &next, nil
}

// Live returns the version of a head that is live; it must not be changed. The error wraps edgelens.ErrUnknownModel where there
// is none of that name, or none of its versions is live, and edgelens.ErrModel where its file is damaged.
func (s *Store) Live(name string) (*head.Head, error) {
	unknown := fmt.Errorf("%w: there is no head %.100q", edgelens.ErrUnknownModel, name)
	if head.CheckName(name) != nil {
		return nil, unknown
	}
	version, err := s.liveVersion(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, unknown
	case err != nil:
		return nil, err
	}
	return s.live.get(name, s.path(name, version), func(path string) (*head.Head, error) {
		h, _, err := read(path, name, version)
		if err != nil {
			return nil, fmt.Errorf("%w: version %d of the head %s: %s; `edgelens head rollback %s` uses an earlier one, or train it again", edgelens.ErrModel, version, name, damage(err), name)
		}
		return h, nil
	})
}

// Get returns a version of a head. The error wraps edgelens.ErrNotFound, or ErrModel for a damaged file.
func (s *Store) Get(name string, version int) (*head.Head, error) {
	if err := s.known(name); err != nil {
		return nil, err
	}
	h, _, err := read(s.path(name, version), name, version)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the head %s has no version %d", edgelens.ErrNotFound, name, version)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: version %d of the head %s: %s", edgelens.ErrModel, version, name, damage(err))
	}
	return h, nil
}

// Names returns the names of the heads, sorted.
func (s *Store) Names() []string { return s.names() }

// Versions returns the versions of a head, newest first, with those that are damaged. The error wraps edgelens.ErrNotFound.
func (s *Store) Versions(name string) ([]edgelens.HeadVersion, error) {
	if err := s.known(name); err != nil {
		return nil, err
	}
	numbers, err := s.numbers(name)
	if err != nil {
		return nil, err
	}
	live, _ := s.liveVersion(name) // 0 where it is not known
	var all []edgelens.HeadVersion
	for _, n := range slices.Backward(numbers) {
		file := s.path(name, n)
		v, err := s.versions.get(file, file, func(path string) (edgelens.HeadVersion, error) { return describe(path, name, n) })
		if err != nil {
			v = edgelens.HeadVersion{Name: name, Version: n, Problem: damage(err)}
		}
		v.Live = n == live
		all = append(all, v)
	}
	return all, nil
}

// Rollback makes another version of a head the live one: the given one, or with 0 the newest that is older than the live one and
// not damaged. It also makes a candidate live. It returns its number. The error wraps edgelens.ErrNotFound, ErrModel for a
// damaged version, and ErrConflict where there is none older.
func (s *Store) Rollback(name string, version int) (int, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if version == 0 {
		older, err := s.older(name)
		if err != nil {
			return 0, err
		}
		version = older
	}
	if _, err := s.Get(name, version); err != nil {
		return 0, err
	}
	return version, s.setLive(name, version)
}

// older returns the newest version that is older than the live one, of those that are not damaged. Where it is not known which
// is live, that is the newest of all.
func (s *Store) older(name string) (int, error) {
	versions, err := s.Versions(name)
	if err != nil {
		return 0, err
	}
	live, err := s.liveVersion(name)
	for _, v := range versions {
		if v.Problem == "" && (err != nil || v.Version < live) {
			return v.Version, nil
		}
	}
	return 0, fmt.Errorf("%w: the head %s has no version older than %d that can be used", edgelens.ErrConflict, name, live)
}

// Remove removes a head with all versions. The error wraps edgelens.ErrNotFound or ErrStorage.
func (s *Store) Remove(name string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.known(name); err != nil {
		return err
	}
	folder := filepath.Join(s.dir, name)
	// The name is gone at once; what is left of an interrupted removal has a name that no head can have.
	gone := filepath.Join(s.dir, ".removed-"+name)
	numbers, _ := s.numbers(name) // only what was read of them
	defer func() {
		s.current.drop(filepath.Join(folder, LiveFile))
		s.live.drop(name)
		for _, n := range numbers {
			s.versions.drop(s.path(name, n))
		}
	}()
	if err := errors.Join(os.RemoveAll(gone), os.Rename(folder, gone), atomicfile.SyncFolder(s.dir), os.RemoveAll(gone)); err != nil {
		return datadir.Explain(folder, err)
	}
	return nil
}

// known returns an edgelens.ErrNotFound for a head that there is none of.
func (s *Store) known(name string) error {
	if head.CheckName(name) == nil {
		if info, err := os.Stat(filepath.Join(s.dir, name)); err == nil && info.IsDir() {
			return nil
		}
	}
	return fmt.Errorf("%w: there is no head %.100q", edgelens.ErrNotFound, name)
}

func (s *Store) names() (names []string) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil // none was stored yet
	}
	for _, e := range entries {
		if e.IsDir() && head.CheckName(e.Name()) == nil {
			names = append(names, e.Name())
		}
	}
	return names
}

// numbers returns the versions that have a file, ascending.
func (s *Store) numbers(name string) (numbers []int, err error) {
	folder := filepath.Join(s.dir, name)
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, datadir.Explain(folder, err)
	}
	for _, e := range entries {
		number, ok := strings.CutSuffix(e.Name(), ".json")
		if n, err := strconv.Atoi(number); ok && err == nil && n > 0 && e.Name() == fileName(n) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func fileName(version int) string { return fmt.Sprintf("%04d.json", version) }

func (s *Store) path(name string, version int) string {
	return filepath.Join(s.dir, name, fileName(version))
}

// liveVersion returns which version is live. The error wraps fs.ErrNotExist where none is, or edgelens.ErrModel.
func (s *Store) liveVersion(name string) (int, error) {
	file := filepath.Join(s.dir, name, LiveFile)
	return s.current.get(file, file, func(path string) (int, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		var l storedLive
		if err := json.Unmarshal(data, &l); err != nil || l.Version < 1 {
			return 0, fmt.Errorf("%w: the file with the number of the live version of the head %s is damaged; `edgelens head rollback %s` writes it again", edgelens.ErrModel, name, name)
		}
		return l.Version, nil
	})
}

func (s *Store) setLive(name string, version int) error {
	data, err := json.Marshal(storedLive{version})
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, name, LiveFile)
	defer s.current.drop(path)
	return datadir.Explain(path, atomicfile.Write(path, data, datadir.FileMode))
}

// prune removes the oldest versions. One that cannot be removed stays, and the next call tries again.
func (s *Store) prune(name string, numbers []int) {
	live, err := s.liveVersion(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return // it could be any of them
	}
	numbers = slices.DeleteFunc(slices.Clone(numbers), func(n int) bool { return n == live })
	for _, n := range numbers[:max(0, len(numbers)-Keep)] {
		_ = os.Remove(s.path(name, n))
		s.versions.drop(s.path(name, n))
	}
}

// damage returns what is wrong with a file, for an error that blames no request.
func damage(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "its file is gone"
	}
	return strings.TrimPrefix(err.Error(), edgelens.ErrInvalid.Error()+": ")
}

// read returns what a file holds. The error wraps fs.ErrNotExist, or is what is wrong with it.
func read(path, name string, version int) (*head.Head, *edgelens.TrainingReport, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if info.Size() > maxBytes {
		return nil, nil, fmt.Errorf("%w: its file of %d bytes is too large", edgelens.ErrInvalid, info.Size())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	h, report, err := unmarshal(data)
	if err != nil {
		return nil, nil, err
	}
	if h.Name != name || h.Version != version {
		return nil, nil, fmt.Errorf("%w: its file holds version %d of the head %s", edgelens.ErrInvalid, h.Version, h.Name)
	}
	return h, report, nil
}

func describe(path, name string, version int) (edgelens.HeadVersion, error) {
	h, report, err := read(path, name, version)
	if err != nil {
		return edgelens.HeadVersion{}, err
	}
	digest, err := h.Digest()
	return edgelens.HeadVersion{
		Name: name, Version: version, Digest: digest, Extractor: h.Extractor, View: h.View, Labels: h.Labels, Method: h.Method,
		Examples: h.Examples, Scale: h.Scale, Threshold: h.Threshold, CreatedAt: h.CreatedAt, Report: report,
	}, err
}

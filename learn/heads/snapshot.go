package heads

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"edgelens"
	"edgelens/internal/atomicfile"
	"edgelens/internal/datadir"
)

// Snapshot brings the files of all heads into a folder on the same disk, as they are now, and returns their names in it, with
// slashes. What is damaged is left out, and described in damaged. Where the disk has hard links, it takes no room: the files
// are replaced, never written in place.
func (s *Store) Snapshot(folder string) (files, damaged []string, err error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	for _, name := range s.names() {
		present, bad, err := s.sound(name)
		if err != nil {
			return nil, nil, err
		}
		damaged = append(damaged, bad...)
		for _, file := range present {
			err := takeOver(filepath.Join(s.dir, name, file), filepath.Join(folder, name, file))
			switch {
			case errors.Is(err, fs.ErrNotExist): // another process has removed it
				continue
			case err != nil:
				return nil, nil, datadir.Explain(filepath.Join(folder, name), err)
			}
			files = append(files, name+"/"+file)
		}
	}
	return files, damaged, nil
}

// sound returns the files of a head that can be used, and what is wrong with the others.
func (s *Store) sound(name string) (files, damaged []string, err error) {
	versions, err := s.Versions(name)
	if errors.Is(err, edgelens.ErrNotFound) {
		return nil, nil, nil // another process has removed it
	}
	if err != nil {
		return nil, nil, err
	}
	for _, v := range versions {
		if v.Problem != "" {
			damaged = append(damaged, fmt.Sprintf("version %d of the head %s: %s", v.Version, name, v.Problem))
			continue
		}
		files = append(files, fileName(v.Version))
	}
	switch _, err := s.liveVersion(name); {
	case err == nil:
		files = append(files, LiveFile)
	case !errors.Is(err, fs.ErrNotExist):
		damaged = append(damaged, err.Error())
	}
	return files, damaged, nil
}

// Check returns an edgelens.ErrInvalid where a version or the number of a live one is damaged.
func (s *Store) Check() error {
	for _, name := range s.names() {
		_, damaged, err := s.sound(name)
		if err != nil {
			return err
		}
		if len(damaged) > 0 {
			return fmt.Errorf("%w: %s", edgelens.ErrInvalid, damaged[0])
		}
	}
	return nil
}

// takeOver links a file to another name, or copies it where that is not possible.
func takeOver(from, to string) error {
	if err := atomicfile.MakeFolder(filepath.Dir(to), datadir.FolderMode); err != nil {
		return err
	}
	if err := os.Link(from, to); err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // read only
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, datadir.FileMode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

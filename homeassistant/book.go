package homeassistant

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"edgelens/internal/atomicfile"
)

// bookMode is that of the file: the names of devices are for this user alone.
const bookMode = 0o600

// book is what was made known, and what a user has deleted in Home Assistant. It lies in a file, so that a device that is
// forgotten while the broker is away is removed later, and a deleted one does not return.
type book struct {
	path    string
	devices map[string]*noted
	dirty   bool
}

// noted is a device in the book, by its id. Its form in the file is pinned by a golden.
type noted struct {
	// Components are those of the retained message, with their platforms.
	Components map[string]string `json:"components,omitempty"`
	// Deleted is set where a user has deleted it in Home Assistant, when it had the Mark.
	Deleted bool   `json:"deleted,omitempty"`
	Mark    string `json:"mark,omitempty"`
}

// bookFile is the file.
type bookFile struct {
	Version int               `json:"version"`
	Devices map[string]*noted `json:"devices"`
}

// bookVersion is that of the file's form.
const bookVersion = 1

// loadBook reads the book; one that does not exist is empty. With an error it is empty, too: the file is damaged, or of a
// newer version.
func loadBook(path string) (*book, error) {
	b := &book{path: path, devices: map[string]*noted{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	var file bookFile
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err == nil && file.Version != bookVersion {
		err = fmt.Errorf("its version is %d, and not %d", file.Version, bookVersion)
	}
	if err != nil {
		return b, fmt.Errorf("read what Home Assistant knows from %s: %w", path, err)
	}
	for id, device := range file.Devices {
		if device != nil {
			b.devices[id] = device
		}
	}
	return b, nil
}

// save writes the book if it has changed; an empty one is removed.
func (b *book) save() error {
	if !b.dirty {
		return nil
	}
	if len(b.devices) == 0 {
		if err := os.Remove(b.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what Home Assistant knows: %w", err)
		}
		b.dirty = false
		return nil
	}
	text, err := json.MarshalIndent(bookFile{bookVersion, b.devices}, "", " ")
	if err == nil {
		err = atomicfile.Write(b.path, append(text, '\n'), bookMode)
	}
	if err != nil {
		return fmt.Errorf("keep what Home Assistant knows: %w", err)
	}
	b.dirty = false
	return nil
}

// announced notes what was made known of a device.
func (b *book) announced(id string, components map[string]string) {
	if known := b.devices[id]; known != nil && !known.Deleted && maps.Equal(known.Components, components) {
		return
	}
	b.devices[id], b.dirty = &noted{Components: components}, true
}

// components returns those that were made known of a device.
func (b *book) components(id string) map[string]string {
	if known := b.devices[id]; known != nil {
		return known.Components
	}
	return nil
}

// delete notes that a user has deleted a device that has the mark.
func (b *book) delete(id, mark string) {
	b.devices[id], b.dirty = &noted{Deleted: true, Mark: mark}, true
}

// deleted reports whether a user has deleted a device.
func (b *book) deleted(id string) bool {
	known := b.devices[id]
	return known != nil && known.Deleted
}

// hides reports whether a user has deleted a device, and it has the same mark since. One that was deleted before it
// was known in this run gets its mark now.
func (b *book) hides(id, mark string) bool {
	if !b.deleted(id) {
		return false
	}
	known := b.devices[id]
	if known.Mark == "" {
		known.Mark, b.dirty = mark, true
	}
	return known.Mark == mark
}

// unhide ends the deletion of a device by a user.
func (b *book) unhide(id string) {
	if b.deleted(id) {
		b.forget(id)
	}
}

// forget removes a device.
func (b *book) forget(id string) {
	if _, known := b.devices[id]; known {
		delete(b.devices, id)
		b.dirty = true
	}
}

// ids returns the ids of all devices, in order.
func (b *book) ids() []string { return slices.Sorted(maps.Keys(b.devices)) }

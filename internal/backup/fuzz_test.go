package backup_test

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"testing"

	"edgelens"
	"edgelens/internal/backup"
)

var nameForm = regexp.MustCompile(`^(node|session\.key|ledger\.db|SHA256SUMS|heads/[A-Za-z0-9][A-Za-z0-9._-]*/([0-9]+|live)\.json|(tls|identity)/[A-Za-z0-9_][A-Za-z0-9._-]*|images/[0-9a-f-]{36})$`)

// FuzzRead: whatever a file has, reading it ends, with names inside the data folder, no more content than the manifest
// promises, and errors that are sentences.
func FuzzRead(f *testing.F) {
	whole := write(f, source(f, map[int]string{0: "first", 1: "second"}))
	f.Add(whole)
	f.Add(whole[:3000])
	f.Add(renamed(bytes.Clone(whole), "images/"+jobID(1), "images/"+jobID(7)))
	f.Add([]byte("text"))
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		m, entries, _, err := read(context.Background(), folder, content)
		if err != nil && !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%v", err)
		}
		var sum int64
		for name, content := range entries {
			if !nameForm.MatchString(name) {
				t.Errorf("the name %q", name)
			}
			sum += int64(len(content))
		}
		if sum > m.Bytes() {
			t.Errorf("%d bytes, and the manifest has %d", sum, m.Bytes())
		}
		if err == nil && entries[backup.DatabaseName] == "" && m.Parts[len(m.Parts)-2].Bytes > 0 {
			t.Error("no database")
		}
	})
}

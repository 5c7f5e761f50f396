package backup_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/backup"
)

func sumOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// jobID is the id of job number n.
func jobID(n int) string { return fmt.Sprintf("019d0000-0000-7000-8000-%012d", n) }

// source has a database, a node, and images by number, as files.
func source(t testing.TB, images map[int]string) backup.Source {
	t.Helper()
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for n, content := range images {
		write(jobID(n), content)
	}
	return backup.Source{
		Manifest: backup.Manifest{Version: "v1", Schema: 14, TakenAt: time.Date(2026, 11, 30, 6, 0, 0, 0, time.UTC), Node: "abc", Counts: backup.Counts{Jobs: 3}},
		Files:    []backup.File{{Name: backup.NodeName, Path: write("node", "abc\n")}, {Name: "heads/gate/0001.json", Path: write("0001.json", "head")}, {Name: backup.DatabaseName, Path: write("ledger.db", strings.Repeat("rows ", 1000))}},
		Folder:   folder,
		Images: func(_ context.Context, do func(backup.Image) error) error {
			for n := range len(images) {
				if err := do(backup.Image{Job: jobID(n), SHA256: sumOf(images[n]), Bytes: int64(len(images[n])), Seq: int64(n)}); err != nil {
					return err
				}
			}
			return nil
		},
		Open:   func(image backup.Image) (*os.File, error) { return os.Open(filepath.Join(folder, image.Job)) },
		Copied: func(backup.Image) {},
		Pace:   backup.FullSpeed,
	}
}

func write(t testing.TB, s backup.Source) []byte {
	t.Helper()
	plan, err := backup.NewPlan(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := plan.Write(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read reads a backup to its end.
func read(ctx context.Context, folder string, content []byte) (m backup.Manifest, entries map[string]string, damage backup.Damage, err error) {
	reader, err := backup.NewReader(ctx, bytes.NewReader(content), folder)
	if err != nil {
		return m, nil, damage, err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	entries = map[string]string{}
	for {
		entry, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return reader.Manifest(), entries, reader.Damage(), nil
		}
		if err != nil {
			return reader.Manifest(), entries, reader.Damage(), err
		}
		content, err := io.ReadAll(entry)
		if err != nil {
			return reader.Manifest(), entries, reader.Damage(), err
		}
		entries[entry.Name] = string(content)
	}
}

func TestWrittenBackupIsRead(t *testing.T) {
	s := source(t, map[int]string{0: "first", 1: "second", 2: "third"})
	content := write(t, s)
	m, entries, damage, err := read(t.Context(), t.TempDir(), content)
	if err != nil {
		t.Fatal(err)
	}
	if damage.Images != 0 || m.Counts.Images != 3 || m.Counts.ImageBytes != 16 || m.Counts.Jobs != 3 || m.Node != "abc" || !m.TakenAt.Equal(s.Manifest.TakenAt) {
		t.Errorf("%+v, %+v", m, damage)
	}
	sums := entries[backup.SumsName]
	delete(entries, backup.SumsName)
	want := map[string]string{
		"node": "abc\n", "heads/gate/0001.json": "head", "ledger.db": strings.Repeat("rows ", 1000),
		"images/" + jobID(0): "first", "images/" + jobID(1): "second", "images/" + jobID(2): "third",
	}
	if !reflect.DeepEqual(entries, want) {
		t.Errorf("%v", entries)
	}
	// The sums are those that sha256sum -c takes.
	for name, content := range want {
		if !strings.Contains(sums, sumOf(content)+"  "+name+"\n") {
			t.Errorf("%s is not in\n%s", name, sums)
		}
	}
}

// Images that the disk has lost, or has damaged, are reported; everything else is there.
func TestLostAndDamagedImages(t *testing.T) {
	s := source(t, map[int]string{0: "first", 1: "second", 2: "third"})
	if err := errors.Join(os.Remove(filepath.Join(s.Folder, jobID(0))), os.WriteFile(filepath.Join(s.Folder, jobID(2)), []byte("THIRD"), 0o600)); err != nil {
		t.Fatal(err)
	}
	m, entries, damage, err := read(t.Context(), t.TempDir(), write(t, s))
	if err != nil || m.Counts.ImagesMissing != 1 || m.Counts.Images != 2 || damage != (backup.Damage{Images: 1, First: jobID(2)}) || entries["images/"+jobID(1)] != "second" {
		t.Errorf("%+v, %+v, %v", m.Counts, damage, err)
	}
}

// Every backup that is cut off, wherever that is, is refused, and so is one with any other byte.
func TestCutOffAndChangedBackupsAreRefused(t *testing.T) {
	content := write(t, source(t, map[int]string{0: "first", 1: "second"}))
	folder := t.TempDir()
	end := len(bytes.TrimRight(content, "\x00"))
	for n := 0; n < end; n += 97 {
		if _, _, _, err := read(t.Context(), folder, content[:n]); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("cut off at %d: %v", n, err)
		}
	}
	for n := 0; n < end; n += 41 {
		changed := bytes.Clone(content)
		changed[n] ^= 0x15
		m, entries, damage, err := read(t.Context(), folder, changed)
		switch {
		case err != nil && !errors.Is(err, edgelens.ErrInvalid):
			t.Errorf("byte %d changed: %v", n, err)
		case err == nil && damage.Images == 0 && entries[backup.DatabaseName] != strings.Repeat("rows ", 1000):
			t.Errorf("byte %d changed: the database is another one, of %+v", n, m)
		}
	}
}

// hostile returns a tar file of entries, with a manifest of the parts.
func hostile(t testing.TB, manifest string, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range append([]tar.Header{{Name: backup.ManifestName, Typeflag: tar.TypeReg, Size: int64(len(manifest))}}, headers...) {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		body := strings.Repeat("x", int(min(h.Size, 100)))
		if h.Name == backup.ManifestName {
			body = manifest
		}
		if h.Typeflag == tar.TypeReg {
			_, _ = io.WriteString(w, body) // a larger size than there is content
		}
	}
	_ = w.Close() // as above
	return out.Bytes()
}

func TestHostileBackupsAreRefused(t *testing.T) {
	sum := strings.Repeat("0", 64)
	part := func(name string, bytes int64) string {
		return fmt.Sprintf(`{"name":%q,"bytes":%d,"sha256":%q}`, name, bytes, sum)
	}
	manifest := func(format int, parts ...string) string {
		return fmt.Sprintf(`{"format":%d,"schema":14,"taken_at":"2026-11-30T06:00:00Z","parts":[%s]}`, format, strings.Join(parts, ","))
	}
	usual := manifest(1, part("ledger.db", 10), part("SHA256SUMS", 10))
	regular := func(name string, size int64) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeReg, Size: size}
	}
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"nothing":           {nil, "it is empty"},
		"text":              {[]byte(strings.Repeat("text ", 300)), "no tar file"},
		"another tar file":  {tarOf(t, regular("holiday.jpg", 3)), "manifest.json"},
		"no JSON":           {hostile(t, "manifest"), "no manifest"},
		"a later format":    {hostile(t, manifest(3)), "format 3"},
		"format zero":       {hostile(t, manifest(0)), "format 0"},
		"a large manifest":  {hostile(t, `{"format":1,"node":"`+strings.Repeat("a", 1<<20)+`"}`), "more than"},
		"no database":       {hostile(t, manifest(1, part("SHA256SUMS", 1))), "does not end with"},
		"a path outside":    {hostile(t, manifest(1, part("../../etc/passwd", 1), part("ledger.db", 1), part("SHA256SUMS", 1))), "which no backup has"},
		"a deep TLS path":   {hostile(t, manifest(1, part("tls/../x", 1), part("ledger.db", 1), part("SHA256SUMS", 1))), "which no backup has"},
		"a hidden TLS file": {hostile(t, manifest(1, part("tls/.x", 1), part("ledger.db", 1), part("SHA256SUMS", 1))), "which no backup has"},
		"a head outside":    {hostile(t, manifest(2, part("heads/../0001.json", 1), part("ledger.db", 1), part("SHA256SUMS", 1))), "which no backup has"},
		"a head too deep":   {hostile(t, manifest(2, part("heads/a/b/0001.json", 1), part("ledger.db", 1), part("SHA256SUMS", 1))), "which no backup has"},
		"no file of a head": {hostile(t, manifest(2, part("heads/gate/notes", 1), part("ledger.db", 1), part("SHA256SUMS", 1))), "which no backup has"},
		"a huge head":       {hostile(t, manifest(2, part("heads/gate/0001.json", 1<<30), part("ledger.db", 1), part("SHA256SUMS", 1))), "bytes"},
		"twice":             {hostile(t, manifest(1, part("node", 1), part("node", 1), part("ledger.db", 1), part("SHA256SUMS", 1))), "twice"},
		"a huge node":       {hostile(t, manifest(1, part("node", 1<<40), part("ledger.db", 1), part("SHA256SUMS", 1))), "bytes"},
		"sizes that wrap":   {hostile(t, manifest(1, part("ledger.db", 1<<62), part("SHA256SUMS", 1<<62))), "sizes that no file has"},
		"another size":      {hostile(t, usual, regular("ledger.db", 1<<32)), "follows with"},
		"another order":     {hostile(t, usual, regular("SHA256SUMS", 10)), "follows with"},
		"another sum":       {hostile(t, usual, regular("ledger.db", 10)), "damaged"},
		"a link":            {hostile(t, usual, tar.Header{Name: "ledger.db", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}), "no regular file"},
		"a hard link":       {hostile(t, usual, tar.Header{Name: "ledger.db", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}), "no regular file"},
		"a device":          {hostile(t, usual, tar.Header{Name: "ledger.db", Typeflag: tar.TypeBlock}), "no regular file"},
		"a folder":          {hostile(t, usual, tar.Header{Name: "ledger.db/", Typeflag: tar.TypeDir}), "no regular file"},
		"an attribute":      {hostile(t, usual, tar.Header{Name: "ledger.db", Typeflag: tar.TypeReg, Size: 10, PAXRecords: map[string]string{"EDGE.x": "y"}}), "attribute"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			_, _, _, err := read(t.Context(), folder, test.content)
			if !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}

func tarOf(t testing.TB, header tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	if err := w.WriteHeader(&header); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, strings.Repeat("x", int(header.Size)))
	return out.Bytes()
}

// Images that are not in the sums, or more than the manifest has, are refused.
func TestForeignImagesAreRefused(t *testing.T) {
	content := write(t, source(t, map[int]string{0: "first", 1: "second"}))
	for name, change := range map[string]func([]byte) []byte{
		"another job": func(b []byte) []byte {
			// The last entry's header: its name, and the checksum.
			return renamed(b, "images/"+jobID(1), "images/"+jobID(7))
		},
		"a path outside": func(b []byte) []byte {
			return renamed(b, "images/"+jobID(1), "images/../../../../../../../etc/passwd-----")
		},
	} {
		changed := change(bytes.Clone(content))
		if _, _, _, err := read(t.Context(), t.TempDir(), changed); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// renamed renames an entry, and corrects the checksum of its header.
func renamed(b []byte, from, to string) []byte {
	at := bytes.LastIndex(b, []byte(from))
	copy(b[at:at+len(from)], to)
	header := b[at : at+512]
	copy(header[148:156], "        ")
	sum := 0
	for _, c := range header {
		sum += int(c)
	}
	copy(header[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

func TestCanceledBackup(t *testing.T) {
	s := source(t, map[int]string{0: strings.Repeat("image", 1000)})
	plan, err := backup.NewPlan(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := plan.Write(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestCreateFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a.tar")
	content := func(text string, err error) func(*os.File) error {
		return func(f *os.File) error {
			_, written := f.WriteString(text)
			return errors.Join(written, err)
		}
	}
	if err := backup.Create(path, false, content("first", nil)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	for name, test := range map[string]struct {
		path string
		err  error
		want error
		text string
	}{
		"it is there": {path, nil, edgelens.ErrConflict, "--replace"},
		"no folder":   {filepath.Join(folder, "none", "a.tar"), nil, edgelens.ErrInvalid, "make it first"},
		"canceled":    {filepath.Join(folder, "b.tar"), context.Canceled, edgelens.ErrCanceled, "nothing was written"},
		"full":        {filepath.Join(folder, "b.tar"), fullDisk(t), edgelens.ErrDiskFull, "no room"},
	} {
		if err := backup.Create(test.path, false, content("second", test.err)); !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := backup.Create(path, true, content("third", nil)); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "third" {
		t.Errorf("%s, %v", text, err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

// fullDisk is the error of a write to a full disk.
func fullDisk(t *testing.T) error {
	t.Helper()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full")
	}
	defer f.Close() // nothing was written
	_, err = f.WriteString("x")
	return err
}

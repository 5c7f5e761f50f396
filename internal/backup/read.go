package backup

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
)

// Entry is a file of a backup. Its Reader ends with an error where its content is not what the backup promises.
type Entry struct {
	io.Reader
	// Name is that in the backup, and Job the id of an image's job; "" for parts.
	Name, Job string
	Bytes     int64
}

// Damage is what is wrong with the images of a backup, which can be used nevertheless.
type Damage struct {
	// Images are those whose content is not what was accepted: they were damaged before the backup was taken.
	Images int64
	// First is the id of the job of one of them.
	First string
}

// Reader reads a backup in one pass. It is for one goroutine; Close must be called.
type Reader struct {
	ctx      context.Context
	archive  *tar.Reader
	manifest Manifest
	// sums has the lines of SHA256SUMS once that was read.
	sums     *os.File
	expected *bufio.Scanner
	// next is the number of the next part; images and bytes are those read so far.
	next          int
	images, bytes int64
	current       *checked
	damage        Damage
}

// NewReader reads the manifest. folder is for a temporary file. Its error is an edgelens.ErrInvalid for what is no backup,
// or one of a later format.
func NewReader(ctx context.Context, r io.Reader, folder string) (*Reader, error) {
	reader := &Reader{ctx: ctx, archive: tar.NewReader(&pacedReader{ctx: ctx, r: r, pace: FullSpeed})}
	header, err := reader.header()
	if err != nil {
		return nil, notBackup(err)
	}
	if header.Name != ManifestName {
		return nil, invalid("it begins with %q, and not with %s", clip(header.Name), ManifestName)
	}
	if reader.manifest, err = readManifest(reader.archive); err != nil {
		return nil, unreadable(err)
	}
	if reader.sums, err = os.CreateTemp(folder, ".sums-"); err != nil {
		return nil, fmt.Errorf("read the backup: %w", err)
	}
	if err := os.Remove(reader.sums.Name()); err != nil { // it goes with its last use
		return nil, errors.Join(err, reader.Close())
	}
	return reader, nil
}

// notBackup explains the error of the first header.
func notBackup(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return invalid("it is empty")
	case errors.Is(err, tar.ErrHeader):
		return invalid("it is no tar file; it may be compressed")
	}
	return unreadable(err)
}

// Manifest returns the manifest.
func (r *Reader) Manifest() Manifest { return r.manifest }

// Damage returns what was found so far.
func (r *Reader) Damage() Damage { return r.damage }

// Close frees what the Reader has.
func (r *Reader) Close() error { return r.sums.Close() }

// header returns the next header, of a regular file.
func (r *Reader) header() (*tar.Header, error) {
	header, err := r.archive.Next()
	if err != nil {
		return nil, err
	}
	if header.Typeflag != tar.TypeReg {
		return nil, invalid("%q is no regular file", clip(header.Name))
	}
	for name := range header.PAXRecords {
		if name != "size" { // of files over 8 GiB
			return nil, invalid("%q has the attribute %q, which no backup has", clip(header.Name), clip(name))
		}
	}
	return header, nil
}

// Next returns the next entry, after the manifest, and io.EOF once everything that the manifest promises was read and was
// right. The entry before it is read to its end.
func (r *Reader) Next() (Entry, error) {
	if r.current != nil {
		if _, err := io.Copy(io.Discard, r.current); err != nil {
			return Entry{}, err
		}
		r.current = nil
	}
	header, err := r.header()
	switch {
	case errors.Is(err, io.EOF):
		if r.next < len(r.manifest.Parts) || r.images != r.manifest.Counts.Images || r.bytes != r.manifest.Counts.ImageBytes {
			return Entry{}, unreadable(err)
		}
		return Entry{}, io.EOF
	case err != nil:
		return Entry{}, unreadable(err)
	case r.next < len(r.manifest.Parts):
		return r.part(header)
	}
	return r.image(header)
}

func (r *Reader) part(header *tar.Header) (Entry, error) {
	part := r.manifest.Parts[r.next]
	if header.Name != part.Name || header.Size != part.Bytes {
		return Entry{}, invalid("%q follows with %d bytes, and not %q with %d", clip(header.Name), header.Size, part.Name, part.Bytes)
	}
	r.next++
	var from io.Reader = r.archive
	if part.Name == SumsName {
		from = io.TeeReader(from, r.sums)
	}
	r.current = &checked{r: from, left: part.Bytes, hash: sha256.New(), want: part.SHA256, wrong: func() error {
		return invalid("%s is damaged: its SHA-256 is not that of %s", part.Name, ManifestName)
	}}
	return Entry{Reader: r.current, Name: part.Name, Bytes: part.Bytes}, nil
}

func (r *Reader) image(header *tar.Header) (Entry, error) {
	if !imagePattern.MatchString(header.Name) {
		return Entry{}, invalid("it has %q, which no backup has", clip(header.Name))
	}
	sum, err := r.expect(header.Name)
	if err != nil {
		return Entry{}, err
	}
	r.images++
	r.bytes += header.Size
	if header.Size < 0 || r.images > r.manifest.Counts.Images || r.bytes > r.manifest.Counts.ImageBytes {
		return Entry{}, invalid("it has more images than %s lists", ManifestName)
	}
	job := strings.TrimPrefix(header.Name, imagesPrefix)
	r.current = &checked{r: r.archive, left: header.Size, hash: sha256.New(), want: sum, wrong: func() error {
		r.damage.Images++
		r.damage.First = job
		return nil
	}}
	return Entry{Reader: r.current, Name: header.Name, Job: job, Bytes: header.Size}, nil
}

// expect returns the sum of an image, which is the next in SHA256SUMS.
func (r *Reader) expect(name string) (string, error) {
	if r.expected == nil {
		if _, err := r.sums.Seek(0, io.SeekStart); err != nil {
			return "", err
		}
		r.expected = bufio.NewScanner(r.sums)
		r.expected.Buffer(make([]byte, maxSumLine), maxSumLine)
	}
	for r.expected.Scan() {
		sum, of, ok := strings.Cut(r.expected.Text(), "  ")
		switch {
		case !ok || !sumPattern.MatchString(sum):
			return "", invalid("%s has the line %q", SumsName, clip(r.expected.Text()))
		case of == name:
			return sum, nil
		case strings.HasPrefix(of, imagesPrefix):
			return "", invalid("%s follows, and not %s, as %s has it", name, clip(of), SumsName)
		}
	}
	if err := r.expected.Err(); err != nil && !errors.Is(err, bufio.ErrTooLong) {
		return "", err
	}
	return "", invalid("%s is not in %s", name, SumsName)
}

// checked reads an entry, and compares its sum at its end.
type checked struct {
	r     io.Reader
	left  int64
	hash  hash.Hash
	want  string
	wrong func() error
	err   error
}

// Read implements io.Reader.
func (c *checked) Read(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(b)
	c.hash.Write(b[:n])
	c.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF) && c.left == 0:
		if c.err = io.EOF; hex.EncodeToString(c.hash.Sum(nil)) != c.want {
			if wrong := c.wrong(); wrong != nil {
				c.err = wrong
			}
		}
		return n, c.err
	case err != nil:
		c.err = unreadable(err)
	}
	return n, c.err
}

package backup

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"edgelens"
)

// File is a file that becomes a part.
type File struct {
	// Name is that of the part, Path that of the file.
	Name, Path string
}

// Image is an image that the database refers to.
type Image struct {
	// Job is the id of its job, SHA256 and Bytes are those that the database has, and Seq is the source's own.
	Job, SHA256 string
	Bytes, Seq  int64
}

// Source is what a backup is written from. Its files must not change meanwhile.
type Source struct {
	// Manifest has what is known before: all but Format, Parts and the counts of images.
	Manifest Manifest
	// Files are the parts, in order, with the database last.
	Files []File
	// Folder is for a temporary file.
	Folder string
	// Images calls do for each image, in the same order each time.
	Images func(ctx context.Context, do func(Image) error) error
	// Open opens the file of an image, which may be missing or have another size.
	Open func(Image) (*os.File, error)
	// Copied is called once an image was written.
	Copied func(Image)
	// Pace is called after steps of the work with their duration, to leave time for other work.
	Pace func(worked time.Duration)
}

// Plan is a Source whose parts are known: it can be written.
type Plan struct {
	source   Source
	manifest Manifest
	sums     string // the file
}

// NewPlan computes the sizes and sums of the parts, and finds out which images are there.
func NewPlan(ctx context.Context, s Source) (*Plan, error) {
	p := &Plan{source: s, manifest: s.Manifest, sums: filepath.Join(s.Folder, SumsName)}
	p.manifest.Format = Format
	var err error
	for _, file := range s.Files {
		part := Part{Name: file.Name}
		if part.Bytes, part.SHA256, err = p.sumOf(ctx, file.Path); err != nil {
			return nil, err
		}
		p.manifest.Parts = append(p.manifest.Parts, part)
	}
	if err := p.writeSums(ctx); err != nil {
		return nil, err
	}
	sums := Part{Name: SumsName}
	if sums.Bytes, sums.SHA256, err = p.sumOf(ctx, p.sums); err != nil {
		return nil, err
	}
	p.manifest.Parts = append(p.manifest.Parts, sums)
	return p, p.manifest.check()
}

// Manifest returns the manifest.
func (p *Plan) Manifest() Manifest { return p.manifest }

func (p *Plan) sumOf(ctx context.Context, path string) (bytes int64, sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close() // read only
	hash := sha256.New()
	bytes, err = io.Copy(hash, &pacedReader{ctx: ctx, r: f, pace: p.source.Pace})
	return bytes, hex.EncodeToString(hash.Sum(nil)), err
}

// writeSums writes SHA256SUMS, and counts the images.
func (p *Plan) writeSums(ctx context.Context) (err error) {
	f, err := os.OpenFile(p.sums, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	for _, part := range p.manifest.Parts {
		fmt.Fprintf(w, "%s  %s\n", part.SHA256, part.Name) // Flush returns the error
	}
	counts := &p.manifest.Counts
	counts.Images, counts.ImageBytes, counts.ImagesMissing = 0, 0, 0
	err = p.source.Images(ctx, func(image Image) error {
		if !p.isThere(image) {
			counts.ImagesMissing++
			return nil
		}
		counts.Images++
		counts.ImageBytes += image.Bytes
		_, err := fmt.Fprintf(w, "%s  %s%s\n", image.SHA256, imagesPrefix, image.Job)
		return err
	})
	return errors.Join(err, w.Flush())
}

// isThere reports whether an image can be written to the backup.
func (p *Plan) isThere(image Image) bool {
	f, err := p.source.Open(image)
	if err != nil {
		return false
	}
	defer f.Close() // read only
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular() && info.Size() == image.Bytes && imagePattern.MatchString(imagesPrefix+image.Job) && sumPattern.MatchString(image.SHA256)
}

// Write writes the backup.
func (p *Plan) Write(ctx context.Context, w io.Writer) error {
	archive := tar.NewWriter(w)
	text, err := json.MarshalIndent(p.manifest, "", "  ")
	if err != nil {
		return err
	}
	if err := p.header(archive, ManifestName, int64(len(text))); err != nil {
		return err
	}
	if _, err := archive.Write(text); err != nil {
		return err
	}
	for _, part := range p.manifest.Parts {
		if err := p.writeFile(ctx, archive, part); err != nil {
			return err
		}
	}
	written := int64(0)
	err = p.source.Images(ctx, func(image Image) error {
		if !p.isThere(image) { // as when the sums were written
			return nil
		}
		written++
		err := p.writeImage(ctx, archive, image)
		p.source.Copied(image)
		return err
	})
	if err == nil && written != p.manifest.Counts.Images {
		err = fmt.Errorf("%w: images were removed from the data folder while they were copied", edgelens.ErrStorage)
	}
	return errors.Join(err, archive.Close())
}

func (p *Plan) writeFile(ctx context.Context, archive *tar.Writer, part Part) error {
	path := p.sums
	for _, file := range p.source.Files {
		if file.Name == part.Name {
			path = file.Path
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // read only
	return p.copy(ctx, archive, part.Name, part.Bytes, f)
}

func (p *Plan) writeImage(ctx context.Context, archive *tar.Writer, image Image) error {
	f, err := p.source.Open(image)
	if err != nil {
		return err
	}
	defer f.Close() // read only
	return p.copy(ctx, archive, imagesPrefix+image.Job, image.Bytes, f)
}

// copy writes one entry, which must have exactly that size.
func (p *Plan) copy(ctx context.Context, archive *tar.Writer, name string, bytes int64, from io.Reader) error {
	if err := p.header(archive, name, bytes); err != nil {
		return err
	}
	n, err := io.Copy(archive, io.LimitReader(&pacedReader{ctx: ctx, r: from, pace: p.source.Pace}, bytes))
	if err == nil && n != bytes {
		err = fmt.Errorf("%w: %s changed while it was copied", edgelens.ErrStorage, name)
	}
	return err
}

func (p *Plan) header(archive *tar.Writer, name string, bytes int64) error {
	return archive.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: bytes, Mode: 0o600, ModTime: p.manifest.TakenAt.Truncate(time.Second),
	})
}

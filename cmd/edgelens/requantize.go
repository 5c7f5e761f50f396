package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"edgelens/models"
	"edgelens/models/rewrite"
	"edgelens/models/tflitefile"
)

// requantizer puts an int8 form in the place of legacy uint8 models when they
// are loaded. What it makes, it keeps in a folder by the original's digest, with
// the result's own in the name; a model that failed the check has a note there
// in its place. It is safe for use by many goroutines.
type requantizer struct {
	comparison
	on  bool // else it only says that it could be
	dir string
	log *slog.Logger
}

// requantizedForm changes whenever Requantize does, so that old files are not
// taken for new ones.
const requantizedForm = "v1"

// prepare returns the model to load: m, or its requantized form with the
// digest that it has. ctx ends the work.
func (r *requantizer) prepare(ctx context.Context, m models.Model) models.Model {
	original, err := readModelFile(m.Path)
	if err != nil || !original.Main().IsLegacy() {
		return m // what is wrong with it, loading will say
	}
	if !r.on {
		r.log.Info("legacy uint8 model: with inference.requantize set, an int8 form of it runs several times faster", "model", m.Name)
		return m
	}
	hexDigest := strings.TrimPrefix(m.Digest, "sha256:")
	if kept, ok := r.kept(m, hexDigest); ok {
		return kept
	}
	if reason, err := os.ReadFile(r.note(hexDigest)); err == nil {
		r.log.Warn("model stays uint8, as it was found before", "model", m.Name, "digest", m.Digest, "reason", string(reason))
		return m
	}
	made, err := r.make(ctx, m, original, hexDigest)
	if err == nil {
		return made
	}
	if ctx.Err() != nil {
		return m // told to stop
	}
	r.log.Warn("model stays uint8", "model", m.Name, "digest", m.Digest, "reason", err)
	if err := os.WriteFile(r.note(hexDigest), []byte(err.Error()), 0o600); err != nil {
		r.log.Warn("the next start checks the model again", "model", m.Name, "error", err)
	}
	return m
}

func (r *requantizer) stem(hexDigest string) string {
	return filepath.Join(r.dir, hexDigest+"."+requantizedForm)
}

func (r *requantizer) note(hexDigest string) string { return r.stem(hexDigest) + ".refused" }

// kept looks for what was made before.
func (r *requantizer) kept(m models.Model, hexDigest string) (models.Model, bool) {
	files, err := filepath.Glob(r.stem(hexDigest) + ".*.tflite")
	if err != nil {
		return m, false
	}
	for _, path := range files {
		file, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		sum := sha256.Sum256(file)
		if path != r.file(hexDigest, sum) { // damaged since
			continue
		}
		if read, err := tflitefile.Read(file); err == nil {
			return inPlaceOf(m, path, file, sum, read), true
		}
	}
	return m, false
}

func (r *requantizer) file(hexDigest string, sum [sha256.Size]byte) string {
	return r.stem(hexDigest) + "." + hex.EncodeToString(sum[:]) + ".tflite"
}

// make rewrites the model, checks it and keeps it.
func (r *requantizer) make(ctx context.Context, m models.Model, original *tflitefile.Model, hexDigest string) (models.Model, error) {
	rewritten, err := rewrite.Requantize(original)
	if err != nil {
		return m, err
	}
	file, err := rewritten.Write()
	if err != nil {
		return m, err
	}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return m, err
	}
	sum := sha256.Sum256(file)
	path := r.file(hexDigest, sum)
	err = placeFile(path, file, func(temporary string) error {
		agreement, err := r.compare(ctx, m.Path, temporary)
		if err == nil {
			r.log.Info("model requantized to int8", "model", m.Name, "from", m.Digest, "check", agreementText(agreement))
		}
		return err
	})
	if err != nil {
		return m, err
	}
	return inPlaceOf(m, path, file, sum, rewritten), nil
}

// inPlaceOf is what is loaded for m, and says so.
func inPlaceOf(m models.Model, path string, file []byte, sum [sha256.Size]byte, read *tflitefile.Model) models.Model {
	m.RequantizedFrom = m.Digest
	m.Path, m.Digest, m.FileBytes, m.Facts = path, "sha256:"+hex.EncodeToString(sum[:]), int64(len(file)), read.Facts()
	return m
}

// placeFile writes a file beside its place, lets check look at it, and moves it
// there. What fails leaves nothing behind.
func placeFile(path string, data []byte, check func(temporary string) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*.tflite")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil { // readable by others, as models are
		return err
	}
	if err = check(f.Name()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

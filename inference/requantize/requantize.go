// Package requantize puts int8 variants in place of legacy uint8 models, for which XNNPACK
// takes up to twice as long, and checks that a rewritten model gives the same results.
package requantize

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"edgelens/internal/atomicfile"
	"edgelens/models"
	"edgelens/models/rewrite"
	"edgelens/models/tflitefile"
)

// Config configures a Preparer.
type Config struct {
	// Enabled requantizes models; else the log names those that could be.
	Enabled bool
	// Dir stores the variants, by the original's digest and their own. A model that failed
	// the comparison has a note there instead.
	Dir string
	// Runtime names the runtimes with their versions: a failed comparison is repeated with
	// others.
	Runtime    string
	Comparison Comparison
	Log        *slog.Logger
}

// Preparer replaces legacy uint8 models by their int8 variants when they are loaded. It
// is safe for concurrent use.
type Preparer struct {
	config Config
	log    *slog.Logger
}

// NewPreparer returns a Preparer.
func NewPreparer(config Config) *Preparer { return &Preparer{config, config.Log} }

// variantVersion changes whenever rewrite.Requantize does, so that old files are not
// taken for new ones.
const variantVersion = "v1"

// Prepare returns the model to load: m, or its int8 variant with the variant's digest.
// ctx ends the work.
func (p *Preparer) Prepare(ctx context.Context, m models.Model) models.Model {
	original, err := models.ReadFile(m.Path)
	if err != nil || !original.Main().IsLegacy() {
		return m // loading reports the error
	}
	if !p.config.Enabled {
		p.log.Info("legacy uint8 model: with inference.requantize set, an int8 variant of it runs up to twice as fast", "model", m.Name)
		return m
	}
	hexDigest := strings.TrimPrefix(m.Digest, "sha256:")
	if kept, ok := p.kept(m, hexDigest); ok {
		return kept
	}
	if reason, err := os.ReadFile(p.note(hexDigest)); err == nil {
		p.log.Warn("model stays uint8: an earlier check failed", "model", m.Name, "digest", m.Digest, "reason", string(reason))
		return m
	}
	made, err := p.make(ctx, m, original, hexDigest)
	if err == nil {
		return made
	}
	if ctx.Err() != nil {
		return m
	}
	p.log.Warn("model stays uint8", "model", m.Name, "digest", m.Digest, "reason", err)
	if err := atomicfile.Write(p.note(hexDigest), []byte(err.Error()), 0o600); err != nil {
		p.log.Warn("storing the failed check failed; the next start repeats it", "model", m.Name, "error", err)
	}
	return m
}

func (p *Preparer) stem(hexDigest string) string {
	return filepath.Join(p.config.Dir, hexDigest+"."+variantVersion)
}

func (p *Preparer) note(hexDigest string) string {
	return p.stem(hexDigest) + "." + strings.NewReplacer(", ", "+", " ", "-").Replace(p.config.Runtime) + ".refused"
}

// kept returns the variant that was stored before, if there is one.
func (p *Preparer) kept(m models.Model, hexDigest string) (models.Model, bool) {
	files, err := filepath.Glob(p.stem(hexDigest) + ".*.tflite")
	if err != nil {
		return m, false
	}
	for _, path := range files {
		file, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		sum := sha256.Sum256(file)
		if path != p.file(hexDigest, sum) { // damaged since
			continue
		}
		if read, err := tflitefile.Read(file); err == nil {
			return inPlaceOf(m, path, file, sum, read), true
		}
	}
	return m, false
}

func (p *Preparer) file(hexDigest string, sum [sha256.Size]byte) string {
	return p.stem(hexDigest) + "." + hex.EncodeToString(sum[:]) + ".tflite"
}

// make rewrites the model, checks it and stores it.
func (p *Preparer) make(ctx context.Context, m models.Model, original *tflitefile.Model, hexDigest string) (models.Model, error) {
	rewritten, err := rewrite.Requantize(original)
	if err != nil {
		return m, err
	}
	file, err := rewritten.Write()
	if err != nil {
		return m, err
	}
	if err := atomicfile.MakeFolder(p.config.Dir, 0o700); err != nil {
		return m, err
	}
	sum := sha256.Sum256(file)
	path := p.file(hexDigest, sum)
	err = atomicfile.WriteChecked(path, file, 0o644, func(temporary string) error {
		agreement, err := p.config.Comparison.Compare(ctx, m.Task, m.Path, temporary)
		if err == nil {
			p.log.Info("model requantized to int8", "model", m.Name, "from", m.Digest, "check", agreement)
		}
		return err
	})
	if err != nil {
		return m, err
	}
	return inPlaceOf(m, path, file, sum, rewritten), nil
}

// inPlaceOf returns the variant as the model to load in place of m.
func inPlaceOf(m models.Model, path string, file []byte, sum [sha256.Size]byte, read *tflitefile.Model) models.Model {
	m.RequantizedFrom = m.Digest
	m.Path, m.Digest, m.FileBytes, m.Facts = path, "sha256:"+hex.EncodeToString(sum[:]), int64(len(file)), read.Facts()
	return m
}

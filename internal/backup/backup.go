// Package backup writes and reads backups: tar files (POSIX ustar) of a manifest, the database, small files of the data
// folder, and the images. A backup is read in one pass, with constant memory, and nothing in it is trusted.
//
//	manifest.json    what follows: names, sizes, SHA-256
//	heads/NAME/...   versions of heads, and which is live
//	node             the node's name          (with the identity alone)
//	session.key      the secret of sessions   (with secrets alone)
//	tls/...          certificates and keys    (with secrets alone)
//	identity/...     those of the authority   (with secrets alone)
//	ledger.db        the SQLite database
//	SHA256SUMS       for sha256sum -c: those before it, but for the manifest, and the images
//	images/ID        the image of each job that has one, in the order of SHA256SUMS
//
// docs/adr/0043-backups.md has the reasons.
package backup

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"time"

	"edgelens"
)

// Format is the version of the form that this program writes. It reads the earlier ones, too: 1 has no heads.
const Format = 2

const (
	// ManifestName, DatabaseName and SumsName are the names in a backup of what each has.
	ManifestName = "manifest.json"
	DatabaseName = "ledger.db"
	SumsName     = "SHA256SUMS"
	// imagesPrefix precedes the name of an image, which is the id of its job.
	imagesPrefix = "images/"
)

const (
	// maxManifest bounds the manifest, maxHead a file below HeadsFolder, and maxSmall the other files that are neither
	// database, sums nor image.
	maxManifest, maxHead, maxSmall = 1 << 20, 80 << 20, 1 << 20
	// maxParts bounds the parts of a manifest: the files of 100 heads with all their versions, and 200 others.
	maxParts = 1400
	// maxSumLine bounds a line of SHA256SUMS.
	maxSumLine = 200
)

// NodeName and SessionName are files of the data folder that a backup may have; those below TLSFolder and IdentityFolder
// are others.
const (
	NodeName    = "node"
	SessionName = "session.key"
	TLSFolder   = "tls"
	// IdentityFolder has the authority and this node's certificate.
	IdentityFolder = "identity"
	// HeadsFolder has a folder for each head.
	HeadsFolder = "heads"
)

// Manifest describes a backup.
type Manifest struct {
	// Format is that of the file, Version the edgelens that wrote it, and Schema the version of the database's schema.
	Format  int    `json:"format"`
	Version string `json:"edgelens"`
	Schema  int64  `json:"schema"`
	// TakenAt is the moment as of which the contents are, and Node the node's name.
	TakenAt time.Time `json:"taken_at"`
	Node    string    `json:"node"`
	// Secrets reports that the keys of clients are in the database.
	Secrets bool   `json:"secrets"`
	Counts  Counts `json:"counts"`
	// Parts are the files before the images, in order.
	Parts []Part `json:"parts"`
}

// Counts are what a backup has. ImagesMissing are those that the database refers to, and whose files were lost before.
type Counts struct {
	Jobs           int64 `json:"jobs"`
	UnfinishedJobs int64 `json:"unfinished_jobs"`
	Results        int64 `json:"results"`
	Records        int64 `json:"records"`
	Devices        int64 `json:"devices"`
	Undelivered    int64 `json:"undelivered_events"`
	Examples       int64 `json:"examples"`
	// Heads are the versions of heads; HeadsDamaged are the files of heads that could not be used, and are left out.
	Heads         int64 `json:"heads"`
	HeadsDamaged  int64 `json:"heads_damaged"`
	Images        int64 `json:"images"`
	ImageBytes    int64 `json:"image_bytes"`
	ImagesMissing int64 `json:"images_missing"`
}

// Part is a file in a backup.
type Part struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Bytes is the size of everything in a backup, but for the headers.
func (m *Manifest) Bytes() (sum int64) {
	for _, part := range m.Parts {
		sum += part.Bytes
	}
	return sum + m.Counts.ImageBytes
}

// Has reports whether a backup has a part, or a part in that folder.
func (m *Manifest) Has(name string) bool {
	for _, part := range m.Parts {
		if part.Name == name || strings.HasPrefix(part.Name, name+"/") {
			return true
		}
	}
	return false
}

var (
	sumPattern    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	imagePattern  = regexp.MustCompile(`^images/[0-9a-f-]{36}$`)
	folderPattern = regexp.MustCompile(`^(` + TLSFolder + `|` + IdentityFolder + `)/[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$`)
	headPattern   = regexp.MustCompile(`^` + HeadsFolder + `/[A-Za-z0-9][A-Za-z0-9._-]{0,99}/([0-9]{4,10}|live)\.json$`)
)

// isPart reports whether a part may have that name.
func isPart(name string) bool {
	switch name {
	case DatabaseName, SumsName, NodeName, SessionName:
		return true
	}
	return folderPattern.MatchString(name) || headPattern.MatchString(name)
}

// maxBytes returns how many bytes a part may have.
func maxBytes(name string) int64 {
	switch {
	case name == DatabaseName, name == SumsName:
		return math.MaxInt64
	case headPattern.MatchString(name):
		return maxHead
	}
	return maxSmall
}

// invalid is the error of a backup that cannot be read.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: the backup cannot be used: %s", edgelens.ErrInvalid, fmt.Sprintf(format, args...))
}

// readManifest reads and checks a manifest. What it promises is checked while the parts are read.
func readManifest(r io.Reader) (m Manifest, err error) {
	text, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err != nil {
		return m, err
	}
	if len(text) > maxManifest {
		return m, invalid("%s has more than %d bytes", ManifestName, maxManifest)
	}
	// The version comes first: later ones may have other members.
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return m, invalid("%s is no manifest (%v)", ManifestName, err)
	}
	if version.Format > Format {
		return m, fmt.Errorf("%w: the backup has format %d, and this program knows only %d: restore it by the edgelens that wrote it, or a later one", edgelens.ErrInvalid, version.Format, Format)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, invalid("%s is no manifest (%v)", ManifestName, err)
	}
	return m, m.check()
}

func (m *Manifest) check() error {
	switch {
	case m.Format < 1:
		return invalid("%s has the format %d", ManifestName, m.Format)
	case m.TakenAt.IsZero():
		return invalid("%s has no time", ManifestName)
	case m.Counts.Images < 0 || m.Counts.ImageBytes < 0:
		return invalid("%s has negative counts", ManifestName)
	case len(m.Parts) > maxParts:
		return invalid("%s has more than %d parts", ManifestName, maxParts)
	}
	seen := map[string]bool{}
	var sum int64
	for _, part := range m.Parts {
		switch {
		case !isPart(part.Name):
			return invalid("%s has the part %q, which no backup has", ManifestName, clip(part.Name))
		case seen[part.Name]:
			return invalid("%s has %q twice", ManifestName, part.Name)
		case !sumPattern.MatchString(part.SHA256):
			return invalid("%q has no SHA-256", part.Name)
		case part.Bytes < 0 || part.Bytes > maxBytes(part.Name):
			return invalid("%q has %d bytes", part.Name, part.Bytes)
		}
		seen[part.Name] = true
		if sum += part.Bytes; sum < 0 || sum+m.Counts.ImageBytes < 0 {
			return invalid("%s has sizes that no file has", ManifestName)
		}
	}
	if n := len(m.Parts); n < 2 || m.Parts[n-2].Name != DatabaseName || m.Parts[n-1].Name != SumsName {
		return invalid("%s does not end with %s and %s", ManifestName, DatabaseName, SumsName)
	}
	return nil
}

func clip(text string) string { return text[:min(len(text), 60)] }

// unreadable explains the error of a backup that ends too early, or of which an entry cannot be read.
func unreadable(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return invalid("it ends in the middle: it was not written to its end, or was cut off while it was copied")
	case errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong):
		return invalid("it is damaged: the header of an entry cannot be read")
	}
	return err
}

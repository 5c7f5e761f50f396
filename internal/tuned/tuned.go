// Package tuned stores the settings that `edgelens bench tune` found to be the best of a board, with what they were
// measured on, so that a service can compare its own with them.
package tuned

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"edgelens"
	"edgelens/internal/atomicfile"
	"edgelens/internal/datadir"
)

// FileName is the file's name in the data folder.
const FileName = "tuned.json"

// formatVersion changes whenever the format does.
const formatVersion = 1

// maxBytes bounds the file.
const maxBytes = 1 << 20

// Settings are those that are tuned, as they take effect.
type Settings struct {
	// Runtime is "auto" (TensorFlow Lite, where it has all operators) or "litert".
	Runtime      string `json:"runtime"`
	Delegate     string `json:"delegate"`
	Threads      int    `json:"threads"`
	Interpreters int    `json:"interpreters"`
	Requantize   bool   `json:"requantize"`
	// Accelerators is "gpu", or "" for the processor alone.
	Accelerators string `json:"accelerators,omitempty"`
}

// keys are the keys of the settings with their values, in order.
func (s Settings) keys() [][2]string {
	return [][2]string{
		{"runtime", s.Runtime}, {"delegate", s.Delegate}, {"threads", fmt.Sprint(s.Threads)},
		{"interpreters", fmt.Sprint(s.Interpreters)}, {"requantize", fmt.Sprint(s.Requantize)}, {"accelerators", s.Accelerators},
	}
}

// YAML returns the section of an edgelens.yaml.
func (s Settings) YAML() string {
	text := "inference:\n"
	for _, k := range s.keys() {
		text += strings.TrimRight(fmt.Sprintf("  %s: %s", k[0], k[1]), " ") + "\n"
	}
	return text
}

// Flags returns the flags of `edgelens serve`.
func (s Settings) Flags() []string {
	var flags []string
	for _, k := range s.keys() {
		flags = append(flags, "--inference-"+k[0]+"="+k[1])
	}
	return flags
}

// IsFlag reports whether a flag of `edgelens serve`, with its value, is one of Flags.
func IsFlag(flag string) bool {
	name, _, _ := strings.Cut(flag, "=")
	return slices.ContainsFunc(Settings{}.keys(), func(k [2]string) bool { return name == "--inference-"+k[0] })
}

// Differences returns the keys of the settings that differ from other's, with the values of s, for example
// "inference.threads: 2".
func (s Settings) Differences(other Settings) []string {
	var different []string
	theirs := other.keys()
	for i, k := range s.keys() {
		if k != theirs[i] {
			different = append(different, "inference."+k[0]+": "+k[1])
		}
	}
	return different
}

// Identity is what a measurement is valid for.
type Identity struct {
	Board        string   `json:"board"`
	Processor    string   `json:"processor"`
	Features     []string `json:"features"`
	Architecture string   `json:"architecture"`
	Cores        int      `json:"cores"`
	// Model is the digest of the default model's file, and Runtimes names the libraries with their versions.
	Model    string `json:"model"`
	Runtimes string `json:"runtimes"`
}

// Equal reports whether both are the same.
func (i Identity) Equal(other Identity) bool {
	features, theirs := i.Features, other.Features
	i.Features, other.Features = nil, nil
	return slices.Equal(features, theirs) && reflect.DeepEqual(i, other)
}

// Measured are settings with their score: responses a second, or minus the milliseconds of the 95th percentile, so
// that higher is better.
type Measured struct {
	Settings
	Score float64 `json:"score"`
}

// Result is the outcome of a search.
type Result struct {
	Format int       `json:"format"`
	At     time.Time `json:"at"`
	// Version is that of edgelens.
	Version string `json:"version"`
	Identity
	// Goal is "throughput" or "latency".
	Goal string `json:"goal"`
	// Best are the best settings, and Before those that the search began with.
	Best   Measured `json:"best"`
	Before Measured `json:"before"`
}

// minGain is the gain from which on settings are called better: less is noise.
const minGain = 0.03

// Gain is the share by which the best settings are better than those before: 0.1 for a tenth more responses, or a
// latency shorter by a tenth.
func (r Result) Gain() float64 {
	if r.Best.Score == r.Before.Score || r.Before.Score == 0 {
		return 0
	}
	if r.Before.Score < 0 {
		return 1 - r.Best.Score/r.Before.Score
	}
	return r.Best.Score/r.Before.Score - 1
}

// Advice returns the settings to change where s, on the machine of identity, are not the best that were measured there;
// nil where they are, where the gain is too small to be seen, and on another machine, model or runtime.
func (r Result) Advice(identity Identity, s Settings) []string {
	if !r.Equal(identity) || r.Gain() < minGain {
		return nil
	}
	return r.Best.Differences(s)
}

// Write writes the result into a data folder, which is made where there is none.
func Write(dir string, r Result) error {
	r.Format = formatVersion
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("store the tuned settings: %w", err)
	}
	if err := atomicfile.MakeFolder(dir, datadir.FolderMode); err != nil {
		return fmt.Errorf("store the tuned settings: %w", datadir.Explain(dir, err))
	}
	if err := atomicfile.Write(filepath.Join(dir, FileName), append(data, '\n'), datadir.FileMode); err != nil {
		return fmt.Errorf("store the tuned settings: %w", datadir.Explain(dir, err))
	}
	return nil
}

// Read reads the result in a data folder. The error wraps fs.ErrNotExist where there is none, and edgelens.ErrInvalid
// where the file is damaged or of another version of the format.
func Read(dir string) (Result, error) {
	path := filepath.Join(dir, FileName)
	info, err := os.Stat(path)
	if err != nil {
		return Result{}, fmt.Errorf("read the tuned settings: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxBytes {
		return Result{}, damaged("it is no regular file of at most 1 MiB")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Result{}, fmt.Errorf("read the tuned settings: %w", err)
	}
	var r Result
	if err := json.Unmarshal(data, &r); err != nil {
		return Result{}, damaged("it is no JSON of this kind")
	}
	if r.Format != formatVersion {
		return Result{}, damaged(fmt.Sprintf("its format is %d and this program reads %d", r.Format, formatVersion))
	}
	if r.Goal == "" || r.Model == "" || r.Best.Threads < 1 || r.Best.Interpreters < 1 {
		return Result{}, damaged("settings are missing in it")
	}
	return r, nil
}

func damaged(why string) error {
	return fmt.Errorf("read the tuned settings: %w: %s", edgelens.ErrInvalid, why)
}

// IsMissing reports whether an error of Read is that there is no file.
func IsMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

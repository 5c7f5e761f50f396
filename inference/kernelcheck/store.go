package kernelcheck

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"edgelens"
	"edgelens/inference"
	"edgelens/internal/atomicfile"
)

// key is everything that a verdict depends on.
type key struct {
	Version     int    `json:"version"`
	Model       string `json:"model"`
	Runtime     string `json:"runtime"`
	Library     string `json:"library"`
	Delegate    string `json:"delegate"`
	Accelerator string `json:"accelerator"`
	Processor   string `json:"processor"`
}

// key returns the key of a verdict on what runs the model; an error, a sentence, where it
// cannot be distinguished from others.
func (c *check) key(runs inference.Delegation) (key, error) {
	k := key{Version: Version, Model: c.model.Digest, Runtime: runs.Runtime, Delegate: runs.Delegate, Accelerator: runs.Accelerator}
	var libraryErr, processorErr error
	if k.Library, libraryErr = c.config.LibraryDigest(runs.Runtime); libraryErr != nil {
		libraryErr = fmt.Errorf("the library that is loaded is not known: %w", libraryErr)
	}
	if k.Processor, processorErr = c.config.Processor(); processorErr != nil {
		processorErr = fmt.Errorf("the features of the processor are not known: %w", processorErr)
	}
	switch {
	case libraryErr != nil || processorErr != nil:
		return k, errors.Join(libraryErr, processorErr)
	case c.config.Dir == "":
		return k, errors.New("there is no data folder")
	case k.Accelerator != "":
		return k, errors.New("the version of the accelerator's driver is not known")
	case !strings.HasPrefix(k.Model, "sha256:"):
		return k, errors.New("the file has no digest")
	}
	return k, nil
}

// name is that of the file of a verdict.
func (k key) name() string {
	sum := sha256.Sum256(fmt.Append(nil, k))
	return fmt.Sprintf("%.16s-%x.json", strings.TrimPrefix(k.Model, "sha256:"), sum[:8])
}

// verdict is the content of such a file.
type verdict struct {
	Key               key       `json:"key"`
	Result            string    `json:"result"`
	Reason            string    `json:"reason,omitempty"`
	Against           string    `json:"against"`
	Images            int       `json:"images"`
	ClearImages       int       `json:"clear_images"`
	OtherFirstClasses int       `json:"other_first_classes"`
	Correlation       *float64  `json:"correlation,omitempty"`
	At                time.Time `json:"at"`
	// Sum is the SHA-256 of the file's content with an empty Sum.
	Sum string `json:"sum"`
}

func (v verdict) encode() ([]byte, error) {
	v.Sum = ""
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	v.Sum = hex.EncodeToString(sum[:])
	return json.MarshalIndent(v, "", "\t")
}

// store keeps verdicts as files of one folder.
type store struct {
	dir string
	log *slog.Logger
}

// load returns a verdict that was saved, false where there is none that can be used.
func (s store) load(k key) (edgelens.KernelCheck, bool) {
	data, err := os.ReadFile(filepath.Join(s.dir, k.name()))
	if errors.Is(err, fs.ErrNotExist) {
		return edgelens.KernelCheck{}, false
	}
	v, err := decode(data, err)
	if err == nil && v.Key != k {
		err = errors.New("it is about something else")
	}
	if err != nil {
		s.log.Warn("a stored check of kernels is damaged and made again", "event", "kernel_check_damaged", "file", k.name(), "error", err)
		return edgelens.KernelCheck{}, false
	}
	return edgelens.KernelCheck{
		Result: edgelens.CheckResult(v.Result), Reason: v.Reason, At: v.At,
		KernelComparison: edgelens.KernelComparison{
			Against: v.Against, Images: v.Images, ClearImages: v.ClearImages, OtherFirstClasses: v.OtherFirstClasses, Correlation: v.Correlation,
		},
	}, true
}

// decode returns the verdict in a file that was read with err.
func decode(data []byte, err error) (v verdict, _ error) {
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, err
	}
	if again, err := v.encode(); err != nil || string(again) != string(data) {
		return v, errors.New("its checksum differs")
	}
	switch edgelens.CheckResult(v.Result) {
	case edgelens.CheckPassed, edgelens.CheckFailed, edgelens.CheckUnknown:
		return v, nil
	}
	return v, fmt.Errorf("its result is %.20q", v.Result)
}

func (s store) save(k key, c edgelens.KernelCheck) error {
	v := verdict{
		Key: k, Result: string(c.Result), Reason: c.Reason, Against: c.Against, Images: c.Images, ClearImages: c.ClearImages,
		OtherFirstClasses: c.OtherFirstClasses, Correlation: c.Correlation, At: c.At,
	}
	data, err := v.encode()
	if err != nil {
		return err
	}
	if err := atomicfile.MakeFolder(s.dir, 0o700); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(s.dir, k.name()), data, 0o600)
}

package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"edgelens/internal/imagefile"
)

const (
	// maxTries is how often an example is sent to a service that is busy.
	maxTries = 20
	// busyWait is for how long to wait where such an answer names no time.
	busyWait = time.Second
)

// Imported is the outcome of an import. Its names in JSON are added and never changed: scripts read them.
type Imported struct {
	Dataset string `json:"dataset"`
	// Added are new examples; Known were in the dataset before, or are the same image twice.
	Added   int           `json:"added"`
	Known   int           `json:"known"`
	Skipped []SkippedFile `json:"skipped"`
}

// SkippedFile is a file that was refused, or cannot be read.
type SkippedFile struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// unreadable is the error of a file that cannot be read.
type unreadable struct{ error }

// labelled is an image file with its label.
type labelled struct{ file, label string }

// ImportFolder adds the images in folder/LABEL/ to a dataset, each with its label. Those that the dataset has are known, so that an
// import that was interrupted can be repeated. It skips files that are refused, and ends with an error where more of them would
// be. It calls progress before the first and after each file.
func (c Client) ImportFolder(ctx context.Context, dataset, folder string, o ExampleOptions, progress func(done, all int)) (Imported, error) {
	outcome := Imported{Dataset: dataset, Skipped: []SkippedFile{}}
	files, err := labelledFiles(folder)
	if err != nil {
		return outcome, err
	}
	progress(0, len(files))
	for i, one := range files {
		o.Label = one.label
		added, err := c.importFile(ctx, dataset, one.file, o)
		reason := reasonToSkip(err)
		switch {
		case err == nil && added:
			outcome.Added++
		case err == nil:
			outcome.Known++
		case reason != "":
			outcome.Skipped = append(outcome.Skipped, SkippedFile{one.file, reason})
		default:
			return outcome, fmt.Errorf("%s: %w", one.file, err)
		}
		progress(i+1, len(files))
	}
	return outcome, nil
}

// reasonToSkip returns why one file cannot be used while others may be; "" for an error of another kind.
func reasonToSkip(err error) string {
	var bad unreadable
	if errors.As(err, &bad) {
		return bad.Error()
	}
	var refused *refusal
	if errors.As(err, &refused) {
		switch refused.status {
		case http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
			return refused.detail
		}
	}
	return ""
}

// importFile adds one file; added is false where the dataset has it already.
func (c Client) importFile(ctx context.Context, dataset, file string, o ExampleOptions) (added bool, err error) {
	image, err := imagefile.Read(nil, file)
	if err != nil {
		return false, unreadable{err}
	}
	for try := 1; ; try++ {
		_, added, err = c.AddExample(ctx, dataset, image, o)
		var refused *refusal
		if !errors.As(err, &refused) || !refused.mayPass() || try == maxTries {
			return added, err
		}
		if err := pause(ctx, max(refused.retryAfter, busyWait)); err != nil {
			return false, err
		}
	}
}

// pause waits, or returns the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// labelledFiles returns the images in the folders within folder, which are named by their labels.
func labelledFiles(folder string) (all []labelled, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		inside := filepath.Join(folder, entry.Name())
		if info, err := os.Stat(inside); err != nil || !info.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		files, err := imagefile.List(inside)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			all = append(all, labelled{file, entry.Name()})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no folder with images in %s; put the images of each label into a folder of that name, such as %s", folder, filepath.Join(folder, "open"))
	}
	return all, nil
}

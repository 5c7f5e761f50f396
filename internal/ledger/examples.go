package ledger

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sync/atomic"

	"edgelens"
	"edgelens/internal/uuid7"
)

// maxDatasets is how many datasets there may be.
const maxDatasets = 1000

// Examples has the datasets and their examples: rows, and the images as files. Nothing of them is removed for its age or for
// space; Config.LearnMaxExamples and LearnMaxBytes bound what is accepted. A dataset exists while it has examples. It is safe for use by many goroutines.
type Examples struct {
	db        *database
	admission *admission
	config    Config
	// overCount and overBytes count the examples that were refused, since the start, for the limits.
	overCount, overBytes atomic.Int64
}

// Add makes an example and its encoded image durable, in the dataset of, and returns it with its ID, Device and CreatedAt. It
// creates the dataset where there is none of that name; else of must have the Extractor and the View of that one.
// e.SHA256 must be the image's digest, e.Extractor that of the dataset, and e.Result the id of a stored result, or empty:
// its device becomes the example's.
//
// An image that the dataset has already with that label returns the earlier example, with existing true, and writes
// nothing.
//
// Errors: edgelens.ErrInvalid or ErrNoImage for what cannot be an example, ErrNotFound for a result that is not stored,
// ErrConflict for another extractor or view, and for an image that the dataset has with another label: a person decides which
// is right. *edgelens.NoRoom where a limit is reached, ErrDiskFull for a full disk. Nothing is stored then.
func (s *Examples) Add(ctx context.Context, of edgelens.Dataset, e edgelens.Example, image []byte) (example edgelens.Example, existing bool, err error) {
	example, existing, err = s.add(ctx, of, e, image)
	return example, existing, s.db.explain("add an example to the dataset "+of.Name, err)
}

func (s *Examples) add(ctx context.Context, of edgelens.Dataset, e edgelens.Example, image []byte) (edgelens.Example, bool, error) {
	e.Dataset = of.Name
	if err := checkExample(of, e, image); err != nil {
		return edgelens.Example{}, false, err
	}
	// Checked here too, so that a refusal costs no write.
	earlier, err := s.admit(ctx, s.db.readers, of, &e)
	if err != nil || earlier != nil {
		return valueOfExample(earlier), earlier != nil, err
	}
	if err := s.admission.checkFiles(e.Bytes + int64(4*len(e.Embedding))); err != nil {
		return edgelens.Example{}, false, err
	}
	e.CreatedAt = micros(s.db.now())
	e.ID = uuid7.New(e.CreatedAt)
	defer s.db.images.begin(e.ID)()
	if err := s.db.images.write(e.ID, image); err != nil {
		return edgelens.Example{}, false, err
	}
	err = s.db.write(ctx, func(c *change) error {
		earlier, err = s.admit(ctx, c, of, &e)
		if err != nil || earlier != nil {
			return err
		}
		return insertExample(c, of, e)
	})
	if err != nil || earlier != nil {
		s.db.images.remove(e.ID)
		return valueOfExample(earlier), earlier != nil, err
	}
	return e, false, nil
}

func valueOfExample(e *edgelens.Example) edgelens.Example {
	if e == nil {
		return edgelens.Example{}
	}
	return *e
}

func checkExample(of edgelens.Dataset, e edgelens.Example, image []byte) error {
	digest, err := hex.DecodeString(e.SHA256)
	switch {
	case len(image) == 0:
		return edgelens.ErrNoImage
	case int64(len(image)) != e.Bytes:
		return fmt.Errorf("%w: the image has %d bytes, not %d", edgelens.ErrInvalid, len(image), e.Bytes)
	case err != nil || len(digest) != 32:
		return fmt.Errorf("%w: %q is not a SHA-256 in hexadecimal", edgelens.ErrInvalid, e.SHA256)
	case of.Name == "" || e.Label == "":
		return fmt.Errorf("%w: an example needs a dataset and a label", edgelens.ErrInvalid)
	case of.Extractor.Name == "" || of.Extractor.Digest == "" || e.Extractor != of.Extractor:
		return fmt.Errorf("%w: the embedding is of the extractor %v, and the dataset's is %v", edgelens.ErrInvalid, e.Extractor, of.Extractor)
	}
	if err := checkEmbedding(e.Embedding); err != nil {
		return err
	}
	return of.View.Check()
}

// checkEmbedding returns an error for what has not the length 1.
func checkEmbedding(embedding []float32) error {
	var sum float64
	for _, v := range embedding {
		sum += float64(v) * float64(v)
	}
	if !(math.Abs(sum-1) < 1e-3) { // NaN too
		return fmt.Errorf("%w: the embedding of %d numbers has the length %v, not 1", edgelens.ErrInvalid, len(embedding), math.Sqrt(sum))
	}
	return nil
}

// admit returns the earlier example of the image with that label, if any, or an error where e cannot be accepted. It sets
// e.Device.
func (s *Examples) admit(ctx context.Context, q querier, of edgelens.Dataset, e *edgelens.Example) (earlier *edgelens.Example, err error) {
	if err := s.checkDataset(ctx, q, of); err != nil {
		return nil, err
	}
	if e.Device, err = deviceOfResult(ctx, q, e.Result); err != nil {
		return nil, err
	}
	found, known, err := earlierExample(ctx, q, of.Name, e.SHA256)
	switch {
	case err != nil:
		return nil, err
	case !known:
		return nil, s.checkLimits(ctx, q, e)
	case found.Label != e.Label:
		return nil, fmt.Errorf("%w: the dataset %q has this image with the label %q, as example %s; change the label of that, or remove it first", edgelens.ErrConflict, of.Name, found.Label, found.ID)
	}
	return &found, nil
}

// Earlier returns the example of an image in a dataset, by its digest; false where there is none.
func (s *Examples) Earlier(ctx context.Context, dataset, sha256 string) (e edgelens.Example, found bool, err error) {
	e, found, err = earlierExample(ctx, s.db.readers, dataset, sha256)
	return e, found, s.db.explain("look up an example", err)
}

func earlierExample(ctx context.Context, q querier, dataset, sha256 string) (e edgelens.Example, found bool, err error) {
	e, _, err = readExample(q.QueryRowContext(ctx, `SELECT `+exampleColumns+fromExamples+`WHERE e.dataset = ? AND e.sha256 = ?`, dataset, sha256))
	if errors.Is(err, sql.ErrNoRows) {
		return edgelens.Example{}, false, nil
	}
	return e, err == nil, err
}

// checkDataset returns an edgelens.ErrConflict where there is a dataset of that name with another extractor or view.
func (s *Examples) checkDataset(ctx context.Context, q querier, of edgelens.Dataset) error {
	stored, err := datasetByName(ctx, q, of.Name)
	switch {
	case errors.Is(err, edgelens.ErrNotFound):
		var n int
		err := q.QueryRowContext(ctx, `SELECT count(*) FROM datasets`).Scan(&n)
		if err == nil && n >= maxDatasets {
			err = &edgelens.NoRoom{Reason: fmt.Sprintf("There are %d datasets, which is the limit. Remove one first.", n)}
		}
		return err
	case err != nil:
		return err
	case stored.Extractor != of.Extractor:
		return fmt.Errorf("%w: the embeddings of the dataset %q are of the extractor %s with the digest %s, and this one is of %s with %s; `edgelens dataset embed %s` makes all of them anew",
			edgelens.ErrConflict, of.Name, stored.Extractor.Name, stored.Extractor.Digest, of.Extractor.Name, of.Extractor.Digest, of.Name)
	case stored.View != of.View:
		return fmt.Errorf("%w: the dataset %q shows images with fit=%s region=%s, which its first example fixed; leave out both, or choose another dataset",
			edgelens.ErrConflict, of.Name, orElse(string(stored.View.Fit), "-"), orElse(stored.View.Region.String(), "-"))
	}
	return nil
}

// deviceOfResult returns the device of a stored result; "" for the id "".
func deviceOfResult(ctx context.Context, q querier, result string) (device string, err error) {
	if result == "" {
		return "", nil
	}
	err = q.QueryRowContext(ctx, `SELECT device FROM results WHERE id = ?`, result).Scan(&device)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: no result has the id %s; it may have been removed for its age", edgelens.ErrNotFound, result)
	}
	return device, err
}

// checkLimits returns a *edgelens.NoRoom where e would exceed a limit.
func (s *Examples) checkLimits(ctx context.Context, q querier, e *edgelens.Example) error {
	var examples, bytes int64
	if err := q.QueryRowContext(ctx, `SELECT examples, bytes + embeddings FROM example_totals`).Scan(&examples, &bytes); err != nil {
		return err
	}
	switch {
	case examples >= s.config.LearnMaxExamples:
		s.overCount.Add(1)
		return &edgelens.NoRoom{Reason: fmt.Sprintf("The datasets have %d examples, which is the limit (learn.max_examples). Remove examples or datasets, or have the operator raise it.", examples)}
	case bytes+e.Bytes+int64(4*len(e.Embedding)) > s.config.LearnMaxBytes:
		s.overBytes.Add(1)
		return &edgelens.NoRoom{Reason: fmt.Sprintf("The examples take %d bytes, and the limit is %d (learn.max_bytes). Remove examples or datasets, or have the operator raise it.", bytes, s.config.LearnMaxBytes)}
	}
	return nil
}

// insertExample adds an example, whose image was written, and its dataset where there is none.
func insertExample(c *change, of edgelens.Dataset, e edgelens.Example) error {
	c.newFile = true
	_, err := c.exec(`INSERT INTO datasets (name, extractor, extractor_digest, fit, region, created_at, changed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
		ON CONFLICT (name) DO UPDATE SET changed_at = excluded.changed_at`,
		of.Name, of.Extractor.Name, of.Extractor.Digest, string(of.View.Fit), of.View.Region.String(), e.CreatedAt.UnixMicro())
	if err != nil {
		return err
	}
	_, err = c.exec(`INSERT INTO examples (id, dataset, label, sha256, bytes, extractor_digest, embedding, result_id, device, result_at, owner, created_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, (SELECT coalesce(r.received_at, s.created_at) FROM results s LEFT JOIN records r ON r.id = s.id WHERE s.id = ?8), ?10, ?11)`,
		e.ID, e.Dataset, e.Label, e.SHA256, e.Bytes, e.Extractor.Digest, storedEmbedding(e.Embedding), e.Result, e.Device, e.Owner, e.CreatedAt.UnixMicro())
	return err
}

// Image returns the encoded image of an example. Its error is an edgelens.ErrNotFound where there is no such example in the
// dataset, or its file was lost.
func (s *Examples) Image(ctx context.Context, dataset, id string) ([]byte, error) {
	image, err := s.image(ctx, dataset, id)
	return image, s.db.explain("read the image of example "+id, err)
}

func (s *Examples) image(ctx context.Context, dataset, id string) ([]byte, error) {
	e, err := exampleByID(ctx, s.db.readers, dataset, id)
	if err != nil {
		return nil, err
	}
	image, err := s.db.images.read(e.ID)
	if errors.Is(err, fs.ErrNotExist) || err == nil && int64(len(image)) != e.Bytes {
		return nil, fmt.Errorf("%w: its image was lost; remove the example", edgelens.ErrNotFound)
	}
	return image, err
}

// Relabel changes the label of an example, and returns it. Its error is an edgelens.ErrNotFound where there is none, and an
// ErrInvalid for an empty label.
func (s *Examples) Relabel(ctx context.Context, dataset, id, label string) (e edgelens.Example, err error) {
	action := "change the label of example " + id
	if label == "" {
		return e, s.db.explain(action, fmt.Errorf("%w: an example needs a label", edgelens.ErrInvalid))
	}
	err = s.db.write(ctx, func(c *change) error {
		if e, err = exampleByID(ctx, c, dataset, id); err != nil || e.Label == label {
			return err
		}
		e.Label = label
		if _, err := c.exec(`UPDATE examples SET label = ? WHERE id = ?`, label, id); err != nil {
			return err
		}
		return s.touch(c, dataset)
	})
	return e, s.db.explain(action, err)
}

// touch notes that a dataset was changed now.
func (s *Examples) touch(c *change, dataset string) error {
	_, err := c.exec(`UPDATE datasets SET changed_at = ? WHERE name = ?`, s.db.now().UnixMicro(), dataset)
	return err
}

// Remove removes an example with its image, and the dataset with its last example. Its error is an edgelens.ErrNotFound where there is none.
func (s *Examples) Remove(ctx context.Context, dataset, id string) error {
	return s.db.explain("remove example "+id, overwrite(ctx, s.db, func(c *change) error {
		if _, err := exampleByID(ctx, c, dataset, id); err != nil {
			return err
		}
		if _, err := removeExamples(c, `id = ?`, id); err != nil {
			return err
		}
		return s.touch(c, dataset)
	}))
}

// removeExamples removes the examples for which a condition holds, with their images, and returns them, with their ID and
// Bytes alone.
func removeExamples(c *change, condition string, args ...any) (removed []edgelens.Example, err error) {
	rows, err := c.QueryContext(c.ctx, `DELETE FROM examples WHERE `+condition+` RETURNING id, bytes`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e edgelens.Example
		if err := rows.Scan(&e.ID, &e.Bytes); err != nil {
			return nil, err
		}
		removed = append(removed, e)
		c.dropped = append(c.dropped, e.ID)
	}
	return removed, rows.Err()
}

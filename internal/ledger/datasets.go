package ledger

import (
	"context"
	"fmt"

	"edgelens"
)

// Datasets returns every dataset with its labels, sorted by name.
func (s *Examples) Datasets(ctx context.Context) ([]edgelens.Dataset, error) {
	all, err := s.datasets(ctx)
	return all, s.db.explain("list the datasets", err)
}

func (s *Examples) datasets(ctx context.Context) (all []edgelens.Dataset, err error) {
	labels, err := labelCounts(ctx, s.db.readers, "")
	if err != nil {
		return nil, err
	}
	rows, err := s.db.readers.QueryContext(ctx, selectDataset+` ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		d, err := readDataset(rows)
		if err != nil {
			return nil, err
		}
		d.Labels = labels[d.Name]
		all = append(all, d)
	}
	return all, rows.Err()
}

// Dataset returns a dataset with its labels. Its error is an edgelens.ErrNotFound where there is none.
func (s *Examples) Dataset(ctx context.Context, name string) (edgelens.Dataset, error) {
	d, err := s.dataset(ctx, name)
	return d, s.db.explain("look up a dataset", err)
}

func (s *Examples) dataset(ctx context.Context, name string) (edgelens.Dataset, error) {
	d, err := datasetByName(ctx, s.db.readers, name)
	if err != nil {
		return edgelens.Dataset{}, err
	}
	labels, err := labelCounts(ctx, s.db.readers, `WHERE dataset = ?`, name)
	d.Labels = labels[name]
	return d, err
}

// exampleList is the name of the list of examples, in its cursors.
const exampleList = "examples"

// Examples lists the examples of a dataset without their embeddings, the newest first, and returns the cursor of the next
// page; empty where there is none. Examples added meanwhile do not move the pages. Errors: edgelens.ErrNotFound for an unknown
// dataset, ErrInvalid for a bad filter.
func (s *Examples) Examples(ctx context.Context, filter edgelens.ExampleFilter) (page []edgelens.Example, next string, err error) {
	page, next, err = s.list(ctx, filter)
	return page, next, s.db.explain("list the examples of a dataset", err)
}

func (s *Examples) list(ctx context.Context, filter edgelens.ExampleFilter) (page []edgelens.Example, next string, err error) {
	before, err := parseCursor(exampleList, filter.Cursor)
	if err != nil {
		return nil, "", err
	}
	limit, err := pageLimit(filter.Limit)
	if err != nil {
		return nil, "", err
	}
	if _, err := datasetByName(ctx, s.db.readers, filter.Dataset); err != nil {
		return nil, "", err
	}
	condition, args := `WHERE e.dataset = ? AND e.seq < ?`, []any{filter.Dataset, before}
	if filter.Label != "" {
		condition, args = condition+` AND e.label = ?`, append(args, filter.Label)
	}
	if filter.NotOf != "" {
		condition, args = condition+` AND e.owner <> ?`, append(args, filter.NotOf)
	}
	if test, of := visible("e.", filter.Visible); test != "" {
		condition, args = condition+` AND `+test, append(args, of...)
	}
	rows, err := s.db.readers.QueryContext(ctx, `SELECT `+exampleColumns+fromExamples+condition+` ORDER BY e.seq DESC LIMIT ?`, append(args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	var last int64
	for rows.Next() {
		e, seq, err := readExample(rows)
		if err != nil {
			return nil, "", err
		}
		if len(page) == limit { // one more than requested: there is a next page
			next = newCursor(exampleList, last)
			break
		}
		page, last = append(page, e), seq
	}
	return page, next, rows.Err()
}

// Example returns an example of a dataset without its embedding. Its error is an edgelens.ErrNotFound where there is none.
func (s *Examples) Example(ctx context.Context, dataset, id string) (edgelens.Example, error) {
	e, err := exampleByID(ctx, s.db.readers, dataset, id)
	return e, s.db.explain("look up an example", err)
}

// Embeddings returns all examples of a dataset with their embeddings, the oldest first. They take 4 bytes a number. Errors:
// edgelens.ErrNotFound for an unknown dataset, ErrConflict where some embeddings are not of the dataset's extractor yet, ErrInvalid
// where one is damaged.
func (s *Examples) Embeddings(ctx context.Context, name string) ([]edgelens.Example, error) {
	all, err := s.embeddings(ctx, name)
	return all, s.db.explain("read the embeddings of the dataset "+name, err)
}

func (s *Examples) embeddings(ctx context.Context, name string) (all []edgelens.Example, err error) {
	d, err := datasetByName(ctx, s.db.readers, name)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.readers.QueryContext(ctx, `SELECT `+exampleColumns+`, e.embedding`+fromExamples+`WHERE e.dataset = ? ORDER BY e.seq`, name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var blob []byte
		e, _, err := readExample(rows, &blob)
		if err != nil {
			return nil, err
		}
		if e.Embedding, err = readEmbedding(blob); err == nil {
			err = checkEmbedding(e.Embedding)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: the embedding of the example %s is damaged; remove the example, and add its image again", edgelens.ErrInvalid, e.ID)
		}
		if e.Extractor != d.Extractor {
			return nil, fmt.Errorf("%w: not all embeddings are of the extractor %s with the digest %s; `edgelens dataset embed %s` goes on making them",
				edgelens.ErrConflict, d.Extractor.Name, d.Extractor.Digest, name)
		}
		all = append(all, e)
	}
	return all, rows.Err()
}

// RemoveDataset removes a dataset with all its examples and their images, some at a time; where it is interrupted, another
// call goes on. Its error is an edgelens.ErrNotFound where there is none.
func (s *Examples) RemoveDataset(ctx context.Context, name string) error {
	return s.db.explain("remove the dataset "+name, s.removeDataset(ctx, name))
}

func (s *Examples) removeDataset(ctx context.Context, name string) error {
	if _, err := datasetByName(ctx, s.db.readers, name); err != nil {
		return err
	}
	_, err := repeat(func() (n int, err error) {
		err = overwrite(ctx, s.db, func(c *change) error {
			removed, err := removeExamples(c, `seq IN (SELECT seq FROM examples WHERE dataset = ? LIMIT ?)`, name, eraseBatch)
			n = len(removed)
			return err
		})
		return n, err
	})
	return err
}

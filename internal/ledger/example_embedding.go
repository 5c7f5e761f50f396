package ledger

import (
	"context"
	"fmt"

	"edgelens"
)

// SetExtractor has the embeddings of a dataset be of another extractor, or of another version of its: those that it has
// become outdated. Errors: edgelens.ErrNotFound where there is no such dataset, ErrInvalid for an extractor without a name or
// digest.
func (s *Examples) SetExtractor(ctx context.Context, dataset string, extractor edgelens.ModelRef) error {
	return s.db.explain("change the extractor of the dataset "+dataset, s.db.write(ctx, func(c *change) error {
		if extractor.Name == "" || extractor.Digest == "" {
			return fmt.Errorf("%w: an extractor needs a name and a digest", edgelens.ErrInvalid)
		}
		stored, err := datasetByName(ctx, c, dataset)
		if err != nil || stored.Extractor == extractor {
			return err
		}
		_, err = c.exec(`UPDATE datasets SET extractor = ?, extractor_digest = ?, changed_at = ? WHERE name = ?`,
			extractor.Name, extractor.Digest, s.db.now().UnixMicro(), dataset)
		return err
	}))
}

// Outdated returns examples of a dataset, the oldest first, at most limit, whose embeddings are not of its extractor, and how
// many there are.
func (s *Examples) Outdated(ctx context.Context, dataset string, limit int) (page []edgelens.Example, count int, err error) {
	page, count, err = s.outdated(ctx, dataset, limit)
	return page, count, s.db.explain("list the outdated embeddings of a dataset", err)
}

// isOutdated is the condition on an example (e) of a dataset (d).
const isOutdated = `e.extractor_digest <> d.extractor_digest`

func (s *Examples) outdated(ctx context.Context, dataset string, limit int) (page []edgelens.Example, count int, err error) {
	err = s.db.readers.QueryRowContext(ctx, `SELECT count(*)`+fromExamples+`WHERE e.dataset = ? AND `+isOutdated, dataset).Scan(&count)
	if err != nil || count == 0 {
		return nil, 0, err
	}
	rows, err := s.db.readers.QueryContext(ctx, `SELECT `+exampleColumns+fromExamples+`WHERE e.dataset = ? AND `+isOutdated+` ORDER BY e.seq LIMIT ?`, dataset, limit)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		e, _, err := readExample(rows)
		if err != nil {
			return nil, 0, err
		}
		page = append(page, e)
	}
	return page, count, rows.Err()
}

// SetEmbedding replaces the embedding of an example. Errors: edgelens.ErrNotFound where there is no such example,
// ErrConflict where the dataset's extractor is another meanwhile, ErrInvalid for an embedding whose length is not 1.
func (s *Examples) SetEmbedding(ctx context.Context, dataset, id string, extractor edgelens.ModelRef, embedding []float32) error {
	action := "replace the embedding of example " + id
	if err := checkEmbedding(embedding); err != nil {
		return s.db.explain(action, err)
	}
	return s.db.explain(action, s.db.writeWithOthers(ctx, func(c *change) error {
		d, err := datasetByName(ctx, c, dataset)
		if err != nil {
			return err
		}
		if d.Extractor != extractor {
			return fmt.Errorf("%w: the extractor of the dataset %q was changed meanwhile", edgelens.ErrConflict, dataset)
		}
		changed, err := c.exec(`UPDATE examples SET embedding = ?, extractor_digest = ? WHERE id = ? AND dataset = ?`,
			storedEmbedding(embedding), extractor.Digest, id, dataset)
		if err == nil && changed == 0 {
			err = fmt.Errorf("%w: it was removed meanwhile", edgelens.ErrNotFound)
		}
		return err
	}))
}

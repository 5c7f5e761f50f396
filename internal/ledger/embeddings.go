package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"edgelens"
)

// Embeddings has the feature vectors of the images of results, for the search of similar ones. It is safe for use by many
// goroutines.
type Embeddings struct{ db *database }

// giveWay is which share of the vectors give way at a time, where there are too many.
const giveWay = 64

// Put stores an embedding, in place of an earlier one of the result; of the result of a job where job is not empty, else of
// the one with that id, or, without either, of e.Seq. It returns the result's Seq. Where there are more than most then, the
// oldest give way. Its error is an edgelens.ErrNotFound where there is no such result, or not yet.
func (s *Embeddings) Put(ctx context.Context, e edgelens.StoredEmbedding, id, job string, most int) (seq int64, err error) {
	err = s.db.write(ctx, func(c *change) (err error) {
		seq, err = s.put(c, e, id, job, most)
		return err
	})
	return seq, s.db.explain("store an embedding", err)
}

func (s *Embeddings) put(c *change, e edgelens.StoredEmbedding, id, job string, most int) (seq int64, err error) {
	column, value := "seq", any(e.Seq)
	switch {
	case job != "":
		column, value = "job_id", job
	case id != "":
		column, value = "id", id
	}
	err = c.QueryRowContext(c.ctx, `SELECT seq FROM results WHERE `+column+` = ?`, value).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("%w: there is no such result", edgelens.ErrNotFound)
	}
	if err != nil {
		return 0, err
	}
	_, err = c.exec(`INSERT INTO embeddings (result, extractor, scale, vector) VALUES (?, ?, ?, ?)
		ON CONFLICT (result) DO UPDATE SET extractor = excluded.extractor, scale = excluded.scale, vector = excluded.vector`,
		seq, e.Extractor, float64(e.Scale), bytesOf(e.Values))
	if err != nil {
		return 0, err
	}
	return seq, s.makeRoom(c, most)
}

// makeRoom removes the oldest vectors where there are more than most.
func (s *Embeddings) makeRoom(c *change, most int) error {
	var vectors int
	if err := c.QueryRowContext(c.ctx, `SELECT vectors FROM embeddings_state`).Scan(&vectors); err != nil || vectors <= most {
		return err
	}
	var last int64
	err := c.QueryRowContext(c.ctx, `SELECT result FROM embeddings ORDER BY result LIMIT 1 OFFSET ?`, vectors-most+most/giveWay-1).Scan(&last)
	if err != nil {
		return err
	}
	if _, err := c.exec(`DELETE FROM embeddings WHERE result <= ?`, last); err != nil {
		return err
	}
	_, err = c.exec(`UPDATE embeddings_state SET given_way = ?`, last)
	return err
}

// Load returns up to limit embeddings with a vector of that extractor, of results after that Seq, in order.
func (s *Embeddings) Load(ctx context.Context, extractor string, after int64, limit int) ([]edgelens.StoredEmbedding, error) {
	list, err := s.load(ctx, `WHERE result > ? AND extractor = ? AND length(vector) > 0 ORDER BY result LIMIT ?`, after, extractor, limit)
	return list, s.db.explain("load embeddings", err)
}

// Embedding returns that of a result, by the result's id. Its error is an edgelens.ErrNotFound where there is none.
func (s *Embeddings) Embedding(ctx context.Context, id string) (edgelens.StoredEmbedding, error) {
	list, err := s.load(ctx, `WHERE result = (SELECT seq FROM results WHERE id = ?) AND length(vector) > 0`, id)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%w: it has no embedding: that of a new result follows within seconds, and a result whose image was not kept, or cannot be decoded, has none", edgelens.ErrNotFound)
	}
	if err != nil {
		return edgelens.StoredEmbedding{}, s.db.explain("look up the embedding of result "+id, err)
	}
	return list[0], nil
}

func (s *Embeddings) load(ctx context.Context, where string, args ...any) (list []edgelens.StoredEmbedding, err error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT result, extractor, scale, vector FROM embeddings `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e edgelens.StoredEmbedding
		var vector []byte
		if err := rows.Scan(&e.Seq, &e.Extractor, &e.Scale, &vector); err != nil {
			return nil, err
		}
		e.Values = valuesOf(vector)
		list = append(list, e)
	}
	return list, rows.Err()
}

// Pending looks at up to limit results after that Seq, in order, and returns those whose image is kept and has no
// embedding of that extractor, and the Seq of the last one that it looked at; 0 where there was none. Results whose
// embeddings gave way are left out.
func (s *Embeddings) Pending(ctx context.Context, extractor string, after int64, limit int) (list []edgelens.PendingEmbedding, last int64, err error) {
	list, last, err = s.pending(ctx, extractor, after, limit)
	return list, last, s.db.explain("list results without an embedding", err)
}

func (s *Embeddings) pending(ctx context.Context, extractor string, after int64, limit int) (list []edgelens.PendingEmbedding, last int64, err error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT s.seq, coalesce(j.id, ''), coalesce(j.fit, ''), coalesce(j.region, ''), coalesce(j.image, 0) AND e.result IS NULL
		FROM results s LEFT JOIN jobs j ON j.id = s.job_id LEFT JOIN embeddings e ON e.result = s.seq AND e.extractor = ?
		WHERE s.seq > max(?, (SELECT given_way FROM embeddings_state)) ORDER BY s.seq LIMIT ?`, extractor, after, limit)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var p edgelens.PendingEmbedding
		var region string
		var pending bool
		if err := rows.Scan(&p.Seq, &p.Job, &p.View.Fit, &region, &pending); err != nil {
			return nil, 0, err
		}
		last = p.Seq
		if !pending {
			continue
		}
		if p.View.Region, err = edgelens.ParseRegion(region); err != nil {
			return nil, 0, fmt.Errorf("read the region of job %s: %w", p.Job, err)
		}
		list = append(list, p)
	}
	return list, last, rows.Err()
}

// Newest returns the Seq after which there are up to n results.
func (s *Embeddings) Newest(ctx context.Context, n int) (seq int64, err error) {
	err = s.db.readers.QueryRowContext(ctx, `SELECT coalesce((SELECT seq FROM results ORDER BY seq DESC LIMIT 1 OFFSET ?), 0)`, n).Scan(&seq)
	return seq, s.db.explain("find the newest results", err)
}

// DeleteOthers deletes up to limit embeddings of other extractors, which cannot be compared, and returns how many.
func (s *Embeddings) DeleteOthers(ctx context.Context, extractor string, limit int) (int, error) {
	n, err := s.db.execute(ctx, `DELETE FROM embeddings WHERE result IN (SELECT result FROM embeddings WHERE extractor <> ? LIMIT ?)`, extractor, limit)
	return n, s.db.explain("delete the embeddings of another model", err)
}

// Deleted returns the results whose embeddings were deleted and not forgotten since.
func (s *Embeddings) Deleted(ctx context.Context) ([]int64, error) {
	seqs, err := seqsOf(ctx, s.db.readers, `SELECT result FROM embeddings_deleted`)
	return seqs, s.db.explain("list deleted embeddings", err)
}

// ForgetDeleted forgets that these were deleted.
func (s *Embeddings) ForgetDeleted(ctx context.Context, seqs []int64) error {
	for batch := range slices.Chunk(seqs, sweepBatch) {
		err := s.db.writeWithOthers(ctx, func(c *change) error {
			for _, seq := range batch {
				if _, err := c.exec(`DELETE FROM embeddings_deleted WHERE result = ?`, seq); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return s.db.explain("forget deleted embeddings", err)
		}
	}
	return nil
}

// Matching returns the Seqs of the results that a filter selects, but for the similarity, in order; all is true where it
// selects all of them.
func (s *Embeddings) Matching(ctx context.Context, f edgelens.SimilarFilter) (seqs []int64, all bool, err error) {
	if f.Visible == nil && f.Device == "" && f.Since.IsZero() {
		return nil, true, nil
	}
	conditions := []condition{{test: `seq > (SELECT given_way FROM embeddings_state)`}}
	if test, args := visible("", f.Visible); test != "" {
		conditions = append(conditions, condition{test, args})
	}
	if f.Device != "" {
		conditions = append(conditions, condition{`device = ?`, []any{f.Device}})
	}
	if !f.Since.IsZero() {
		conditions = append(conditions, condition{`created_at >= ?`, []any{f.Since.UnixMicro()}})
	}
	test, args := joined(conditions)
	seqs, err = seqsOf(ctx, s.db.lists, `SELECT seq FROM results WHERE `+test+` ORDER BY seq`, args...)
	return seqs, false, s.db.explain("select results", err)
}

// Results returns the results with those Seqs that are there, by Seq.
func (s *Embeddings) Results(ctx context.Context, seqs []int64) (map[int64]edgelens.StoredResult, error) {
	found, err := resultsAt(ctx, s.db.readers, seqs)
	return found, s.db.explain("look up similar results", err)
}

// seqsOf returns the numbers that a query selects.
func seqsOf(ctx context.Context, q querier, query string, args ...any) (seqs []int64, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return seqs, readAll(rows, func() error {
		var seq int64
		err := rows.Scan(&seq)
		seqs = append(seqs, seq)
		return err
	})
}

// readAll reads every row, and closes rows.
func readAll(rows *sql.Rows, read func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := read(); err != nil {
			return err
		}
	}
	return rows.Err()
}

func bytesOf(values []int8) []byte {
	b := make([]byte, len(values))
	for i, v := range values {
		b[i] = byte(v)
	}
	return b
}

func valuesOf(b []byte) []int8 {
	values := make([]int8, len(b))
	for i, v := range b {
		values[i] = int8(v) // the reverse of bytesOf
	}
	return values
}

package ledger

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"edgelens"
)

// exampleBytes is the approximate size of the examples in the database; their images are files.
const exampleBytes = `(SELECT embeddings + examples * 500 FROM example_totals)`

// storedEmbedding returns an embedding as it is stored: float32, little-endian.
func storedEmbedding(embedding []float32) []byte {
	blob := make([]byte, 0, 4*len(embedding))
	for _, v := range embedding {
		blob = binary.LittleEndian.AppendUint32(blob, math.Float32bits(v))
	}
	return blob
}

// readEmbedding is the opposite of storedEmbedding.
func readEmbedding(blob []byte) ([]float32, error) {
	if len(blob)%4 != 0 {
		return nil, fmt.Errorf("the embedding has %d bytes, which are no whole numbers", len(blob))
	}
	embedding := make([]float32, len(blob)/4)
	for i := range embedding {
		embedding[i] = math.Float32frombits(binary.LittleEndian.Uint32(blob[4*i:]))
	}
	return embedding, nil
}

// selectDataset selects what readDataset reads.
const selectDataset = `SELECT name, extractor, extractor_digest, fit, region, created_at, changed_at, examples, bytes FROM datasets`

// readDataset reads a dataset without its labels.
func readDataset(row interface{ Scan(...any) error }) (d edgelens.Dataset, err error) {
	var fit, region string
	var created, changed int64
	if err := row.Scan(&d.Name, &d.Extractor.Name, &d.Extractor.Digest, &fit, &region, &created, &changed, &d.Examples, &d.Bytes); err != nil {
		return edgelens.Dataset{}, err
	}
	d.View.Fit = edgelens.Fit(fit)
	if d.View.Region, err = edgelens.ParseRegion(region); err != nil {
		return edgelens.Dataset{}, fmt.Errorf("read dataset %s: %w", d.Name, err)
	}
	d.CreatedAt, d.ChangedAt = time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
	return d, nil
}

// datasetByName returns a dataset without its labels. Its error is an edgelens.ErrNotFound where there is none.
func datasetByName(ctx context.Context, q querier, name string) (edgelens.Dataset, error) {
	d, err := readDataset(q.QueryRowContext(ctx, selectDataset+` WHERE name = ?`, name))
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: there is no dataset %q; the first example creates one", edgelens.ErrNotFound, name)
	}
	return d, err
}

// labelCounts returns the labels of all datasets with their counts, or of one, by dataset; sorted by label.
func labelCounts(ctx context.Context, q querier, condition string, args ...any) (map[string][]edgelens.LabelCount, error) {
	rows, err := q.QueryContext(ctx, `SELECT dataset, label, count(*) FROM examples `+condition+` GROUP BY dataset, label ORDER BY dataset, label`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string][]edgelens.LabelCount{}
	for rows.Next() {
		var dataset string
		var one edgelens.LabelCount
		if err := rows.Scan(&dataset, &one.Label, &one.Count); err != nil {
			return nil, err
		}
		all[dataset] = append(all[dataset], one)
	}
	return all, rows.Err()
}

// The columns of an example: without its embedding, which takes as much as everything else, and with it.
const (
	exampleColumns = `e.seq, e.id, e.dataset, e.label, e.sha256, e.bytes, d.extractor, e.extractor_digest, e.result_id, e.device, e.owner, e.created_at`
	fromExamples   = ` FROM examples e JOIN datasets d ON d.name = e.dataset `
)

// readExample reads exampleColumns, and into more what follows them.
func readExample(row interface{ Scan(...any) error }, more ...any) (e edgelens.Example, seq int64, err error) {
	var created int64
	err = row.Scan(append([]any{
		&seq, &e.ID, &e.Dataset, &e.Label, &e.SHA256, &e.Bytes, &e.Extractor.Name, &e.Extractor.Digest, &e.Result, &e.Device, &e.Owner, &created,
	}, more...)...)
	e.CreatedAt = time.UnixMicro(created).UTC()
	return e, seq, err
}

// exampleByID returns an example of a dataset without its embedding. Its error is an edgelens.ErrNotFound where there is none.
func exampleByID(ctx context.Context, q querier, dataset, id string) (edgelens.Example, error) {
	e, _, err := readExample(q.QueryRowContext(ctx, `SELECT `+exampleColumns+fromExamples+`WHERE e.id = ? AND e.dataset = ?`, id, dataset))
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: the dataset %q has no example with this id", edgelens.ErrNotFound, dataset)
	}
	return e, err
}

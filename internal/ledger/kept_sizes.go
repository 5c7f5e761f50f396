package ledger

import (
	"context"

	"edgelens"
)

const (
	// The approximate sizes of rows in the database without their largest text, with their indexes and what goes with them: the
	// delivery of a record, and the result of a job, which is a row of its own.
	jobRowBytes, resultRowBytes, recordRowBytes, eventRowBytes = 420, 400, 350, 105
	// textBytes is the assumed size of the largest text of a row where none was counted yet.
	textBytes = 500
)

// The kinds of rows in kept_totals: jobResults are the results of jobs; edgelens.KeptResults are the others.
const jobResults = "job_results"

// keptSize is how many there are of a kind, and about how large they are. estimated is true while rows of an earlier version are
// being counted.
type keptSize struct {
	rows, bytes int64
	estimated   bool
}

// keptSizes returns the sizes of the kinds with a share. It counts no rows: triggers do, and countKept those from before them.
func (d *database) keptSizes(ctx context.Context) (map[string]keptSize, error) {
	texts, err := d.keptTotals(ctx)
	if err != nil {
		return nil, err
	}
	var jobs, images int64
	if err := d.readers.QueryRowContext(ctx, `SELECT ifnull(sum(jobs), 0), `+allImageBytes+` FROM job_totals`).Scan(&jobs, &images); err != nil {
		return nil, err
	}
	size := func(kind string, rowBytes int64) keptSize {
		total := texts[kind]
		return keptSize{total.rows, total.bytes + total.rows*rowBytes, total.estimated}
	}
	return map[string]keptSize{
		edgelens.KeptJobs:    {jobs, jobs*jobRowBytes + size(jobResults, resultRowBytes).bytes, false},
		edgelens.KeptResults: size(edgelens.KeptResults, resultRowBytes),
		edgelens.KeptRecords: size(edgelens.KeptRecords, recordRowBytes),
		edgelens.KeptEvents:  size(edgelens.KeptEvents, eventRowBytes),
		edgelens.KeptImages:  {0, images, true},
	}, nil
}

// keptTotals returns the totals by kind of kept_totals; bytes are those of the texts. Rows that are not counted yet are assumed to
// be there, and as large as the others.
func (d *database) keptTotals(ctx context.Context) (map[string]keptSize, error) {
	rows, err := d.readers.QueryContext(ctx, `SELECT kind, rows, bytes, until - counted FROM kept_totals`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	totals := map[string]keptSize{}
	for rows.Next() {
		var kind string
		var total keptSize
		var uncounted int64
		if err := rows.Scan(&kind, &total.rows, &total.bytes, &uncounted); err != nil {
			return nil, err
		}
		total.estimated = uncounted > 0
		if kind != edgelens.KeptResults { // nearly all results that are not counted yet are of jobs
			total.add(uncounted)
		}
		totals[kind] = total
	}
	return totals, rows.Err()
}

// add assumes that many more rows, as large as the others.
func (s *keptSize) add(rows int64) {
	size := int64(textBytes)
	if s.rows > 0 {
		size = s.bytes / s.rows
	}
	s.rows, s.bytes = s.rows+rows, s.bytes+rows*size
}

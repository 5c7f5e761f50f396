package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"edgelens"
	"edgelens/internal/datadir"
	"edgelens/internal/stored"
	"edgelens/internal/uuid7"
)

// Filling is a made-up history. Of its items, four in five are records of terminals with their jobs, one in ten is another
// job, and one in eleven a recognition that was answered at once.
type Filling struct {
	Items int
	// Until is the time of the newest item, and Span that from the oldest to it.
	Until time.Time
	Span  time.Duration
	// Devices is how many terminals there are.
	Devices int
	Seed    uint64
	// Spoil is the name of an index that is replaced by one which finds nothing by the columns of the former, to see what that costs;
	// "" for none.
	Spoil string
	// Progress is called now and then with the number of items so far; nil for no call.
	Progress func(items int)
}

// fillBatch is how many items share a transaction.
const fillBatch = 5000

// fillPragmas have nothing written twice, and keep the pages of indexes in memory: what is interrupted is thrown away.
const fillPragmas = `PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -524288`

// Fill adds a history to the ledger in dir, which no process may use, for benchmarks, and returns the size of its file in bytes. It
// keeps no images, and nothing is undelivered. Interrupted, it leaves a part, which may be damaged.
func Fill(ctx context.Context, dir string, f Filling) (bytes int64, err error) {
	if err := datadir.Make(dir); err != nil {
		return 0, fmt.Errorf("fill the ledger: %w", err)
	}
	path := filepath.Join(dir, databaseName)
	db, _, err := openWriter(ctx, path, checkTime)
	if err != nil {
		return 0, fmt.Errorf("fill the ledger: %w", err)
	}
	if err := errors.Join(f.fill(ctx, db), db.Close()); err != nil {
		return 0, fmt.Errorf("fill the ledger: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, fmt.Errorf("fill the ledger: %w", err)
	}
	return info.Size(), nil
}

func (f Filling) fill(ctx context.Context, db *sql.DB) error {
	if _, err := db.ExecContext(ctx, fillPragmas); err != nil {
		return err
	}
	if err := f.spoil(ctx, db); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(f.Seed, 1))
	for done := 0; done < f.Items; {
		n := min(fillBatch, f.Items-done)
		if err := f.batch(ctx, db, random, done, n); err != nil {
			return err
		}
		done += n
		if f.Progress != nil {
			f.Progress(done)
		}
	}
	return nil
}

// spoil replaces the index that is to be spoiled.
func (f Filling) spoil(ctx context.Context, db *sql.DB) error {
	if f.Spoil == "" {
		return nil
	}
	var table string
	if err := db.QueryRowContext(ctx, `SELECT tbl_name FROM sqlite_schema WHERE type = 'index' AND name = ?`, f.Spoil).Scan(&table); err != nil {
		return fmt.Errorf("find the index %q: %w", f.Spoil, err)
	}
	_, err := db.ExecContext(ctx, `DROP INDEX "`+f.Spoil+`"; CREATE INDEX "`+f.Spoil+`" ON "`+table+`" (seq)`)
	return err
}

// batch adds the items from a number on.
func (f Filling) batch(ctx context.Context, db *sql.DB, random *rand.Rand, from, n int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit, it does nothing
	for item := from; item < from+n; item++ {
		at := f.Until.Add(-f.Span + time.Duration(float64(f.Span)*float64(item+1)/float64(f.Items)))
		if err := f.item(ctx, tx, random, item, at); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// filledLabels are those of the made-up results.
var filledLabels = []string{"person", "car", "cat", "dog", "bicycle", "parcel", "nothing", "truck"}

// item adds one item.
func (f Filling) item(ctx context.Context, tx *sql.Tx, random *rand.Rand, item int, at time.Time) error {
	const digest = "sha256:5d3137241276e79c86d14a74fe43581398ae0e815191d3dba45495b810840e8c"
	hash := sha256.Sum256(fmt.Appendf(nil, "%d of %d", item, f.Seed))
	image := hex.EncodeToString(hash[:])
	label, probability := filledLabels[random.IntN(len(filledLabels))], 0.4+0.6*random.Float64()
	outcome := edgelens.OutcomeRecognized
	if random.IntN(20) == 0 {
		outcome = edgelens.OutcomeUncertain
	}
	r := edgelens.StoredResult{ID: uuid7.New(at), Source: "http", Outcome: outcome, Label: label, Probability: probability, CreatedAt: at}
	r.Result = &edgelens.Result{
		RequestID: uuid7.New(at), Model: edgelens.ModelRef{Name: "mobilenet_v2_1.0_224_int8", Digest: digest},
		Predictions: []edgelens.Prediction{{ClassID: 1, Label: label, Probability: probability}, {ClassID: 2, Label: "other", Probability: 0.1}, {ClassID: 3, Label: "another", Probability: 0.05}},
		Image:       edgelens.ImageInfo{Width: 1280, Height: 720, Format: "jpeg", SHA256: image},
		View:        edgelens.ShownView{View: edgelens.View{Fit: edgelens.FitCenter}, Count: 1},
		Timings:     edgelens.Timings{Queue: 120 * time.Microsecond, Decode: 4 * time.Millisecond, Preprocess: time.Millisecond, Inference: 7 * time.Millisecond, Total: 12 * time.Millisecond},
	}
	record, job := item%10 != 0 && item%10 != 5, item%10 != 5
	if record {
		r.Source, r.Device = "mqtt", fmt.Sprintf("door-%03d", random.IntN(f.Devices))
		r.ID = edgelens.RecordID("fungxi", r.Device, edgelens.RecordVerified, fmt.Sprint(item), image)
	}
	if job {
		r.JobID = uuid7.New(at)
		if err := execAll(ctx, tx, fillJob(&r, image, record)); err != nil {
			return err
		}
	}
	text, err := stored.MarshalResult(r.Result)
	if err != nil {
		return err
	}
	statements := []filledRow{{
		`INSERT INTO results (id, job_id, source, device, outcome, reason, freshness, freshness_reason, label, probability, created_at, result, owner) VALUES (?, ?, ?, ?, ?, '', '', '', ?, ?, ?, ?, '')`,
		[]any{r.ID, textOrNull(r.JobID), r.Source, r.Device, r.Outcome, r.Label, r.Probability, at.UnixMicro(), string(text)},
	}}
	if item >= f.Items-DefaultConfig().MaxEvents { // no more are kept
		statements = append(statements, filledRow{`INSERT INTO events (type, subject, owner, device, at, data) VALUES ('recognition', ?, '', ?, ?, ?)`,
			[]any{r.ID, r.Device, at.UnixMicro(), `{"id":"` + r.ID + `","device":"` + r.Device + `","outcome":"` + r.Outcome + `","label":"` + r.Label + `"}`}})
	}
	if record {
		statements = append(statements,
			filledRow{`INSERT INTO records (id, dialect, device, kind, record_key, passed, person_id, person_name, person_type, person_code, verdict, captured_at, received_at, retained, image_sha256, image_bytes, reason)
				VALUES (?, 'fungxi', ?, ?, ?, 1, ?, ?, '', '', ?, ?, ?, 0, ?, ?, '')`,
				[]any{r.ID, r.Device, edgelens.RecordVerified, fmt.Sprint(item), fmt.Sprint(random.IntN(2000)), "A person with a name", `{"VerifyStatus":"1","similarity1":"87.5"}`, at.UnixMicro(), at.UnixMicro(), image, 90_000}},
			filledRow{`INSERT INTO record_ids (id, at) VALUES (?, ?)`, []any{compactID(r.ID), at.UnixMicro()}},
			filledRow{`INSERT INTO deliveries (result_id, sink, attempts, delivered_at) VALUES (?, 'event', 1, ?)`, []any{r.ID, at.UnixMicro()}})
	}
	return execAll(ctx, tx, statements)
}

// fillJob returns the row of the finished job of a result.
func fillJob(r *edgelens.StoredResult, image string, record bool) []filledRow {
	var of any
	if record {
		of = r.ID
	}
	at := r.CreatedAt.UnixMicro()
	return []filledRow{{`INSERT INTO jobs (id, source, device, queue, model, top_k, min_score, no_cache, sha256, bytes, status, attempts, created_at, started_at, finished_at, kept_since, image, record_id)
		VALUES (?, ?, ?, 'interactive', 'mobilenet_v2_1.0_224_int8', 3, 0, 0, ?, 90000, 'succeeded', 1, ?, ?, ?, ?, 0, ?)`,
		[]any{r.JobID, r.Source, r.Device, image, at - 40_000, at - 20_000, at, at, of}}}
}

// filledRow is a statement that inserts a row.
type filledRow struct {
	statement string
	args      []any
}

func execAll(ctx context.Context, tx *sql.Tx, rows []filledRow) error {
	for _, row := range rows {
		if _, err := tx.ExecContext(ctx, row.statement, row.args...); err != nil {
			return err
		}
	}
	return nil
}

//go:build cgo

package ledger_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/mattn/go-sqlite3"

	"edgelens/internal/ledger"
)

// recordingDriver is SQLite, and notes every statement.
type recordingDriver struct{ sqlite3.SQLiteDriver }

func (d *recordingDriver) Open(name string) (driver.Conn, error) {
	conn, err := d.SQLiteDriver.Open(name)
	if err != nil {
		return nil, err
	}
	return recordingConn{conn.(*sqlite3.SQLiteConn)}, nil
}

type recordingConn struct{ *sqlite3.SQLiteConn }

func (c recordingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	noteStatement(query)
	return c.SQLiteConn.QueryContext(ctx, query, args)
}

func (c recordingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	noteStatement(query)
	return c.SQLiteConn.ExecContext(ctx, query, args)
}

// SQLite is for backups, which need the driver's own connection.
func (c recordingConn) SQLite() *sqlite3.SQLiteConn { return c.SQLiteConn }

var statements struct {
	sync.Mutex
	all map[string]bool
}

func noteStatement(query string) {
	statements.Lock()
	defer statements.Unlock()
	statements.all[query] = true
}

// recordStatements has every statement of the tests noted from now on.
func recordStatements() {
	statements.all = map[string]bool{}
	sql.Register("sqlite3 recorded", &recordingDriver{})
	ledger.UseDriver("sqlite3 recorded")
}

// ofProgram matches the statements that change or read rows of tables.
var ofProgram = regexp.MustCompile(`(?i)^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b`)

// scansAllowed are pieces of statements that may look at every row of a table, with the reason.
var scansAllowed = map[string]string{
	"count(*) FROM jobs),":                            "the counts in a backup",
	"SELECT seq, id, sha256, bytes FROM jobs WHERE":   "the images in a backup",
	"FROM examples ORDER BY examples.seq":             "the images in a backup",
	"kept_since < ?1) + (SELECT":                      "a restore",
	"WHERE id IN (SELECT record_id FROM outbox)":      "a restore",
	"DELETE FROM outbox WHERE device = ? RETURN":      "a device that is removed on request",
	"restored = 1, aside_at = ?1":                     "a restore",
	"FROM records r LEFT JOIN jobs j ON":              "an erasure on request",
	"FROM results s WHERE s.created_at < ? AND NOT":   "an erasure on request",
	"FROM examples WHERE result_id IN (SELECT r.id":   "an erasure on request",
	"SELECT seq FROM events WHERE subject IN":         "an erasure on request; ledger.max_events bounds it",
	"FROM results ORDER BY seq DESC LIMIT 1 OFFSET":   "similarity.max_vectors bounds it",
	"INSERT INTO record_ids (id, at) SELECT random":   "a helper of tests",
	"DELETE FROM outbox; DELETE FROM jobs;":           "a helper of tests",
	"SELECT seq, 0 FROM (SELECT seq, created_at":      "a page of a list, whose looks are bounded",
	"SELECT seq, 0 FROM (SELECT seq, ":                "a page of a list, whose looks are bounded",
	"SELECT seq, 0 FROM results NOT INDEXED WHERE":    "the end of a page, whose looks are bounded",
	"SELECT seq, 0 FROM jobs NOT INDEXED WHERE seq <": "the end of a page, whose looks are bounded",
}

// smallTables have a row for each device, key, series or the like, or a bounded number of rows, and may be read whole.
var smallTables = []string{"devices", "keys", "certificates", "enrolment_tokens", "chains", "device_keys", "clock_steps", "restores", "outbox_totals", "job_totals",
	"sensor_totals", "record_id_totals", "kept_totals", "sensor_series", "insights", "sqlite_schema", "sqlite_sequence", "goose_db_version", "datasets", "example_totals", "examples",
	"states", "state_changes", "embeddings", "embeddings_deleted", "embeddings_state"}

var (
	scanStep = regexp.MustCompile(`^SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?`)
	ofTable  = regexp.MustCompile(`(?i)\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)(?:\s+(?:AS\s+)?(\w+))?`)
)

// checkPlans returns what is wrong with the plans of the recorded statements: each must find its rows by an index. It is for a run
// of all tests, which make every statement of the program. SQLite plans alike whatever number of rows there is, as nothing runs
// its ANALYZE.
func checkPlans() (wrong []string) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "plans")
	if err != nil {
		return []string{err.Error()}
	}
	defer os.RemoveAll(dir)
	statements.Lock()
	all := slices.Sorted(maps.Keys(statements.all))
	statements.Unlock()
	l, err := ledger.Open(ctx, dir, quiet(), parts())
	if err != nil {
		return []string{err.Error()}
	}
	defer l.Close()
	partial, err := l.PartialIndexes(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	for _, statement := range all {
		if !ofProgram.MatchString(statement) || mayScan(statement) || ledger.IsMigration(statement) {
			continue
		}
		plan, err := l.Plan(ctx, statement)
		if err != nil {
			continue // of another schema, or made to fail
		}
		for _, step := range plan {
			m := scanStep.FindStringSubmatch(step)
			if m == nil || m[1] == "CONSTANT" || strings.HasPrefix(m[1], "pragma_") || partial[m[2]] {
				continue
			}
			if table, known := tableOf(statement, m[1]); known && !slices.Contains(smallTables, table) {
				wrong = append(wrong, statement+"\n\t"+strings.Join(plan, "\n\t"))
				break
			}
		}
	}
	return wrong
}

func mayScan(statement string) bool {
	for piece := range scansAllowed {
		if strings.Contains(statement, piece) {
			return true
		}
	}
	return false
}

// tableOf returns the table of a name in a statement, which may be an alias; known is false for a subquery.
func tableOf(statement, name string) (table string, known bool) {
	for _, m := range ofTable.FindAllStringSubmatch(statement, -1) {
		if m[1] == name || m[2] == name {
			return m[1], !strings.EqualFold(m[1], "select") && !isSubquery(statement, m[1])
		}
	}
	return "", false
}

// isSubquery reports whether the statement names a subquery so (WITH RECURSIVE d ...).
func isSubquery(statement, name string) bool {
	return strings.Contains(statement, "RECURSIVE "+name+" ")
}

// exitByPlans ends the process of the tests: after a run of all of them that passed, with a failure where a plan is wrong.
func exitByPlans(code int) {
	if only := flag.Lookup("test.run"); code == 0 && (only == nil || only.Value.String() == "") {
		for _, w := range checkPlans() {
			fmt.Println("--- FAIL: this statement looks at every row of a table:", w)
			code = 1
		}
	}
	os.Exit(code)
}

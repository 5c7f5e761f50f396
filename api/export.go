package api

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"edgelens"
)

const (
	// exportPage is how many results are in memory at a time for an export.
	exportPage = 200
	// maxExports is how many run at a time: each reads the disk.
	maxExports = 2
	// exportTimeout is how long a client may take to receive a page.
	exportTimeout = 30 * time.Second
)

// tooManyExports is the error of one more.
var tooManyExports = &edgelens.Busy{RetryAfter: 10 * time.Second, Reason: "two exports run already; try again once one has ended"}

// serveExport answers GET /api/results/export.
func (s *Server) serveExport(c echo.Context) error {
	ctx := c.Request().Context()
	filter, format, err := readExport(ctx, c)
	if err != nil {
		return err
	}
	select {
	case s.exporting <- struct{}{}:
		defer func() { <-s.exporting }()
	default:
		return tooManyExports
	}
	filter.Limit = exportPage
	page, next, err := s.history.Results(ctx, filter) // before the status: it may be an error
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Type", format.contentType)
	h.Set("Content-Disposition", `attachment; filename="edgelens-results-`+time.Now().UTC().Format("20060102-150405")+format.extension+`"`)
	h.Set("Cache-Control", "no-store")
	c.Response().WriteHeader(http.StatusOK)
	if original(c.Request()).Method == http.MethodHead {
		return nil
	}
	control := http.NewResponseController(c.Response().Writer)
	buffered := bufio.NewWriter(c.Response())
	write := format.writer(buffered)
	for {
		_ = control.SetWriteDeadline(time.Now().Add(exportTimeout)) // fails without a connection, as in a test
		if err := write(page); err != nil {
			return abort()
		}
		if err := buffered.Flush(); err != nil {
			return abort()
		}
		if next == "" {
			return nil
		}
		filter.Cursor = next
		if page, next, err = s.history.Results(ctx, filter); err != nil || s.isStopping() || s.stillPermitted(c.Request()) != nil {
			return abort()
		}
	}
}

// abort ends the connection in the middle of a response, so that the client knows that it is incomplete.
func abort() error { panic(http.ErrAbortHandler) }

// exportFormat is a form of a file with results.
type exportFormat struct {
	contentType, extension string
	// writer returns a function that writes one page after the other.
	writer func(io.Writer) func([]edgelens.StoredResult) error
}

var exportFormats = map[string]exportFormat{
	"csv":    {"text/csv; charset=utf-8", ".csv", csvWriter},
	"ndjson": {"application/x-ndjson", ".ndjson", ndjsonWriter},
}

// readExport reads the query, which checkQuery has checked.
func readExport(ctx context.Context, c echo.Context) (edgelens.ResultFilter, exportFormat, error) {
	var p ListResultsParams
	values := c.QueryParams()
	for name, into := range map[string]**string{"device": &p.Device, "label": &p.Label} {
		if values.Has(name) {
			value := values.Get(name)
			*into = &value
		}
	}
	p.Outcome, p.Source = optional(Outcome(values.Get("outcome"))), optional(Source(values.Get("source")))
	for name, into := range map[string]**time.Time{"since": &p.Since, "until": &p.Until} {
		if at, err := time.Parse(time.RFC3339Nano, values.Get(name)); err == nil {
			*into = &at
		}
	}
	name := values.Get("format")
	if name == "" {
		name = "csv"
	}
	filter, err := newResultFilter(ctx, p)
	format, known := exportFormats[name]
	if err == nil && !known {
		err = fmt.Errorf("%w: format must be csv or ndjson", edgelens.ErrInvalid)
	}
	return filter, format, err
}

func ndjsonWriter(w io.Writer) func([]edgelens.StoredResult) error {
	encoder := json.NewEncoder(w)
	return func(page []edgelens.StoredResult) error {
		for _, result := range page {
			if err := encoder.Encode(newListedResult(result)); err != nil {
				return err
			}
		}
		return nil
	}
}

// csvColumns are the names in the first line.
var csvColumns = []string{
	"id", "created_at", "source", "device", "outcome", "label", "probability", "quality", "model", "freshness", "reason", "freshness_reason", "error_code", "job_id",
}

func csvWriter(w io.Writer) func([]edgelens.StoredResult) error {
	table := csv.NewWriter(w)
	header := true
	return func(page []edgelens.StoredResult) error {
		if header {
			header = false
			if err := table.Write(csvColumns); err != nil {
				return err
			}
		}
		for _, result := range page {
			if err := table.Write(csvRow(result)); err != nil {
				return err
			}
		}
		table.Flush()
		return table.Error()
	}
}

func csvRow(r edgelens.StoredResult) []string {
	probability, quality, model, code := "", "", "", ""
	if r.Label != "" {
		probability = strconv.FormatFloat(r.Probability, 'f', -1, 64)
	}
	if r.Result != nil {
		model = r.Result.Model.Name
		if r.Result.Quality != nil {
			quality = r.Result.Quality.Verdict
		}
	}
	if r.Error != nil {
		code = r.Error.Code
	}
	row := []string{
		r.ID, r.CreatedAt.UTC().Format(time.RFC3339Nano), r.Source, r.Device, r.Outcome, r.Label, probability, quality, model,
		string(r.Freshness), r.Reason, r.FreshnessReason, code, r.JobID,
	}
	for i, cell := range row {
		row[i] = harmless(cell)
	}
	return row
}

// harmless returns a cell that a spreadsheet shows and does not run as a formula
// (https://owasp.org/www-community/attacks/CSV_Injection).
func harmless(cell string) string {
	if strings.ContainsAny(cell[:min(1, len(cell))], "=+-@\t\r\n") {
		return "'" + cell
	}
	return cell
}

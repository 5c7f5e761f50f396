package api

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"edgelens"
)

// isCompressed reads the Content-Encoding of a request (RFC 9110 8.4): gzip is
// decoded, anything else rejected.
func isCompressed(c echo.Context) (bool, error) {
	compressed := false
	for _, line := range c.Request().Header.Values("Content-Encoding") {
		for coding := range strings.SplitSeq(line, ",") {
			switch coding = strings.ToLower(strings.TrimSpace(coding)); {
			case coding == "", coding == "identity":
			case (coding == "gzip" || coding == "x-gzip") && !compressed:
				compressed = true
			default:
				c.Response().Header().Set("Accept-Encoding", "gzip")
				return false, echo.NewHTTPError(http.StatusUnsupportedMediaType, fmt.Sprintf(
					"The Content-Encoding %q is not supported. Send the body as it is, or compressed once by gzip.", short(line)))
			}
		}
	}
	return compressed, nil
}

// gzipBody decompresses a body while it is read; its reader limits the decompressed
// size.
type gzipBody struct {
	io.ReadCloser
	gzip *gzip.Reader
}

// Read implements io.Reader. Errors of gzip are ErrInvalid.
func (b *gzipBody) Read(p []byte) (n int, err error) {
	if b.gzip == nil { // not before the first Read: the client may wait for 100 Continue
		b.gzip, err = gzip.NewReader(b.ReadCloser)
	}
	if err == nil {
		n, err = b.gzip.Read(p)
	}
	if err != nil && !errors.Is(err, io.EOF) && !isWorded(err) || err == io.EOF && b.gzip == nil {
		err = fmt.Errorf("%w: the body is not complete gzip data, as Content-Encoding declares", edgelens.ErrInvalid)
	}
	return n, err
}

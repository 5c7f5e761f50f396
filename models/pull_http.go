package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"
)

// request makes one GET (RFC 9110, with Range if the part has bytes already) and
// appends the response body to the part.
func (d *download) request(ctx context.Context, p place, part *os.File, have int64) error {
	answerTimeout := orDefault(d.puller.AnswerTimeout, 15*time.Second)
	stallTimeout := orDefault(d.puller.StallTimeout, 30*time.Second)
	noAnswer := fmt.Errorf("it did not respond within %v", answerTimeout)
	stalled := fmt.Errorf("it sent nothing for %v", stallTimeout)

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return &hopelessError{errors.New("its URL cannot be used")}
	}
	req.Header.Set("Accept-Encoding", "identity") // ranges and sizes are those of the file
	req.Header.Set("User-Agent", "edgelens")
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}

	answerTimer := time.AfterFunc(answerTimeout, func() { cancel(noAnswer) })
	resp, err := d.client.Do(req)
	answerTimer.Stop()
	if err != nil {
		return requestError(ctx, err)
	}
	defer resp.Body.Close()
	if have, err = d.startAt(resp, part, have); err != nil {
		return err
	}
	stallTimer := time.AfterFunc(stallTimeout, func() { cancel(stalled) })
	defer stallTimer.Stop()
	body := &watchedReader{from: resp.Body, timer: stallTimer, timeout: stallTimeout}
	if err := d.receive(ctx, p, part, have, body); err != nil {
		if cause := context.Cause(ctx); cause == stalled {
			return cause
		}
		return err
	}
	return nil
}

// startAt reads the status of a response and returns the offset in the part at
// which its body belongs; at offset 0 it empties the part.
func (d *download) startAt(resp *http.Response, part *os.File, have int64) (int64, error) {
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		if n := resp.ContentLength; n >= 0 && n != d.file.Size {
			return 0, &hopelessError{fmt.Errorf("it has %d bytes; the manifest has %d", n, d.file.Size)}
		}
		return 0, empty(part)
	case code == http.StatusPartialContent && have > 0:
		if !continues(resp.Header.Get("Content-Range"), have, d.file.Size) {
			return 0, startAgain(part)
		}
		return have, nil
	case code == http.StatusRequestedRangeNotSatisfiable && have > 0:
		return 0, startAgain(part)
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooManyRequests:
		return 0, fmt.Errorf("it responded with %s", status(code))
	default:
		return 0, &hopelessError{fmt.Errorf("it responded with %s", status(code))}
	}
}

// status names a code by the standard's phrase, not the server's.
func status(code int) string {
	return fmt.Sprintf("%d %s", code, http.StatusText(code))
}

func startAgain(part *os.File) error {
	if err := empty(part); err != nil {
		return err
	}
	return errStartAgain
}

// continues reports whether a Content-Range (RFC 9110, section 14.4) is the rest
// of a file of size bytes from have on.
func continues(contentRange string, have, size int64) bool {
	return contentRange == fmt.Sprintf("bytes %d-%d/%d", have, size-1, size) ||
		contentRange == fmt.Sprintf("bytes %d-%d/*", have, size-1)
}

// requestError is the short reason why there was no response. It leaves out the
// URL, which is shown with the place, and could contain a secret here.
func requestError(ctx context.Context, err error) error {
	for _, hopeless := range []error{errPlainRedirect, errManyRedirects} {
		if errors.Is(err, hopeless) {
			return &hopelessError{hopeless}
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// watchedReader resets the timer when bytes arrive.
type watchedReader struct {
	from    io.Reader
	timer   *time.Timer
	timeout time.Duration
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.from.Read(p)
	if n > 0 {
		w.timer.Reset(w.timeout)
	}
	return n, err
}

package api

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"edgelens"
)

const (
	// tokenPrefix begins every token. Where no key is needed, other credentials are those of a proxy.
	tokenPrefix = "elk_"
	// keyField is the field of a form with a token, and csrfField that with a session's.
	keyField, csrfField = "api_key", "csrf_token"
	// csrfHeader is the header with a session's token.
	csrfHeader = "X-CSRF-Token"
	// maxFormHead is how much of a form is searched for such a field.
	maxFormHead = 8 << 10
	// maxCredential bounds a token in a form.
	maxCredential = 512
)

// isCredential reports whether a form's field is no option, but one of those above.
func isCredential(name string) bool { return name == keyField || name == csrfField }

// headerToken returns the token in the headers, "" if there is none. Two different ones are an edgelens.ErrInvalid, as
// either could be meant.
func headerToken(h http.Header) (string, error) {
	token := ""
	add := func(found string) error {
		if found = strings.TrimSpace(found); found == "" || found == token {
			return nil
		}
		if token != "" {
			return fmt.Errorf("%w: the request has two different keys; send one, in one header", edgelens.ErrInvalid)
		}
		token = found
		return nil
	}
	for _, line := range h.Values("Authorization") {
		if err := add(authorizationToken(line)); err != nil {
			return "", err
		}
	}
	for _, line := range h.Values("X-API-Key") {
		if err := add(line); err != nil {
			return "", err
		}
	}
	return token, nil
}

// authorizationToken returns the token of an Authorization header: of Bearer, or the password of Basic. Another scheme
// has none.
func authorizationToken(line string) string {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(scheme) {
	case "bearer":
		return rest
	case "basic":
		text, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return ""
		}
		_, password, _ := strings.Cut(string(text), ":")
		return password
	}
	return ""
}

// peekedBody is a body of which a part was read ahead.
type peekedBody struct {
	io.Reader
	io.Closer
}

// isForm reports whether a request has a form by its Content-Type, in which a field can be found.
func isForm(r *http.Request) bool {
	media := mediaType(r.Header.Get("Content-Type"))
	return r.Body != nil && r.Body != http.NoBody && r.Header.Get("Content-Encoding") == "" &&
		(media == "application/x-www-form-urlencoded" || strings.HasPrefix(media, "multipart/"))
}

// peekField returns the value of a field at the beginning of a form, before the file; "" if there is none. The body is
// still whole afterwards.
func peekField(r *http.Request, name string) string {
	if !isForm(r) {
		return ""
	}
	exchangeFrom(r.Context()).bodyRead = true
	body := bufio.NewReaderSize(r.Body, maxFormHead)
	r.Body = peekedBody{body, r.Body}
	// Most forms have it in the first bytes, and a long one need not be waited for.
	for _, n := range []int{1 << 10, maxFormHead} {
		_, err := body.Peek(n)
		head, _ := body.Peek(min(body.Buffered(), maxFormHead)) // what there is
		// An error, or the end, is met by the handler, too.
		if value, settled := fieldIn(head, r.Header.Get("Content-Type"), name, err != nil); settled || err != nil {
			return value
		}
	}
	return ""
}

// fieldIn returns the value of a field in the beginning of a form; whole if that is all of it. settled is false where
// more of the form could have the field.
func fieldIn(head []byte, contentType, name string, whole bool) (value string, settled bool) {
	if mediaType(contentType) == "application/x-www-form-urlencoded" && formBoundary(head, contentType) == "" {
		return urlencodedField(head, name, whole)
	}
	boundary := formBoundary(head, contentType)
	if boundary == "" {
		return "", true // the handler rejects it
	}
	parts := multipart.NewReader(bytes.NewReader(head), boundary)
	for range maxFields {
		part, err := parts.NextPart()
		if err != nil {
			return "", false
		}
		field, _, isFile := disposition(part.Header.Get("Content-Disposition"))
		switch {
		case isFile:
			return "", true
		case field != name:
			continue
		}
		text, err := io.ReadAll(io.LimitReader(part, maxCredential+1))
		if err != nil {
			return "", false // cut off
		}
		return strings.TrimSpace(string(text)), true
	}
	return "", true
}

func urlencodedField(head []byte, name string, whole bool) (value string, settled bool) {
	text := string(head)
	if !whole { // the last field may be cut off
		text = text[:max(strings.LastIndexByte(text, '&'), 0)]
	}
	for pair := range strings.SplitSeq(text, "&") {
		escaped, value, _ := strings.Cut(pair, "=")
		if field, err := url.QueryUnescape(escaped); err != nil || field != name {
			continue
		}
		value, err := url.QueryUnescape(value)
		if err != nil || len(value) > maxCredential {
			return "", true
		}
		return strings.TrimSpace(value), true
	}
	return "", whole
}

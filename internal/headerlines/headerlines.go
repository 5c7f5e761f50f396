// Package headerlines parses settings that list the headers of requests, a "Name: value" a line.
package headerlines

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Parse returns the headers in a text. own are those, in canonical form, that the sender sets itself and refuses here. The
// error repeats no value: they are secret.
func Parse(text string, own map[string]bool) (http.Header, error) {
	headers := http.Header{}
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, found := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		name, value = http.CanonicalHeaderKey(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !found || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value):
			return nil, errors.New(`headers must have a header a line, such as "Authorization: Bearer ..."`)
		case own[name]:
			return nil, fmt.Errorf("headers must not have %s, which edgelens sets itself", name)
		}
		headers.Add(name, value)
	}
	return headers, nil
}

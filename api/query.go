package api

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"edgelens"
	"edgelens/internal/similar"
)

// parameters are the query parameters of one operation in openapi.yaml. The
// generated code ignores unknown ones and returns errors in the words of the
// standard library, so they are checked before it runs.
type parameters struct {
	all map[string]parameter
	// names are sorted.
	names []string
	// lenient operations ignore unknown names.
	lenient bool
}

// parameterKind is what the value of a parameter is.
type parameterKind int

const (
	textParameter parameterKind = iota
	integerParameter
	numberParameter
	booleanParameter
	// timeParameter is a time as in RFC 3339.
	timeParameter
	// listParameter may be given several times, each time with one of its items.
	listParameter
)

// String is the name of the type in OpenAPI.
func (k parameterKind) String() string {
	return [...]string{"string", "integer", "number", "boolean", "date-time", "array"}[k]
}

// parameter is the schema of a query parameter; nil pointers are for no bound. tools/parameters writes them all.
type parameter struct {
	kind                parameterKind
	min, max            *float64
	minLength           int
	maxLength, maxItems *int
	// words are the values that a text may have; empty for any.
	words []string
	items *parameter
}

func newParameters(method, path string, all map[string]parameter) *parameters {
	return &parameters{
		all: all, names: slices.Sorted(maps.Keys(all)),
		lenient: !strings.HasPrefix(path, "/api/") && (method == http.MethodGet || loginRoutes[path]),
	}
}

// checkQuery rejects a query string that cannot be read or has a parameter that
// the operation does not have: if it were ignored, the response would be wrong.
func (s *Server) checkQuery(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.URL.RawQuery == "" {
			return next(c)
		}
		values, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return fmt.Errorf("%w: the query string cannot be read; put & between parameters, and write %% as %%25, ; as %%3B and + as %%2B in values", edgelens.ErrInvalid)
		}
		p := operations[r.Method+" "+route(c)]
		if p == nil {
			return next(c) // there is no such operation
		}
		checked, err := p.check(values)
		if err != nil {
			return err
		}
		copied := *r.URL
		copied.RawQuery = checked.Encode()
		r.URL = &copied
		return next(c)
	}
}

// check returns the values in the form that the generated code reads,
// each once.
func (p *parameters) check(values url.Values) (url.Values, error) {
	checked := url.Values{}
	for name, given := range values {
		schema, known := p.all[name]
		if !known {
			if p.lenient {
				continue
			}
			return nil, p.unknown(name)
		}
		if schema.kind == listParameter {
			if err := readList(checked, name, given, &schema); err != nil {
				return nil, err
			}
			continue
		}
		for _, text := range given {
			value, err := readParameter(name, text, &schema)
			if err != nil {
				return nil, err
			}
			if checked.Has(name) && checked.Get(name) != value {
				return nil, fmt.Errorf("%w: the parameter %s is given twice, with different values; send it once", edgelens.ErrInvalid, name)
			}
			checked.Set(name, value)
		}
	}
	return checked, nil
}

// readList adds the values of a parameter that may be given several times.
func readList(checked url.Values, name string, given []string, schema *parameter) error {
	if schema.maxItems != nil && len(given) > *schema.maxItems {
		return fmt.Errorf("%w: %s may be given at most %d times", edgelens.ErrInvalid, name, *schema.maxItems)
	}
	for _, text := range given {
		value, err := readParameter(name, text, schema.items)
		if err != nil {
			return err
		}
		checked.Add(name, value)
	}
	return nil
}

func (p *parameters) unknown(name string) error {
	if len(p.names) == 0 {
		return fmt.Errorf("%w: there is no parameter %q; this path has none", edgelens.ErrInvalid, short(name))
	}
	meant := ""
	if best := p.meant(name); best != "" {
		meant = "; did you mean " + best + "?"
	}
	return fmt.Errorf("%w: there is no parameter %q%s (This path has %s.)", edgelens.ErrInvalid, short(name), meant, strings.Join(p.names, ", "))
}

func (p *parameters) meant(name string) string {
	if option := meantOption(name); slices.Contains(p.names, option) {
		return option
	}
	return similar.Name(strings.ToLower(short(name)), p.names)
}

// readParameter returns a value in the form that the generated code reads.
func readParameter(name, text string, schema *parameter) (string, error) {
	switch schema.kind {
	case integerParameter:
		return readInteger(name, text, schema)
	case numberParameter:
		if value, ok := readNumber(text); ok && inRange(value, schema) {
			return strconv.FormatFloat(value, 'g', -1, 64), nil
		}
		return "", badParameter(name, text, "a number"+rangeOf(schema)+" with a decimal point")
	case booleanParameter:
		if value, ok := readBool(text); ok {
			return fmt.Sprint(value), nil
		}
		return "", badParameter(name, text, "true or false")
	case timeParameter:
		return readDateTime(name, text)
	}
	if words := schema.words; len(words) > 0 {
		if slices.Contains(words, text) {
			return text, nil
		}
		return "", badParameter(name, text, strings.Join(words[:len(words)-1], ", ")+" or "+words[len(words)-1])
	}
	return text, checkLength(name, text, schema)
}

// readInteger accepts 3.0 for 3, as JSON Schema does.
func readInteger(name, text string, schema *parameter) (string, error) {
	value, ok := readNumber(text)
	if whole := int64(value); ok && value == float64(whole) && inRange(value, schema) {
		return strconv.FormatInt(whole, 10), nil
	}
	return "", badParameter(name, text, "a whole number"+rangeOf(schema))
}

func inRange(value float64, schema *parameter) bool {
	return (schema.min == nil || value >= *schema.min) && (schema.max == nil || value <= *schema.max)
}

func rangeOf(schema *parameter) string {
	if schema.min == nil || schema.max == nil {
		return ""
	}
	return " from " + strconv.FormatFloat(*schema.min, 'f', -1, 64) + " to " + strconv.FormatFloat(*schema.max, 'f', -1, 64)
}

// readDateTime accepts RFC 3339, in which T and Z may be in lower case.
func readDateTime(name, text string) (string, error) {
	at, err := time.Parse(time.RFC3339, strings.ToUpper(text))
	if err != nil {
		return "", badParameter(name, text, "a time with its zone as in RFC 3339, such as 2026-05-01T10:00:00Z or 2026-05-01T10:00:00%2B02:00 (+ is %2B in a query)")
	}
	return at.Format(time.RFC3339Nano), nil
}

func checkLength(name, text string, schema *parameter) error {
	if len(text) < schema.minLength {
		return badParameter(name, text, "not empty, or omitted")
	}
	if schema.maxLength != nil && utf8.RuneCountInString(text) > *schema.maxLength {
		return fmt.Errorf("%w: %s must have at most %d characters", edgelens.ErrInvalid, name, *schema.maxLength)
	}
	return nil
}

func badParameter(name, text, wanted string) error {
	return fmt.Errorf("%w: %s must be %s, and not %q", edgelens.ErrInvalid, name, wanted, short(text))
}

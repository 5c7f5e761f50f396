package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"edgelens"
	"edgelens/internal/similar"
)

// parameters are the query parameters of one operation in openapi.yaml. The
// generated code ignores unknown ones and returns errors in the words of the
// standard library, so they are checked before it runs.
type parameters struct {
	schemas map[string]*openapi3.Schema
	// names are sorted.
	names []string
	// lenient operations ignore unknown names.
	lenient bool
}

// operations are the parameters by method and route.
type operations map[string]*parameters

// newOperations reads the query parameters of every operation.
func newOperations(doc *openapi3.T) operations {
	all := operations{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			p := &parameters{schemas: map[string]*openapi3.Schema{}, lenient: !strings.HasPrefix(path, "/api/") && (method == http.MethodGet || loginRoutes[path])}
			for _, parameter := range operation.Parameters {
				if parameter.Value.In == openapi3.ParameterInQuery {
					p.schemas[parameter.Value.Name] = parameter.Value.Schema.Value
					p.names = append(p.names, parameter.Value.Name)
				}
			}
			slices.Sort(p.names)
			all[method+" "+echoPath(path)] = p
		}
	}
	return all
}

// echoPath is a path of openapi.yaml as Echo writes it: /jobs/:id for /jobs/{id}.
func echoPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
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
		p := s.operations[r.Method+" "+route(c)]
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
		schema, known := p.schemas[name]
		if !known {
			if p.lenient {
				continue
			}
			return nil, p.unknown(name)
		}
		if schema.Type.Is(openapi3.TypeArray) {
			if err := readList(checked, name, given, schema); err != nil {
				return nil, err
			}
			continue
		}
		for _, text := range given {
			value, err := readParameter(name, text, schema)
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
func readList(checked url.Values, name string, given []string, schema *openapi3.Schema) error {
	if schema.MaxItems != nil && uint64(len(given)) > *schema.MaxItems {
		return fmt.Errorf("%w: %s may be given at most %d times", edgelens.ErrInvalid, name, *schema.MaxItems)
	}
	for _, text := range given {
		value, err := readParameter(name, text, schema.Items.Value)
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
func readParameter(name, text string, schema *openapi3.Schema) (string, error) {
	switch {
	case schema.Type.Is(openapi3.TypeInteger):
		return readInteger(name, text, schema)
	case schema.Type.Is(openapi3.TypeNumber):
		if value, ok := readNumber(text); ok && inRange(value, schema) {
			return strconv.FormatFloat(value, 'g', -1, 64), nil
		}
		return "", badParameter(name, text, "a number"+rangeOf(schema)+" with a decimal point")
	case schema.Type.Is(openapi3.TypeBoolean):
		if value, ok := readBool(text); ok {
			return fmt.Sprint(value), nil
		}
		return "", badParameter(name, text, "true or false")
	case schema.Format == "date-time":
		return readDateTime(name, text)
	case len(schema.Enum) > 0:
		if slices.Contains(schema.Enum, any(text)) {
			return text, nil
		}
		words := make([]string, len(schema.Enum))
		for i, value := range schema.Enum {
			words[i] = fmt.Sprint(value)
		}
		return "", badParameter(name, text, strings.Join(words[:len(words)-1], ", ")+" or "+words[len(words)-1])
	}
	return text, checkLength(name, text, schema)
}

// readInteger accepts 3.0 for 3, as JSON Schema does.
func readInteger(name, text string, schema *openapi3.Schema) (string, error) {
	value, ok := readNumber(text)
	if whole := int64(value); ok && value == float64(whole) && inRange(value, schema) {
		return strconv.FormatInt(whole, 10), nil
	}
	return "", badParameter(name, text, "a whole number"+rangeOf(schema))
}

func inRange(value float64, schema *openapi3.Schema) bool {
	return (schema.Min == nil || value >= *schema.Min) && (schema.Max == nil || value <= *schema.Max)
}

func rangeOf(schema *openapi3.Schema) string {
	if schema.Min == nil || schema.Max == nil {
		return ""
	}
	return " from " + strconv.FormatFloat(*schema.Min, 'f', -1, 64) + " to " + strconv.FormatFloat(*schema.Max, 'f', -1, 64)
}

// readDateTime accepts RFC 3339, in which T and Z may be in lower case.
func readDateTime(name, text string) (string, error) {
	at, err := time.Parse(time.RFC3339, strings.ToUpper(text))
	if err != nil {
		return "", badParameter(name, text, "a time with its zone as in RFC 3339, such as 2026-05-01T10:00:00Z or 2026-05-01T10:00:00%2B02:00 (+ is %2B in a query)")
	}
	return at.Format(time.RFC3339Nano), nil
}

func checkLength(name, text string, schema *openapi3.Schema) error {
	if uint64(len(text)) < schema.MinLength {
		return badParameter(name, text, "not empty, or omitted")
	}
	if schema.MaxLength != nil && uint64(len([]rune(text))) > *schema.MaxLength {
		return fmt.Errorf("%w: %s must have at most %d characters", edgelens.ErrInvalid, name, *schema.MaxLength)
	}
	return nil
}

func badParameter(name, text, wanted string) error {
	return fmt.Errorf("%w: %s must be %s, and not %q", edgelens.ErrInvalid, name, wanted, short(text))
}

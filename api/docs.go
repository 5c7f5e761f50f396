package api

import (
	"bytes"
	_ "embed" // docs.html
	"fmt"
	"html/template"
	"sort"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

//go:embed docs.html
var docsTemplate string

// docsOperation is one call on the page.
type docsOperation struct {
	Method, Path, Summary, Description string
	Parameters                         []docsField
	Bodies                             []docsBody
	Answers                            []docsBody
}

type docsField struct {
	Name, Where, Type, Description string
	Required                       bool
}

// docsBody is the body of a request or response in one content type.
type docsBody struct {
	Status, ContentType, Description string
	Fields                           []docsField
}

// description is openapi.yaml, which takes longer to read than a test of a
// handler.
var description = sync.OnceValues(func() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromData(specification) })

// docsPage is the HTML page of the description.
var docsPage = sync.OnceValues(func() ([]byte, error) {
	doc, err := description()
	if err != nil {
		return nil, err
	}
	return renderDocs(doc)
})

// renderDocs makes an HTML page of the OpenAPI description: without scripts
// or external resources, so that it works without a network.
func renderDocs(doc *openapi3.T) ([]byte, error) {
	var operations []docsOperation
	for _, path := range doc.Paths.InMatchingOrder() {
		for method, operation := range doc.Paths.Value(path).Operations() {
			operations = append(operations, newDocsOperation(method, path, operation))
		}
	}
	sort.Slice(operations, func(i, j int) bool {
		a, b := operations[i], operations[j]
		return a.Path < b.Path || a.Path == b.Path && a.Method < b.Method
	})
	page, err := template.New("docs").Parse(docsTemplate)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, map[string]any{"Title": doc.Info.Title, "Description": doc.Info.Description, "Operations": operations})
	return out.Bytes(), err
}

func newDocsOperation(method, path string, operation *openapi3.Operation) docsOperation {
	o := docsOperation{Method: method, Path: path, Summary: operation.Summary, Description: operation.Description}
	for _, p := range operation.Parameters {
		o.Parameters = append(o.Parameters, docsField{
			Name: p.Value.Name, Where: p.Value.In, Type: schemaType(p.Value.Schema), Description: p.Value.Description, Required: p.Value.Required,
		})
	}
	if operation.RequestBody != nil {
		o.Bodies = docsBodies("", "", operation.RequestBody.Value.Content)
	}
	for _, status := range sortedKeys(operation.Responses.Map()) {
		answer := operation.Responses.Value(status).Value
		description := ""
		if answer.Description != nil {
			description = *answer.Description
		}
		o.Answers = append(o.Answers, docsBodies(status, description, answer.Content)...)
	}
	return o
}

func docsBodies(status, description string, content openapi3.Content) []docsBody {
	var bodies []docsBody
	for _, contentType := range sortedKeys(content) {
		body := docsBody{Status: status, ContentType: contentType, Description: description}
		schema := content[contentType].Schema
		for _, name := range sortedKeys(schema.Value.Properties) {
			property := schema.Value.Properties[name]
			body.Fields = append(body.Fields, docsField{Name: name, Type: schemaType(property), Description: property.Value.Description})
		}
		bodies = append(bodies, body)
	}
	return bodies
}

// schemaType describes a schema briefly: its type, range and default.
func schemaType(ref *openapi3.SchemaRef) string {
	schema := ref.Value
	words := strings.Join(schema.Type.Slice(), " or ")
	if len(schema.OneOf) > 0 {
		types := make([]string, len(schema.OneOf))
		for i, one := range schema.OneOf {
			types[i] = schemaType(one)
		}
		words = strings.Join(types, " or ")
	}
	if schema.Items != nil {
		words += " of " + schemaType(schema.Items)
	}
	if len(schema.Properties) > 0 {
		words += " {" + strings.Join(sortedKeys(schema.Properties), ", ") + "}"
	}
	if len(schema.Enum) > 0 {
		words += fmt.Sprintf(" %v", schema.Enum)
	}
	if schema.Min != nil && schema.Max != nil {
		words += fmt.Sprintf(" %v to %v", *schema.Min, *schema.Max)
	}
	if schema.Default != nil {
		words += fmt.Sprintf(", default %v", schema.Default)
	}
	return words
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

package api

import (
	"bytes"
	_ "embed" // the page and its parts
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"
	"github.com/yuin/goldmark"
)

var (
	//go:embed docs.html
	docsTemplate string
	//go:embed docs.css
	docsStyle []byte
	//go:embed docs.js
	docsScript []byte
)

// firstTag is the tag of what the service is for; the others follow in their order.
const firstTag = "recognition"

// docsGroup has the calls of a tag.
type docsGroup struct {
	Name       string
	About      template.HTML
	Operations []docsOperation
}

// docsOperation is one call on the page.
type docsOperation struct {
	ID, Method, Path, Summary string
	Description               template.HTML
	Parameters                []docsField
	Bodies                    []docsBody
	Answers                   []docsBody
	// Errors are the statuses of answers that are problems.
	Errors []string
	Try    docsTry
}

type docsField struct {
	Name, Where, Type string
	Description       template.HTML
	Required          bool
	// Secret is true for a value that is not shown.
	Secret bool
	// Choices are the values that there are; none where any may be.
	Choices []string
	Example string
}

// docsBody is the body of a request or response in one content type.
type docsBody struct {
	Status, ContentType string
	Description         template.HTML
	Fields              []docsField
	Example             string
}

// docsTry is what the form for trying a call needs.
type docsTry struct {
	// Image asks for a file, JSON for a text, whose first value it is, and Form for the fields of a form.
	Image bool
	JSON  string
	Form  []docsField
	// Changes is true where a session needs its token.
	Changes bool
}

// description is openapi.yaml. To read it takes a tenth of a second of a fast core, which is a quarter of a start: Prepare
// reads it afterwards.
var description = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(specification)
	if err != nil {
		return nil, fmt.Errorf("read the API description: %w", err)
	}
	return doc, nil
})

// docsPage is the HTML page of the description.
var docsPage = sync.OnceValues(func() ([]byte, error) {
	doc, err := description()
	if err != nil {
		return nil, err
	}
	return renderDocs(doc)
})

// Prepare reads the description and renders the pages of documentation, so that the first request that needs them does not
// wait for it. An error, which the first request would get, is a defect of the program.
func Prepare() error {
	_, docs := docsPage()
	_, runbook := runbookPage()
	return errors.Join(docs, runbook)
}

// rendered answers with a page that is rendered once.
func rendered(page func() ([]byte, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		html, err := page()
		if err != nil {
			return err
		}
		c.Response().Header().Set("Content-Security-Policy", docsPolicy)
		return fixed(echo.MIMETextHTMLCharsetUTF8, html)(c)
	}
}

// docsPolicy lets the page load its own style and script and call this service, and nothing else.
const docsPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data: blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// registerDocs registers the page and its parts, all from this service, so that it works without a network.
func registerDocs(e *echo.Echo) {
	e.GET("/docs", rendered(docsPage))
	e.GET("/docs/runbook", rendered(runbookPage))
	e.GET("/docs/docs.css", fixed("text/css; charset=utf-8", docsStyle))
	e.GET("/docs/docs.js", fixed("text/javascript; charset=utf-8", docsScript))
}

// renderDocs makes an HTML page of the OpenAPI description.
func renderDocs(doc *openapi3.T) ([]byte, error) {
	groups, err := docsGroups(doc)
	if err != nil {
		return nil, err
	}
	about, err := markdown(doc.Info.Description)
	if err != nil {
		return nil, err
	}
	page, err := template.New("docs").Parse(docsTemplate)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, map[string]any{"Title": doc.Info.Title, "About": about, "Groups": groups, "Errors": docsErrors()})
	return out.Bytes(), err
}

// docsGroups returns the calls by tag, recognition first, each group by path.
func docsGroups(doc *openapi3.T) ([]*docsGroup, error) {
	byName, groups := map[string]*docsGroup{}, []*docsGroup{}
	for _, tag := range doc.Tags {
		about, err := markdown(tag.Description)
		if err != nil {
			return nil, err
		}
		group := &docsGroup{Name: tag.Name, About: about}
		byName[tag.Name] = group
		groups = append(groups, group)
	}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			described, err := newDocsOperation(method, path, operation)
			if err != nil {
				return nil, err
			}
			group := byName[operation.Tags[0]]
			group.Operations = append(group.Operations, described)
		}
	}
	for _, group := range groups {
		sort.Slice(group.Operations, func(i, j int) bool {
			a, b := group.Operations[i], group.Operations[j]
			return a.Path < b.Path || a.Path == b.Path && a.Method < b.Method
		})
	}
	slices.SortStableFunc(groups, func(a, b *docsGroup) int {
		switch {
		case a.Name == firstTag && b.Name != firstTag:
			return -1
		case b.Name == firstTag && a.Name != firstTag:
			return 1
		}
		return 0
	})
	return groups, nil
}

func newDocsOperation(method, path string, operation *openapi3.Operation) (docsOperation, error) {
	about, err := markdown(operation.Description)
	if err != nil {
		return docsOperation{}, err
	}
	o := docsOperation{
		ID: operation.OperationID, Method: method, Path: path, Summary: operation.Summary, Description: about,
		Try: docsTry{Changes: method != http.MethodGet},
	}
	for _, p := range operation.Parameters {
		field, err := newDocsField(p.Value.Name, p.Value.Schema, p.Value.Description)
		if err != nil {
			return docsOperation{}, err
		}
		field.Where, field.Required = p.Value.In, p.Value.Required
		if p.Value.Example != nil {
			field.Example = fmt.Sprint(p.Value.Example)
		}
		o.Parameters = append(o.Parameters, field)
	}
	if operation.RequestBody != nil {
		content := operation.RequestBody.Value.Content
		if o.Bodies, err = docsBodies("", operation.RequestBody.Value.Description, content); err != nil {
			return docsOperation{}, err
		}
		o.Try.Image = content["multipart/form-data"] != nil
		for _, body := range o.Bodies {
			switch {
			case o.Try.Image:
			case body.ContentType == "application/json":
				o.Try.JSON = body.Example
			case body.ContentType == echo.MIMEApplicationForm:
				o.Try.Form = body.Fields
			}
		}
	}
	return o, o.addAnswers(operation)
}

// addAnswers adds an answer with an example for each status that is no error, and the statuses of errors.
func (o *docsOperation) addAnswers(operation *openapi3.Operation) error {
	for _, status := range sortedKeys(operation.Responses.Map()) {
		answer := operation.Responses.Value(status).Value
		if answer.Content["application/problem+json"] != nil {
			o.Errors = append(o.Errors, status)
			continue
		}
		text := ""
		if answer.Description != nil {
			text = *answer.Description
		}
		bodies, err := docsBodies(status, text, answer.Content)
		if err != nil {
			return err
		}
		if len(bodies) == 0 {
			about, err := markdown(text)
			if err != nil {
				return err
			}
			bodies = []docsBody{{Status: status, Description: about}}
		}
		o.Answers = append(o.Answers, bodies...)
	}
	return nil
}

func docsBodies(status, description string, content openapi3.Content) ([]docsBody, error) {
	about, err := markdown(description)
	if err != nil {
		return nil, err
	}
	var bodies []docsBody
	for _, contentType := range sortedKeys(content) {
		media := content[contentType]
		body := docsBody{Status: status, ContentType: contentType, Description: about, Example: exampleOf(contentType, media)}
		for _, name := range sortedKeys(media.Schema.Value.Properties) {
			property := media.Schema.Value.Properties[name]
			field, err := newDocsField(name, property, property.Value.Description)
			if err != nil {
				return nil, err
			}
			field.Required = slices.Contains(media.Schema.Value.Required, name)
			body.Fields = append(body.Fields, field)
		}
		bodies = append(bodies, body)
	}
	return bodies, nil
}

func newDocsField(name string, schema *openapi3.SchemaRef, description string) (docsField, error) {
	about, err := markdown(description)
	field := docsField{Name: name, Type: schemaType(schema), Description: about, Secret: schema.Value.Format == "password"}
	for _, choice := range schema.Value.Enum {
		field.Choices = append(field.Choices, fmt.Sprint(choice))
	}
	if schema.Value.Type.Is(openapi3.TypeBoolean) {
		field.Choices = []string{"true", "false"}
	}
	if schema.Value.Example != nil {
		field.Example = fmt.Sprint(schema.Value.Example)
	}
	return field, err
}

// markdown renders a description (https://spec.commonmark.org). HTML in it is left out, and so are links that run scripts.
func markdown(text string) (template.HTML, error) {
	var out bytes.Buffer
	if err := goldmark.Convert([]byte(text), &out); err != nil {
		return "", fmt.Errorf("render a description: %w", err)
	}
	return template.HTML(strings.TrimSpace(out.String())), nil // the renderer has escaped it
}

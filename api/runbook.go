package api

import (
	"bytes"
	"fmt"
	"html/template"
	"sync"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/parser"

	"edgelens/internal/alarms"
)

var runbookTemplate = template.Must(template.New("runbook").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>edgelens runbook</title>
<link rel="stylesheet" href="/docs/docs.css">
<main id="content">{{.}}</main>
</html>
`))

// runbookPage is the HTML page that alerts link to.
var runbookPage = sync.OnceValues(func() ([]byte, error) {
	var text, page bytes.Buffer
	withAnchors := goldmark.New(goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	if err := withAnchors.Convert(alarms.Runbook(), &text); err != nil {
		return nil, fmt.Errorf("render the runbook: %w", err)
	}
	err := runbookTemplate.Execute(&page, template.HTML(text.String())) // the renderer has escaped it
	return page.Bytes(), err
})

package examples

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

var update = flag.Bool("update", false, "write the generated collection")

const collectionFile = "edgelens.postman_collection.json"

type object = map[string]any

// The collection has every call of openapi.yaml.
func TestCollectionIsCurrent(t *testing.T) {
	want := collection(t)
	if *update {
		if err := os.WriteFile(collectionFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(collectionFile); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is out of date (%v): go test ./examples -run Collection -update", collectionFile, err)
	}
}

// collection makes the calls, by tag, in the format that Postman, Bruno and others import
// (https://schema.postman.com/collection/json/v2.1.0/draft-07/docs/index.html).
func collection(t *testing.T) []byte {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	byTag := map[string][]object{}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		item := doc.Paths.Map()[path]
		for _, method := range slices.Sorted(maps.Keys(item.Operations())) {
			operation := item.Operations()[method]
			byTag[operation.Tags[0]] = append(byTag[operation.Tags[0]], requestOf(method, path, operation))
		}
	}
	var folders []object
	for _, tag := range doc.Tags {
		folders = append(folders, object{"name": tag.Name, "item": byTag[tag.Name]})
	}
	text, err := json.MarshalIndent(object{
		"info": object{"name": "edgelens", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"},
		"auth": object{"type": "bearer", "bearer": []object{{"key": "token", "value": "{{key}}", "type": "string"}}},
		"item": folders,
		"variable": []object{
			{"key": "server", "value": "http://127.0.0.1:8080"}, {"key": "key", "value": "", "description": "elk_..., once the service has keys"},
		},
	}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

func requestOf(method, path string, operation *openapi3.Operation) object {
	parts := strings.Split(strings.Trim(strings.NewReplacer("{", ":", "}", "").Replace(path), "/"), "/")
	var variables, query, headers []object
	for _, parameter := range operation.Parameters {
		p := parameter.Value
		entry := object{"key": p.Name, "value": "", "description": p.Description}
		switch p.In {
		case "path":
			variables = append(variables, entry)
		case "query":
			entry["disabled"] = !p.Required
			query = append(query, entry)
		case "header":
			entry["disabled"] = !p.Required
			headers = append(headers, entry)
		}
	}
	request := object{"method": method, "description": operation.Description, "header": headers, "url": object{
		"raw": "{{server}}/" + strings.Join(parts, "/"), "host": []string{"{{server}}"}, "path": parts, "query": query, "variable": variables,
	}}
	if body := bodyOf(operation); body != nil {
		request["body"] = body
	}
	return object{"name": operation.Summary, "request": request}
}

// bodyOf returns the body of a request: a form with a file where it takes one, else JSON.
func bodyOf(operation *openapi3.Operation) object {
	if operation.RequestBody == nil {
		return nil
	}
	content := operation.RequestBody.Value.Content
	if content["multipart/form-data"] != nil {
		return object{"mode": "formdata", "formdata": []object{{"key": "file", "type": "file", "src": ""}}}
	}
	if content["application/json"] == nil {
		return nil
	}
	example := content["application/json"].Example
	if example == nil {
		example = object{}
	}
	text, err := json.MarshalIndent(example, "", "  ")
	if err != nil {
		return nil
	}
	return object{"mode": "raw", "raw": string(text), "options": object{"raw": object{"language": "json"}}}
}

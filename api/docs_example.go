package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// exampleOf returns an example of a body: that of openapi.yaml, or one made of its schema; empty where there is none, as for
// the bytes of an image.
func exampleOf(contentType string, media *openapi3.MediaType) string {
	value := media.Example
	isJSON := strings.HasSuffix(contentType, "json") && !strings.HasSuffix(contentType, "ndjson")
	if value == nil && isJSON {
		value = exampleValue(media.Schema.Value, 0)
	}
	switch text, isText := value.(string); {
	case value == nil:
		return ""
	case isText && !isJSON:
		return strings.TrimSpace(text)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Sprint(value) // no JSON: openapi.yaml is YAML
	}
	return strings.TrimSpace(out.String())
}

// maxExampleDepth ends schemas that contain themselves.
const maxExampleDepth = 8

// exampleValue returns a value of a schema.
func exampleValue(schema *openapi3.Schema, depth int) any {
	switch {
	case schema.Example != nil:
		return schema.Example
	case depth > maxExampleDepth:
		return nil
	case len(schema.OneOf) > 0:
		return exampleValue(schema.OneOf[len(schema.OneOf)-1].Value, depth+1)
	case len(schema.Enum) > 0:
		return schema.Enum[0]
	case schema.Default != nil:
		return schema.Default
	case schema.Type.Is(openapi3.TypeArray):
		return []any{exampleValue(schema.Items.Value, depth+1)}
	case schema.Type.Is(openapi3.TypeObject):
		return exampleObject(schema, depth)
	case schema.Type.Is(openapi3.TypeString):
		return exampleText(schema)
	case schema.Type.Is(openapi3.TypeBoolean):
		return true
	case schema.Type.Is(openapi3.TypeInteger):
		return exampleNumber(schema, 1)
	case schema.Type.Is(openapi3.TypeNumber):
		return exampleNumber(schema, 0.5)
	}
	return nil
}

func exampleObject(schema *openapi3.Schema, depth int) map[string]any {
	object := map[string]any{}
	for name, property := range schema.Properties {
		if value := exampleValue(property.Value, depth+1); value != nil {
			object[name] = value
		}
	}
	if extra := schema.AdditionalProperties.Schema; extra != nil {
		object["name"] = exampleValue(extra.Value, depth+1)
	}
	return object
}

func exampleText(schema *openapi3.Schema) any {
	switch schema.Format {
	case "date-time":
		return "2026-05-01T10:00:00Z"
	case "uuid":
		return "0197a000-0000-7000-8000-00000000000a"
	case "binary":
		return nil
	}
	return "text"
}

func exampleNumber(schema *openapi3.Schema, usual float64) float64 {
	if schema.Min != nil && usual < *schema.Min {
		return *schema.Min
	}
	return usual
}

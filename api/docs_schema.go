package api

import (
	"fmt"
	"sort"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

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

// Command sbom completes a CycloneDX document of Go modules, which it reads from standard input and writes to standard
// output, by the native components of the program, which Go does not know of. It makes the document reproducible: the
// same for the same commit, whenever and wherever it is made.
//
//	sbom --version 1.2.3 --time 1700000000 --native native.tsv <modules.json >edgelens.cdx.json
//
// A line of the file has, separated by tabs: name, version, license (an SPDX expression), package URL, how the program
// has it, and the SHA-256 of the file, which may be empty.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

func main() {
	version := flag.String("version", "", "version of the program")
	seconds := flag.Int64("time", 0, "time of the commit, in seconds since 1970")
	native := flag.String("native", "", "file with the native components")
	flag.Parse()
	text, err := os.ReadFile(*native)
	if err == nil {
		err = complete(os.Stdin, os.Stdout, *version, time.Unix(*seconds, 0), string(text))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// component is a native component.
type component struct {
	Reference  string     `json:"bom-ref"`
	Type       string     `json:"type"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	Scope      string     `json:"scope"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Licenses   []license  `json:"licenses"`
	PackageURL string     `json:"purl"`
	Properties []property `json:"properties"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type license struct {
	Expression string `json:"expression"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// parse reads the native components.
func parse(text string) (all []any, err error) {
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 6 {
			return nil, fmt.Errorf("a component has 6 fields, not %d: %q", len(fields), line)
		}
		for _, field := range fields[:5] {
			if field == "" {
				return nil, fmt.Errorf("a field is empty: %q", line)
			}
		}
		c := component{
			Reference: fields[3], Type: "library", Name: fields[0], Version: fields[1], Scope: "required", Licenses: []license{{fields[2]}}, PackageURL: fields[3],
			Properties: []property{{"edgelens:use", fields[4]}},
		}
		if fields[5] != "" {
			c.Hashes = []hash{{"SHA-256", fields[5]}}
		}
		all = append(all, c)
	}
	return all, nil
}

// licenses are those of modules whose files were not recognized. They were read.
var licenses = map[string]string{
	"github.com/oasdiff/yaml":     "MIT AND BSD-3-Clause",
	"github.com/pressly/goose/v3": "MIT",
}

// addLicenses adds the licenses that were not recognized. A module without one is an error.
func addLicenses(modules []any) error {
	for _, m := range modules {
		module, ok := m.(map[string]any)
		if !ok {
			return fmt.Errorf("a component is no object: %v", m)
		}
		name, _ := module["name"].(string)
		if evidence, ok := module["evidence"].(map[string]any); ok && evidence["licenses"] != nil {
			continue
		}
		expression, known := licenses[name]
		if !known {
			return fmt.Errorf("the license of the module %s was not recognized: read it and add it to tools/sbom", name)
		}
		module["licenses"] = []license{{expression}}
	}
	return nil
}

// complete adds the native components, and removes what differs from one run to the next.
func complete(in io.Reader, out io.Writer, version string, at time.Time, native string) error {
	var document map[string]any
	if err := json.NewDecoder(in).Decode(&document); err != nil {
		return fmt.Errorf("read the document of the modules: %w", err)
	}
	modules, ok := document["components"].([]any)
	metadata, hasMetadata := document["metadata"].(map[string]any)
	program, hasProgram := metadata["component"].(map[string]any)
	if !ok || !hasMetadata || !hasProgram {
		return fmt.Errorf("the document of the modules has no components, metadata or program")
	}
	if err := addLicenses(modules); err != nil {
		return err
	}
	components, err := parse(native)
	if err != nil {
		return err
	}
	document["components"] = append(modules, components...)
	delete(document, "serialNumber") // random
	delete(metadata, "tools")        // with the checksum of a program that was built for this
	metadata["timestamp"] = at.UTC().Format(time.RFC3339)
	program["version"] = version
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(document)
}

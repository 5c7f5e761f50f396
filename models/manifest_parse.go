package models

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"

	"edgelens"
)

// maxManifestBytes bounds a manifest; the built-in one has about 3 kB.
const maxManifestBytes = 1 << 20

// ParseManifest reads a manifest, one YAML 1.2 document (https://yaml.org/spec):
//
//	default: NAME              # optional
//	models:
//	  - name: NAME             # letters, digits, ".", "_" and "-"
//	    file: FILE.tflite      # a plain file name in the models folder
//	    sha256: HEX            # of the file, 64 hex digits
//	    size: BYTES
//	    source: URL            # optional: its public URL, http(s)
//	    licence: SPDX          # optional
//	    description: TEXT      # optional
//	    task: classify         # optional; with it a model needs no labels. Or embedding: it gives feature vectors
//	    labels:                # optional
//	      {file: FILE, sha256: HEX, size: BYTES, source: URL}
//	    input: {mean: NUMBER, std: NUMBER}  # optional, see Normalization; or lists of three, for red, green and blue
//	    output: probabilities  # or logits; optional: decided at load
//	    fit: center            # or stretch, sweep, pad; optional: how images are shown to it
//	    runtime: litert        # or tflite, auto; optional: what runs it
//
// Decoding is strict. The error wraps edgelens.ErrModel and joins all errors,
// each with its entry and field.
func ParseManifest(data []byte) (Manifest, error) {
	if len(data) > maxManifestBytes {
		return Manifest{}, manifestError([]error{fmt.Errorf("it has %d bytes; at most %d are read", len(data), maxManifestBytes)})
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return Manifest{}, nil // empty, or comments only
	} else if err != nil {
		return Manifest{}, manifestError([]error{err})
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Manifest{}, manifestError([]error{errors.New("something follows the first YAML document; a manifest is one document")})
	}

	var p parser
	m := p.manifest(document.Content[0])
	p.errs = append(p.errs, fileConflicts(m.Models)...)
	if len(p.errs) > 0 {
		return Manifest{}, manifestError(p.errs)
	}
	return m, nil
}

// parser collects errors while it turns nodes into values. It walks the nodes
// itself because yaml's own strict mode names lines, not entries.
type parser struct {
	errs []error
}

func (p *parser) problem(at, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s: "+format, append([]any{at}, args...)...))
}

func (p *parser) manifest(node *yaml.Node) Manifest {
	var m Manifest
	var list yaml.Node
	p.fields("manifest", node, map[string]any{"default": &m.Default, "models": &list})
	switch items := resolve(&list); {
	case items.IsZero() || items.Tag == "!!null":
	case items.Kind != yaml.SequenceNode:
		p.problem("manifest: models", "is not a list (line %d)", items.Line)
	default:
		for i, item := range items.Content {
			e := p.entry(fmt.Sprintf("models[%d]", i), item)
			if e.Name != "" && m.indexOf(e.Name) >= 0 {
				p.problem(fmt.Sprintf("models[%d] %q: name", i, e.Name), "is given to two entries")
			}
			m.Models = append(m.Models, e)
		}
	}
	return m
}

func (p *parser) entry(at string, node *yaml.Node) Entry {
	e := Entry{Task: edgelens.TaskClassification}
	// The name comes first, so that all other errors can contain it.
	if name := scalarAt(node, "name"); name != "" {
		at = fmt.Sprintf("%s %.100q", at, name)
	}
	var labels, input yaml.Node
	e.TaskGiven = scalarAt(node, "task") != ""
	p.fields(at, node, map[string]any{
		"name": &e.Name, "file": &e.File.Name, "sha256": &e.File.SHA256, "size": &e.File.Size, "source": &e.File.Source,
		"licence": &e.Licence, "description": &e.Description, "task": &e.Task,
		"labels": &labels, "input": &input, "output": (*string)(&e.Activation), "fit": (*string)(&e.Fit), "runtime": &e.Runtime,
	})
	if !labels.IsZero() {
		e.Labels = &File{}
		p.fields(at+": labels", &labels, map[string]any{
			"file": &e.Labels.Name, "sha256": &e.Labels.SHA256, "size": &e.Labels.Size, "source": &e.Labels.Source,
		})
	}
	if !input.IsZero() {
		e.Normalization = p.normalization(at+": input", &input)
	}
	p.checkEntry(at, &e)
	return e
}

func (p *parser) normalization(at string, node *yaml.Node) *Normalization {
	var mean, std yaml.Node
	p.fields(at, node, map[string]any{"mean": &mean, "std": &std})
	n := &Normalization{}
	meanOK, stdOK := p.channels(at+": mean", &mean, &n.Mean), p.channels(at+": std", &std, &n.Std)
	if !meanOK || !stdOK {
		return nil
	}
	for c := range n.Mean {
		if !finite(n.Mean[c]) {
			p.problem(at+": mean", "%v is not a finite number", n.Mean[c])
			break
		}
	}
	for c := range n.Std {
		if !finite(n.Std[c]) || n.Std[c] == 0 {
			p.problem(at+": std", "%v is not a finite number other than 0", n.Std[c])
			break
		}
	}
	return n
}

// channels decodes a number for all channels, or a list of three.
func (p *parser) channels(at string, node *yaml.Node, into *[3]float64) bool {
	if node.IsZero() {
		p.problem(at, "is missing")
		return false
	}
	values := []float64{0}
	if node = resolve(node); node.Kind == yaml.SequenceNode {
		values = nil
		if err := node.Decode(&values); err != nil || len(values) != 3 {
			p.problem(at, "is not a number or a list of three numbers, for red, green and blue (line %d)", node.Line)
			return false
		}
		copy(into[:], values)
		return true
	}
	if err := node.Decode(&values[0]); err != nil {
		p.problem(at, "%s has the wrong type (line %d)", shown(node), node.Line)
		return false
	}
	*into = [3]float64{values[0], values[0], values[0]}
	return true
}

// fields decodes a mapping into the pointers of into, one a key. A pointer to
// a yaml.Node takes the value undecoded.
func (p *parser) fields(at string, node *yaml.Node, into map[string]any) {
	node = resolve(node)
	if node.Kind != yaml.MappingNode {
		p.problem(at, "is not a mapping of keys to values (line %d)", node.Line)
		return
	}
	seen := make(map[string]bool, len(into))
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		target, known := into[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || !known:
			p.problem(at, "unknown key %.100q (line %d)", key.Value, key.Line)
		case seen[key.Value]:
			p.problem(at+": "+key.Value, "is given twice (line %d)", key.Line)
		default:
			seen[key.Value] = true
			if raw, ok := target.(*yaml.Node); ok {
				*raw = *value
			} else if err := value.Decode(target); err != nil {
				p.problem(at+": "+key.Value, "%s has the wrong type (line %d)", shown(value), value.Line)
			}
		}
	}
}

// resolve follows an alias (*name) to the node that it stands for.
func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// scalarAt returns the plain value of a mapping's key, or "".
func scalarAt(node *yaml.Node, key string) string {
	node = resolve(node)
	if node.Kind != yaml.MappingNode {
		return ""
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key && node.Content[i+1].Kind == yaml.ScalarNode {
			return node.Content[i+1].Value
		}
	}
	return ""
}

// shown returns a value for an error message.
func shown(node *yaml.Node) string {
	if node.Kind == yaml.ScalarNode {
		return fmt.Sprintf("%.100q", node.Value)
	}
	return "a list or mapping"
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"edgelens/benchmarks/hostile"
)

// corpus yields the inputs that the flags choose: the package hostile's, and those of the generator, which runs once.
func (b *bench) corpus(ctx context.Context) iter.Seq[hostile.Input] {
	return func(yield func(hostile.Input) bool) {
		for input := range hostile.Inputs(b.seed, b.plan.flips) {
			if b.check && input.Heavy {
				continue // a slow machine may not decode it in time
			}
			if b.chosen(input.Name) && !yield(input) {
				return
			}
		}
		if len(b.inputs) == 0 && !b.check || slices.ContainsFunc(b.inputs, func(beginning string) bool { return strings.HasPrefix(beginning, "generated") }) {
			b.generating.Do(func() { b.generatedFolder = b.generate(ctx) })
		}
		for _, input := range b.generated(b.generatedFolder) {
			if b.chosen(input.Name) && !yield(input) {
				return
			}
		}
	}
}

// chosen reports whether an input is sent. The short form has one size of those that there are several of.
func (b *bench) chosen(name string) bool {
	if b.short && (strings.HasSuffix(name, "-25mp") || strings.HasSuffix(name, "-64mp")) && !slices.Contains(bombNames, name) {
		return false
	}
	return len(b.inputs) == 0 || slices.ContainsFunc(b.inputs, func(beginning string) bool { return strings.HasPrefix(name, beginning) })
}

// generate runs the generator, and returns its folder, which measure removes; "" where there is none.
func (b *bench) generate(ctx context.Context) (folder string) {
	if b.generator == "" {
		b.results.note("there is no other generator at hand: the inputs are this program's own")
		return ""
	}
	python := ""
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if exec.CommandContext(ctx, name, "-c", "import PIL").Run() == nil {
			python = name
			break
		}
	}
	if python == "" {
		b.results.note("the other generator was not used: it needs Python with Pillow (Debian: python3-pil)")
		return ""
	}
	folder, err := os.MkdirTemp("", "edgelens-abuse-inputs-")
	if err != nil {
		b.results.note("the other generator was not used: %v", err)
		return ""
	}
	args := []string{b.generator, folder, "--flips", strconv.Itoa(8 * b.plan.flips)}
	if b.photographs != "" {
		args = append(args, "--pictures", b.photographs)
	}
	progress("  running %s", b.generator)
	if out, err := exec.CommandContext(ctx, python, args...).CombinedOutput(); err != nil {
		b.results.note("the other generator failed: %v: %.300s", err, out)
	}
	return folder
}

// generated are the inputs in the generator's folder. Its manifest has the file, why it is hostile, what is wanted, and
// the format of each.
func (b *bench) generated(folder string) []hostile.Input {
	if folder == "" {
		return nil
	}
	var manifest []struct{ File, Why, Want, Type string }
	text, err := os.ReadFile(filepath.Join(folder, "manifest.json"))
	if err == nil {
		err = json.Unmarshal(text, &manifest)
	}
	if err != nil {
		b.results.note("the other generator's inputs are not used: %v", err)
		return nil
	}
	// What must be refused depends on limits that are not this service's.
	wants := map[string]hostile.Want{"2xx": hostile.Accepted, "4xx": hostile.Any, "any": hostile.Any}
	types := map[string]string{"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "bmp": "image/bmp"}
	var inputs []hostile.Input
	for _, m := range manifest {
		want, ok := wants[m.Want]
		if !ok {
			b.results.note("the other generator wants %q of %s, which is not known here", m.Want, m.File)
			continue
		}
		contentType, ok := types[m.Type]
		if !ok {
			contentType = "application/octet-stream"
		}
		file := filepath.Join(folder, m.File)
		info, err := os.Stat(file)
		if err != nil {
			b.results.note("an input of the other generator is missing: %v", err)
			continue
		}
		inputs = append(inputs, hostile.Input{
			Name: fmt.Sprintf("generated/%s", m.File), Why: m.Why, Want: want, ContentType: contentType,
			Heavy: info.Size() > 200_000 || strings.Contains(m.File, "mp") || strings.Contains(m.File, "prog"),
			Bytes: func() []byte {
				data, err := os.ReadFile(file)
				if err != nil {
					b.results.note("%v", err)
				}
				return data
			},
		})
	}
	return inputs
}

// writeInputs writes the chosen inputs as files, to be examined and sent by other means.
func writeInputs(ctx context.Context, c config) error {
	if err := os.MkdirAll(c.write, 0o755); err != nil {
		return err
	}
	for input := range hostile.Inputs(c.seed, c.plan.flips) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !(&bench{config: c}).chosen(input.Name) {
			continue
		}
		if err := os.WriteFile(filepath.Join(c.write, input.Name), input.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

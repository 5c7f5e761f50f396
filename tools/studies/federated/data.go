package main

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"edgelens/internal/atomicfile"
	"edgelens/learn/gate"
	"edgelens/learn/softmax"
	"edgelens/tools/studies/groups"
)

// The sizes of the generated gate's data.
const (
	sites         = 10
	trainingShots = 60
	testShots     = 36
)

// embeddings are those of all images. Examples of Sites and Tests have the class 1 where the gate is open.
type embeddings struct {
	// Groups are the images of package groups, with the numbers of their groups, and GroupNames these groups.
	Groups     softmax.Data
	GroupNames []string
	// Sites and Tests are the images of each site to train on and to test with.
	Sites, Tests []softmax.Data
}

// loadEmbeddings reads the embeddings from a file, or makes them by the extractor and writes the file, unless cache is "".
func loadEmbeddings(ctx context.Context, cache, extractor, labeled string, progress func(done, all int, what string)) (*embeddings, error) {
	var all embeddings
	if cache != "" {
		f, err := os.Open(cache)
		if err == nil {
			defer f.Close() // read only
			return &all, gob.NewDecoder(bufio.NewReader(f)).Decode(&all)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	e, err := openEmbedder(ctx, extractor)
	defer e.close()
	if err != nil {
		return nil, err
	}
	if err := all.make(ctx, e, labeled, progress); err != nil {
		return nil, err
	}
	if cache == "" {
		return &all, nil
	}
	var out strings.Builder
	if err := gob.NewEncoder(&out).Encode(&all); err != nil {
		return nil, err
	}
	return &all, atomicfile.Write(cache, []byte(out.String()), 0o600)
}

func (a *embeddings) make(ctx context.Context, e *embedder, labeled string, progress func(done, all int, what string)) error {
	images, err := groups.Images()
	if err != nil {
		return err
	}
	total, done := len(images)+sites*(trainingShots+testShots), 0
	add := func(to *softmax.Data, image []byte, class int, what string) error {
		x, err := e.embed(ctx, image)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		to.Features, to.Classes = append(to.Features, x), append(to.Classes, class)
		done++
		progress(done, total, what)
		return nil
	}
	for _, one := range images {
		image, err := os.ReadFile(filepath.Join(labeled, one.File))
		if err != nil {
			return err
		}
		if len(a.GroupNames) == 0 || a.GroupNames[len(a.GroupNames)-1] != one.Kind {
			a.GroupNames = append(a.GroupNames, one.Kind)
		}
		if err := add(&a.Groups, image, len(a.GroupNames)-1, one.File); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		to    *[]softmax.Data
		count int
		seed  uint64
	}{{&a.Sites, trainingShots, 1}, {&a.Tests, testShots, 2}} {
		for site := 1; site <= sites; site++ {
			shots, err := gate.Shots(site, part.count, part.seed)
			if err != nil {
				return err
			}
			var data softmax.Data
			for _, shot := range shots {
				image, err := shot.JPEG()
				if err != nil {
					return err
				}
				class := 0
				if shot.Open {
					class = 1
				}
				if err := add(&data, image, class, fmt.Sprintf("site %d", site)); err != nil {
					return err
				}
			}
			*part.to = append(*part.to, data)
		}
	}
	return nil
}

// task is something to learn by ten nodes.
type task struct {
	name    string
	classes int
	// draw returns the nodes' examples and the held-out ones, by the seed.
	draw func(seed uint64) (nodes []softmax.Data, held softmax.Data, err error)
}

// alpha is the parameter of the Dirichlet distributions.
const alpha = 0.3

// tasks returns those of the report.
func (a *embeddings) tasks() []task {
	gates := func(seed uint64) []softmax.Data {
		random := rand.New(rand.NewPCG(seed, 0x6761746573))
		nodes := make([]softmax.Data, len(a.Sites))
		for n, site := range a.Sites {
			nodes[n] = site.At(random.Perm(site.Len())[:site.Len()*2/3])
		}
		return nodes
	}
	kinds := func(alpha float64) func(uint64) ([]softmax.Data, softmax.Data, error) {
		return func(seed uint64) ([]softmax.Data, softmax.Data, error) {
			training, held := split(a.Groups, len(a.GroupNames), seed)
			nodes, err := partition(training, len(a.GroupNames), 10, alpha, seed)
			return nodes, held, err
		}
	}
	return []task{
		{"groups", len(a.GroupNames), kinds(alpha)},
		{"groups, even", len(a.GroupNames), kinds(100)},
		{"gate", 2, func(seed uint64) ([]softmax.Data, softmax.Data, error) { return gates(seed), join(a.Tests), nil }},
		{"gate, skewed", 2, func(seed uint64) ([]softmax.Data, softmax.Data, error) {
			return skew(gates(seed), alpha, seed), join(a.Tests), nil
		}},
	}
}

// split returns 3 of 5 examples of each class to train on, and the others.
func split(data softmax.Data, classes int, seed uint64) (training, held softmax.Data) {
	random := rand.New(rand.NewPCG(seed, 0x73706c6974))
	var first, second []int
	for c := range classes {
		var of []int
		for _, i := range random.Perm(data.Len()) {
			if data.Classes[i] == c {
				of = append(of, i)
			}
		}
		first, second = append(first, of[:len(of)*3/5]...), append(second, of[len(of)*3/5:]...)
	}
	return data.At(first), data.At(second)
}

package participant

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"edgelens"
	"edgelens/learn/federation"
	"edgelens/learn/softmax"
)

// examples are those of the node, as a federation uses them.
type examples struct {
	// changed and key identify what they were read from.
	changed time.Time
	key     string
	// extractor, features and view are how their embeddings are made.
	extractor edgelens.ModelRef
	features  int
	view      edgelens.View
	// counts are the numbers of examples to train on, by label; train and heldOut are of the labels of the federation alone.
	counts         map[string]int
	train, heldOut softmax.Data
}

// readExamples returns the examples of the dataset, anew where it has changed. One that does not exist has none.
func (p *Participant) readExamples(ctx context.Context, s state) (examples, error) {
	dataset, err := p.parts.Datasets.Dataset(ctx, s.Dataset)
	if errors.Is(err, edgelens.ErrNotFound) {
		return examples{counts: map[string]int{}}, nil
	}
	if err != nil {
		return examples{}, fmt.Errorf("read the dataset %s: %w", s.Dataset, err)
	}
	key := fmt.Sprint(s.Dataset, dataset.Examples, dataset.Extractor, s.Definition.Labels, s.Definition.Settings.HeldOut)
	p.mu.Lock()
	read := p.examples
	p.mu.Unlock()
	if read.key == key && read.changed.Equal(dataset.ChangedAt) {
		return read, nil
	}
	all, err := p.parts.Datasets.Embeddings(ctx, s.Dataset)
	if err != nil {
		return examples{}, fmt.Errorf("read the dataset %s: %w", s.Dataset, err)
	}
	read = split(all, s.Definition.Labels, s.Definition.Settings.HeldOut)
	read.key, read.changed, read.extractor, read.view = key, dataset.ChangedAt, dataset.Extractor, dataset.View
	p.mu.Lock()
	p.examples = read
	p.mu.Unlock()
	return read, nil
}

// split sorts examples into those to train on and those that are held out.
func split(all []edgelens.Example, labels []string, share float64) examples {
	e := examples{counts: map[string]int{}}
	for _, one := range all {
		class := slices.Index(labels, one.Label)
		if class < 0 || e.features != 0 && len(one.Embedding) != e.features {
			continue
		}
		e.features = len(one.Embedding)
		to := &e.train
		if isHeldOut(one.SHA256, share) {
			to = &e.heldOut
		} else {
			e.counts[one.Label]++
		}
		to.Features, to.Classes = append(to.Features, one.Embedding), append(to.Classes, class)
	}
	return e
}

// isHeldOut reports whether an image is never trained on. It depends on the image alone, so that it stays so, also where the
// image is added again.
func isHeldOut(digest string, share float64) bool {
	sum := sha256.Sum256([]byte("held out:" + digest))
	return float64(binary.BigEndian.Uint64(sum[:8]))/(1<<64) < share
}

// right returns how many examples the parameters classify rightly.
func right(p softmax.Params, d softmax.Data) (count int) {
	logits := make([]float64, p.Classes)
	for i, x := range d.Features {
		p.Logits(x, logits)
		best := 0
		for class, l := range logits {
			if l > logits[best] {
				best = class
			}
		}
		if best == d.Classes[i] {
			count++
		}
	}
	return count
}

// fits returns why the examples cannot be used in a federation; nil where they can.
func (e examples) fits(d federation.Definition) error {
	view, err := d.View()
	switch {
	case err != nil:
		return err
	case d.Features == 0 || e.features == 0:
		return nil
	case e.extractor.Digest != d.Extractor.Digest || e.features != d.Features:
		return fmt.Errorf("%w: the examples are made by the extractor %s %s, and the federation has %s %s; make a dataset with that one", edgelens.ErrConflict, e.extractor.Name, e.extractor.Digest, d.Extractor.Name, d.Extractor.Digest)
	case e.view != view:
		return fmt.Errorf("%w: the examples show another part of the image than the federation's; make a dataset with its view", edgelens.ErrConflict)
	}
	return nil
}

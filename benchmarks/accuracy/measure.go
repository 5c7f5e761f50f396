package accuracy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"edgelens"
	"edgelens/internal/clip"
	"edgelens/internal/imagefile"
)

// TopK is how many predictions each answer has.
const TopK = 5

// Reply is an answer to one image.
type Reply struct {
	// Predictions are at most TopK, the best first.
	Predictions []edgelens.Prediction
	// Took is the duration of the recognition without waiting.
	Took time.Duration
}

// Answerer recognizes images, for many goroutines. An error that wraps edgelens.ErrBadImage, ErrUnsupportedFormat,
// ErrTooLarge, ErrNoImage, ErrInference or ErrDeadline is about the image, any other ends the measurement.
type Answerer interface {
	Answer(ctx context.Context, variant int, image []byte) (Reply, error)
}

// Decoder decodes images for frames, for many goroutines. Its errors are like those of an Answerer.
type Decoder interface {
	Upright(image []byte) (Pixels, error)
}

// Measurement is the work of a run.
type Measurement struct {
	Run      *Run
	Set      *Set
	Answerer Answerer
	Decoder  Decoder
	// Workers is the number of concurrent requests.
	Workers int
	// Progress shows how many of all images are done.
	Progress func(done, all int, what string)
}

// Measure measures what the folder of w has no answer for, image by image in all cases, and writes the answers to it.
// The error is ctx's where it was interrupted; the answers so far are written then.
func (m Measurement) Measure(ctx context.Context, w *Writer) error {
	done, err := m.done(w.Dir())
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	count := 0
	for found := range m.answers(ctx, stop, done) { // to the end, so that every worker ends
		if err := w.Add(found); err != nil {
			stop(err)
		}
		if count++; ctx.Err() == nil {
			m.Progress(count, len(m.Set.Items), "images")
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("measure: %w", context.Cause(ctx))
	}
	return nil
}

// answers sends the new answers about each image, until all are done or ctx ends. An error stops it.
func (m Measurement) answers(ctx context.Context, stop context.CancelCauseFunc, done done) <-chan []Answer {
	items, answers := make(chan int), make(chan []Answer)
	go func() {
		defer close(items)
		for i := range m.Set.Items {
			select {
			case items <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	var workers sync.WaitGroup
	for range m.Workers {
		workers.Go(func() {
			for i := range items {
				found, err := m.image(ctx, m.Set.Items[i], func(c int) bool { return done[c][i] })
				if err != nil {
					stop(err)
				}
				answers <- found
			}
		})
	}
	go func() {
		workers.Wait()
		close(answers)
	}()
	return answers
}

// done has, by case and item, whether there is an answer.
type done [][]bool

func (m Measurement) done(dir string) (done, error) {
	found, at := make(done, m.Run.Cases()), map[string]int{}
	for i := range found {
		found[i] = make([]bool, len(m.Set.Items))
	}
	for i, item := range m.Set.Items {
		at[item.File] = i
	}
	err := readAnswers(dir, m.Run, func(a Answer) {
		if i, ok := at[a.Image]; ok {
			found[a.Case][i] = true
		}
	})
	return found, err
}

// image returns the answers about an image in the cases that are not done. The error is about more than this image;
// the answers before it are returned, too.
func (m Measurement) image(ctx context.Context, item Item, done func(c int) bool) (answers []Answer, err error) {
	add := func(c int, a Answer) {
		a.Case, a.Image, a.Class = c, item.File, item.Class
		answers = append(answers, a)
	}
	var encoded []byte
	var failure *Answer // of reading the image
	for f, frame := range m.Run.Frames {
		var shown []byte
		failed := failure
		for v := range m.Run.Variants {
			c := m.Run.caseOf(f, v)
			if done(c) {
				continue
			}
			if encoded == nil && failure == nil {
				if encoded, failure = m.read(item.File); failure != nil {
					failed = failure
				}
			}
			if failed == nil && shown == nil {
				if shown, failed, err = m.frame(frame, encoded, item.File); err != nil {
					return answers, err
				}
			}
			if failed != nil {
				add(c, *failed)
				continue
			}
			a, err := m.answer(ctx, v, shown)
			if err != nil {
				return answers, err
			}
			add(c, a)
		}
	}
	return answers, nil
}

// maxImage is the maximum size of a file in bytes. Each worker has one in memory, and what can be decoded is smaller.
const maxImage = 256 << 20

// read reads a file; an Answer with the failure where it cannot.
func (m Measurement) read(file string) ([]byte, *Answer) {
	path := filepath.FromSlash(file)
	if !filepath.IsAbs(path) {
		path = filepath.Join(m.Set.Folder, path)
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, &Answer{Failure: FailureUnreadable, Reason: "it is not a regular file"}
	}
	if err == nil && info.Size() > maxImage {
		return nil, &Answer{Failure: FailureUnreadable, Reason: fmt.Sprintf("it has more than %d bytes", maxImage)}
	}
	var encoded []byte
	if err == nil {
		encoded, err = imagefile.Read(nil, path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Answer{Failure: FailureAbsent, Reason: "there is no such file"}
	case errors.Is(err, edgelens.ErrNoImage):
		return nil, &Answer{Failure: FailureNotImage, Reason: "the file is empty"}
	case err != nil:
		return nil, &Answer{Failure: FailureUnreadable, Reason: shorten(err)}
	}
	return encoded, nil
}

// frame returns the image in a frame; an Answer with the failure where it cannot be decoded.
func (m Measurement) frame(frame Frame, encoded []byte, name string) ([]byte, *Answer, error) {
	if frame == (Frame{}) {
		return encoded, nil, nil
	}
	pixels, err := m.Decoder.Upright(encoded)
	if err == nil {
		encoded, err = frame.Put(pixels, m.Run.Seed, name)
	}
	failed, err := failureOf(err)
	return encoded, failed, err
}

// answer recognizes an image.
func (m Measurement) answer(ctx context.Context, variant int, encoded []byte) (Answer, error) {
	reply, err := m.Answerer.Answer(ctx, variant, encoded)
	if ctx.Err() != nil {
		return Answer{}, context.Cause(ctx)
	}
	failed, err := failureOf(err)
	if failed != nil || err != nil {
		return *cmp.Or(failed, &Answer{}), err
	}
	if len(reply.Predictions) == 0 {
		return Answer{Failure: FailureFailed, Reason: "the answer has no prediction"}, nil
	}
	a := Answer{MS: float32(reply.Took.Seconds() * 1000)}
	for _, p := range reply.Predictions[:min(TopK, len(reply.Predictions))] {
		a.Classes = append(a.Classes, p.ClassID)
		a.Probabilities = append(a.Probabilities, min(max(p.Probability, 0), 1))
	}
	return a, nil
}

// failureOf returns an Answer for an error that is about an image; any other error is returned.
func failureOf(err error) (*Answer, error) {
	is := func(sentinels ...error) bool {
		return slices.ContainsFunc(sentinels, func(sentinel error) bool { return errors.Is(err, sentinel) })
	}
	switch {
	case err == nil:
		return nil, nil
	case is(edgelens.ErrBadImage, edgelens.ErrUnsupportedFormat, edgelens.ErrTooLarge, edgelens.ErrNoImage):
		return &Answer{Failure: FailureNotImage, Reason: shorten(err)}, nil
	case is(edgelens.ErrInference, edgelens.ErrDeadline):
		return &Answer{Failure: FailureFailed, Reason: shorten(err)}, nil
	}
	return nil, err
}

// shorten limits the text of an error for a record.
func shorten(err error) string { return clip.Line(err.Error(), 300) }

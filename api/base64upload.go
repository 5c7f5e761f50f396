package api

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"edgelens"
	"edgelens/internal/base64image"
)

// maxPiece is how much is read at most of a text at a time.
const maxPiece = 16 << 10

// base64Upload decodes and hashes an image while its base64 arrives.
type base64Upload struct {
	decoder *base64image.Decoder
	hash    hash.Hash
	image   []byte
	// failed is true once it is certain that the text is no image: then image is nil.
	failed bool
	// length is an estimate of the image's length, -1 if nothing is known; most is how long
	// its buffer may become.
	length, most int64
	limit        int64
	buffers      *bodyBuffers
}

// newBase64 returns a decoder of base64 of which the text begins at that offset of the body.
func (u *uploadReader) newBase64(at int64) *base64Upload {
	spare := int64(u.pieceSize()) + growth // what a piece decodes to fits behind the image
	b := &base64Upload{decoder: base64image.NewDecoder(u.limit), hash: sha256.New(), length: -1, most: u.limit + spare, limit: u.limit, buffers: u.buffers}
	if u.expected > at {
		b.length = min((u.expected-at)/4*3, u.limit) + spare
		b.most = b.length
		u.upload.expect(b.length + spare)
	}
	return b
}

// pieceSize is how much of a text is read at a time.
func (u *uploadReader) pieceSize() int {
	if u.expected < 0 {
		return maxPiece
	}
	return int(min(u.expected+growth, maxPiece))
}

// write decodes the next piece of the text.
func (b *base64Upload) write(piece []byte) {
	if !b.failed {
		b.makeRoom(len(piece) + growth)
	}
	before := len(b.image)
	image, ok := b.decoder.Append(b.image, piece)
	if !ok {
		b.buffers.give(b.image)
		b.image, b.failed = nil, true
		return
	}
	b.hash.Write(image[before:]) // never fails
	b.image = image
}

// makeRoom makes room for n more bytes; the buffer grows as the reservation for it does.
func (b *base64Upload) makeRoom(n int) {
	size := len(b.image)
	if cap(b.image)-size >= n {
		return
	}
	next := min(max(step(int64(size), b.length), firstStep), b.most)
	b.image = b.buffers.grow(b.image, max(int(next)-size, n))
}

// size is how many bytes of the image are in memory; 0 for nil.
func (b *base64Upload) size() int64 {
	if b == nil {
		return 0
	}
	return int64(len(b.image))
}

// end returns the image at the end of the text; where names it in errors.
func (b *base64Upload) end(where string) (upload, error) {
	before := len(b.image)
	image, err := b.decoder.End(b.image)
	if err != nil {
		return upload{}, base64Error(err, where, b.limit)
	}
	b.hash.Write(image[before:])
	u := newUpload(image)
	b.hash.Sum(u.sha256[:0])
	return u, nil
}

// readBase64 decodes the image in base64 that is all of r.
func (u *uploadReader) readBase64(r io.Reader, where string) (upload, error) {
	b := u.newBase64(0)
	piece := make([]byte, u.pieceSize())
	for {
		u.upload.hold(b.size())
		n, err := r.Read(piece)
		b.write(piece[:n])
		switch {
		case errors.Is(err, io.EOF):
			return b.end(where)
		case err != nil:
			return upload{}, err
		}
	}
}

// base64 decodes the image over its text.
func (u *uploadReader) base64(text []byte, where string) (upload, error) {
	image, err := base64image.Decode(text[:0], text, u.limit)
	if err != nil {
		return upload{}, base64Error(err, where, u.limit)
	}
	return upload{image: image, sha256: sha256.Sum256(image)}, nil
}

// base64Error describes an error in base64 for clients.
func base64Error(err error, where string, limit int64) error {
	var syntax *base64image.SyntaxError
	var large *base64image.TooLargeError
	switch {
	case errors.Is(err, base64image.ErrEmpty):
		return fmt.Errorf("%w: %s is empty", edgelens.ErrNoImage, where)
	case errors.Is(err, base64image.ErrDataURI):
		return fmt.Errorf("%w: the data URI in %s must have the form data:image/jpeg;base64,<base64>", edgelens.ErrInvalid, where)
	case errors.Is(err, base64image.ErrAddress):
		return fmt.Errorf("%w: %s is a URL, and images are not fetched; send the image itself in base64", edgelens.ErrInvalid, where)
	case errors.Is(err, base64image.ErrCutOff):
		return fmt.Errorf("%w: the base64 in %s is cut off: a character is left over", edgelens.ErrInvalid, where)
	case errors.Is(err, base64image.ErrLostPlus):
		return fmt.Errorf("%w: the base64 in %s has blanks in place of +; send + as %%2B in forms and queries", edgelens.ErrInvalid, where)
	case errors.As(err, &syntax):
		return fmt.Errorf("%w: %s is not base64, which has no character %q (byte %d)", edgelens.ErrInvalid, where, syntax.Byte, syntax.Offset)
	case errors.As(err, &large):
		return tooLarge(limit)
	}
	return err
}

// readerFunc is a function as an io.Reader.
type readerFunc func(p []byte) (int, error)

// Read implements io.Reader.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Package hostile generates inputs that are made to cost a recognizer of images much time or memory, or to confuse its
// parsers: images, bodies with images in them, and whole HTTP requests. It is pure Go, and needs neither files nor a
// network.
//
// Every kind is a function of a random source; the same seed gives the same bytes, and another seed another input of
// the same kind: other sizes, counts and places. An input is built when it is used, so that one at a time is in memory.
package hostile

import (
	"fmt"
	"hash/fnv"
	"iter"
	"math/rand/v2"
	"slices"
)

// Want is the right answer to an input.
type Want int

// The right answers.
const (
	// Any: an answer of 2xx or 4xx, and soon.
	Any Want = iota
	// Accepted: 2xx, since it is an image like any other.
	Accepted
	// Refused: 4xx.
	Refused
)

// String returns what the status must be.
func (w Want) String() string {
	switch w {
	case Accepted:
		return "2xx"
	case Refused:
		return "4xx"
	}
	return "2xx or 4xx"
}

// Met reports whether an HTTP status is the right answer. 408 and 429 are about the client and never the input.
func (w Want) Met(status int) bool {
	accepted := status >= 200 && status < 300
	refused := status >= 400 && status < 500 && status != 408 && status != 429
	switch w {
	case Accepted:
		return accepted
	case Refused:
		return refused
	}
	return accepted || refused
}

// MetByRequest is the same for an Input.Request: the server may close the connection (0), or not support it.
func (w Want) MetByRequest(status int) bool {
	return w.Met(status) || status == 0 || status == 501 || status == 505
}

// Input is one input.
type Input struct {
	// Name is unique, of lower-case letters, digits and hyphens; it begins with the format.
	Name string
	// Why describes what is hostile about it.
	Why  string
	Want Want
	// ContentType and ContentEncoding are header fields of its request; "" for none.
	ContentType, ContentEncoding string
	// Heavy inputs take much time or memory where they are not bounded.
	Heavy bool
	// Chunk is the number of bytes of a chunk where the body is to be sent by Transfer-Encoding: chunked; 0 is by
	// Content-Length.
	Chunk int
	// Request is set where the bytes are those of a whole HTTP/1.1 request, or of what begins like one. A server may
	// answer it by closing the connection.
	Request bool
	// Bytes builds the input.
	Bytes func() []byte
}

// kind is a way to make inputs.
type kind struct {
	name, why string
	want      Want
	heavy     bool
	build     func(r *rand.Rand) []byte
}

// group is a number of kinds with the same header fields.
type group struct {
	contentType, contentEncoding string
	chunk                        int
	request                      bool
	kinds                        []kind
}

// groups returns all kinds.
func groups(flips int) []group {
	return slices.Concat([]group{
		{contentType: "image/jpeg", kinds: jpegKinds()},
		{contentType: "image/png", kinds: pngKinds()},
		{contentType: "image/webp", kinds: webpKinds()},
		{contentType: "image/bmp", kinds: bmpKinds()},
		{contentType: "image/gif", kinds: gifKinds()},
		{contentType: "image/tiff", kinds: tiffKinds()},
		{contentType: "application/octet-stream", kinds: otherKinds()},
		{contentType: "application/octet-stream", kinds: damagedKinds(flips)},
	}, bodyGroups(), requestGroups())
}

// Inputs returns the inputs of a seed, with that many randomly damaged files of each format.
func Inputs(seed uint64, flips int) iter.Seq[Input] {
	return func(yield func(Input) bool) {
		for _, g := range groups(flips) {
			for _, k := range g.kinds {
				input := Input{
					Name: k.name, Why: k.why, Want: k.want, Heavy: k.heavy, ContentType: g.contentType, ContentEncoding: g.contentEncoding,
					Chunk: g.chunk, Request: g.request, Bytes: func() []byte { return k.build(source(seed, k.name)) },
				}
				if !yield(input) {
					return
				}
			}
		}
	}
}

// source is the random source of an input: it does not depend on the others.
func source(seed uint64, name string) *rand.Rand {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name)) // never fails
	return rand.New(rand.NewPCG(seed, hash.Sum64()))
}

// The limits that inputs aim at: sizes in pixels, and the default of http.max_image_bytes.
const (
	megapixel = 1_000_000
	// always is the size up to which a baseline JPEG must be decoded.
	always = 64 * megapixel
	// most is the default of preprocess.max_pixels.
	most     = 250 * megapixel
	maxBytes = 20 << 20
)

// largeSizes are the megapixels of inputs that are large: which of them a service decodes depends on what it takes into
// account, and those just within its limits cost the most.
var largeSizes = []int{25, 50, 64}

// sized are the kinds of an input that is large, by its pixels.
func sized(name, why string, build func(r *rand.Rand, pixels int) []byte) []kind {
	var kinds []kind
	for _, n := range largeSizes {
		kinds = append(kinds, kind{fmt.Sprintf("%s-%dmp", name, n), fmt.Sprintf("%d megapixels: %s", n, why), Any, true, func(r *rand.Rand) []byte {
			return build(r, n*megapixel)
		}})
	}
	return kinds
}

// almost is a number of bytes just below the limit of an upload.
func almost(r *rand.Rand) int { return maxBytes - 2000 - r.IntN(2000) }

// sides returns a width and a height with just below that many pixels, both at most limit.
func sides(r *rand.Rand, pixels, limit int) (width, height int) {
	low := max((pixels+limit-1)/limit, isqrt(pixels)/2)
	high := min(limit, 2*isqrt(pixels))
	width = low + r.IntN(max(1, high-low))
	return width, min(limit, pixels/width)
}

func isqrt(n int) int {
	root := 0
	for (root+1)*(root+1) <= n {
		root++
	}
	return root
}

// noise returns that many random bytes.
func noise(r *rand.Rand, n int) []byte {
	out := make([]byte, n+7)
	for i := 0; i < n; i += 8 {
		v := r.Uint64()
		for j := range 8 {
			if i+j < len(out) {
				out[i+j] = byte(v >> (8 * j))
			}
		}
	}
	return out[:n]
}

// join concatenates parts.
func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

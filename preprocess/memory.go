package preprocess

import (
	"fmt"
	"image"

	"edgelens"
	"edgelens/models"
)

// Plan is what is known of an image before it is decoded.
type Plan struct {
	// Image has no SHA256, and Damaged is not set.
	Image edgelens.ImageInfo
	// Memory is how many bytes decoding takes at most: the pixels, what the decoder needs
	// besides, a copy of the encoded image, and the image at the size of each buffer.
	Memory int64
	// Garbage is how many of them stay in use until Go's collector frees them.
	Garbage int64
}

// Plan checks an image as Tensors does, and decodes nothing. Without buffers it is about
// the image decoded in full. It uses nothing that Close frees. Errors are those of Inspect,
// and of Tensors about the buffers.
func (p *Preprocessor) Plan(encoded []byte, into ...models.InputBuffer) (Plan, error) {
	h, err := check(encoded, into, p.limits)
	if err != nil {
		return Plan{}, err
	}
	margin := p.limits.ReduceJPEG
	if len(into) == 0 {
		margin = 0
	}
	size := fullSize
	if h.format == "jpeg" {
		size = eighths(h, into, margin, p.limits.MaxMemory)
	}
	plan := Plan{Image: h.info(), Memory: h.memory(size), Garbage: h.garbage}
	for _, buffer := range into {
		plan.Memory += resized(buffer)
		plan.Garbage += more(buffer)
	}
	return plan, nil
}

// resized returns how many bytes an image takes at the size of a buffer, before its pixels
// become a tensor: once resized, once between bars and once in gray; and the other tensors of
// a sweep.
func resized(buffer models.InputBuffer) int64 {
	return (3+3+1)*int64(buffer.Spec.Width)*int64(buffer.Spec.Height) + more(buffer)
}

// more returns how many bytes the other tensors of a sweep take.
func more(buffer models.InputBuffer) int64 {
	if buffer.View.Fit != edgelens.FitSweep {
		return 0
	}
	return collected((edgelens.MaxSweep - 1) * int64(buffer.Spec.Bytes()))
}

// memory returns how many bytes it takes to decode an image at a size in eighths.
func (h header) memory(eighths int) int64 {
	return h.fixed + h.channels*int64(scaled(h.width, eighths))*int64(scaled(h.height, eighths))
}

// workspace is what decoders allocate for rows of pixels, tables and their own state, besides
// what the checks of the formats have counted.
func workspace(h header) int64 {
	const state = 512 << 10
	rows := int64(64) // bytes for each pixel of a row
	if h.format == "jpeg" {
		// Rows of whole MCUs, of up to 4x8 lines and 4 components, several times for
		// upsampling.
		rows = 512
	}
	return state + rows*int64(h.width)
}

// collected returns how many bytes Go's heap has at most when that many are in use: a
// helper has it collected as soon as it has grown by a tenth (preprocess/sandbox).
func collected(inUse int64) int64 { return inUse + inUse/8 }

// allowMemory rejects an image that takes too much memory at the smallest size at
// which it can be decoded.
func (c Config) allowMemory(h header) error {
	smallest := fullSize
	if h.format == "jpeg" {
		smallest = reducedSizes[0]
	}
	if need := h.memory(smallest); c.MaxMemory > 0 && need > c.MaxMemory {
		return refuse(edgelens.ErrTooLarge, h.format, "it is %dx%d pixels, which take %d MB to decode, and %d MB is the limit for one image; send it smaller or as a baseline JPEG, or raise preprocess.max_memory and decode.memory", h.width, h.height, need>>20, c.MaxMemory>>20)
	}
	return nil
}

// check checks the buffers and an image, before it is decoded.
func check(encoded []byte, into []models.InputBuffer, limits Config) (header, error) {
	for i, buffer := range into {
		if err := checkSpec(buffer.Bytes, buffer.Spec); err != nil {
			return header{}, err
		}
		if i > 0 && buffer.View.Fit == edgelens.FitSweep {
			return header{}, fmt.Errorf("fill the input tensor: %w: only the first model can have a sweep; report this as a bug of edgelens", edgelens.ErrModel)
		}
	}
	h, err := inspect(encoded, limits)
	if err != nil {
		return header{}, err
	}
	for _, buffer := range into {
		if err := checkRegion(buffer.View.Region, turned(image.Pt(h.width, h.height), h.orientation)); err != nil {
			return header{}, err
		}
	}
	return h, nil
}

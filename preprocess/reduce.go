package preprocess

import (
	"image"

	"edgelens/models"
)

// fullSize is the size of a JPEG in eighths if it is not reduced.
const fullSize = 8

// reducedSizes are the sizes, in eighths, at which a JPEG may be decoded.
// libjpeg-turbo supports others, but only these are fast: 5/8 and more
// take longer than in full (docs/adr/0014-reduced-decode.md).
var reducedSizes = [...]int{1, 2, 4}

// eighths returns the size, in eighths, at which a JPEG is decoded for its tensors:
// the smallest with both sides of what is shown at least margin times those of each (a
// margin of 0 never reduces for that), and smaller still if decoding would take
// more than that many bytes (0 is no limit).
func eighths(h header, into []models.InputBuffer, margin float64, memory int64) int {
	size := fullSize
	if margin != 0 {
		for _, smaller := range reducedSizes {
			if leaves(h, smaller, into, margin) {
				size = smaller
				break
			}
		}
	}
	for size > reducedSizes[0] && memory > 0 && h.memory(size) > memory {
		size /= 2
	}
	return size
}

// leaves reports whether a JPEG decoded at a size in eighths has both sides at
// least margin times those of each tensor, in the parts that are shown.
func leaves(h header, size int, into []models.InputBuffer, margin float64) bool {
	upright := turned(image.Pt(scaled(h.width, size), scaled(h.height, size)), h.orientation)
	for _, buffer := range into {
		shown, err := partsOf(buffer, upright)
		if err != nil {
			return false
		}
		part, inner := shown.rects[0].Size(), shown.inner.Size()
		if float64(part.X) < margin*float64(inner.X) || float64(part.Y) < margin*float64(inner.Y) {
			return false
		}
	}
	return true
}

// scaled returns a side of a JPEG decoded at a size in eighths, as libjpeg-turbo
// rounds it (jdmaster.c, jpeg_core_output_dimensions).
func scaled(side, eighths int) int { return (side*eighths + fullSize - 1) / fullSize }

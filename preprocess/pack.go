package preprocess

import (
	"encoding/binary"
	"fmt"
	"image"
	"math"

	"edgelens"
	"edgelens/models"
)

// checkSpec rejects a spec that cannot be filled and a buffer whose length is not
// the tensor's.
func checkSpec(dst []byte, spec models.InputSpec) error {
	const maxSide = 4096 // as models.NewInputSpec; keeps the products small
	size := spec.DType.Size()
	if size == 0 || spec.Width < 1 || spec.Height < 1 || spec.Width > maxSide || spec.Height > maxSide ||
		(spec.Channels != 1 && spec.Channels != 3) || spec.Bytes() != spec.Width*spec.Height*spec.Channels*size {
		return fmt.Errorf("fill the input tensor: %w: its input is not an image (%s %v); use an image classifier", edgelens.ErrModel, spec.DType, spec.Shape)
	}
	if err := spec.Normalization.Check(); err != nil {
		return fmt.Errorf("fill the input tensor: %w: its normalization %w; correct mean and std in the manifest", edgelens.ErrModel, err)
	}
	if math.IsNaN(spec.Scale) || math.IsInf(spec.Scale, 0) {
		return fmt.Errorf("fill the input tensor: %w: its quantization is not finite; convert it again", edgelens.ErrModel)
	}
	if len(dst) != spec.Bytes() {
		return fmt.Errorf("fill the input tensor: %w: the buffer has %d bytes and the tensor %d; report this as a bug of edgelens", edgelens.ErrModel, len(dst), spec.Bytes())
	}
	return nil
}

// walk locates the pixels of the upright image in a stored one of width times
// height: pixel (x, y) is number start + x*right + y*down.
type walk struct{ start, right, down int }

// uprightWalk returns the walk for an EXIF orientation, which is where the
// stored first row and first column are displayed (Exif 2.32, 4.6.4, tag 274).
func uprightWalk(orientation, width, height int) walk {
	lastColumn, lastRow := width-1, (height-1)*width
	switch orientation {
	case 2: // row 0 is the top, column 0 the right: mirrored
		return walk{lastColumn, -1, width}
	case 3: // bottom, right: half a turn
		return walk{lastRow + lastColumn, -1, -width}
	case 4: // bottom, left: upside down and mirrored
		return walk{lastRow, 1, -width}
	case 5: // left, top: transposed
		return walk{0, width, 1}
	case 6: // right, top: to be turned clockwise
		return walk{lastRow, -width, 1}
	case 7: // right, bottom: transposed over the other diagonal
		return walk{lastRow + lastColumn, -width, -1}
	case 8: // left, bottom: to be turned counterclockwise
		return walk{lastColumn, width, -1}
	default: // top, left
		return walk{0, 1, width}
	}
}

// packBytes is pack for the most common images and models: upright, three channels of
// a byte each, all normalized alike.
func packBytes(dst, stored []byte, t *table) {
	for len(dst) >= 3 && len(stored) >= 3 {
		dst[0], dst[1], dst[2] = byte(t[stored[2]]), byte(t[stored[1]]), byte(t[stored[0]])
		dst, stored = dst[3:], stored[3:]
	}
}

// pack fills dst, a tensor of spec in HWC order, from the pixels of a small stored image
// in 8-bit BGR or gray, as many channels as spec has. Elements are in the
// little-endian order of every supported machine.
func pack(dst, pixels []byte, spec models.InputSpec, orientation int, t channelTables) {
	stored := turned(image.Pt(spec.Width, spec.Height), orientation)
	w := uprightWalk(orientation, stored.X, stored.Y)
	if w == (walk{0, 1, stored.X}) && spec.Channels == 3 && spec.DType.Size() == 1 && t[0] == t[1] && t[1] == t[2] {
		packBytes(dst, pixels, t[0])
		return
	}
	channels, size := spec.Channels, spec.DType.Size()
	stores := t // the tables in the order of the stored channels
	if channels == 3 {
		stores[0], stores[2] = t[2], t[0]
	}
	out := 0
	for y := range spec.Height {
		in := w.start + y*w.down
		for range spec.Width {
			pixel := pixels[in*channels:][:channels]
			for c := channels - 1; c >= 0; c-- { // BGR becomes RGB
				element := stores[c][pixel[c]]
				if size == 1 {
					dst[out] = byte(element)
				} else {
					binary.LittleEndian.PutUint32(dst[out:], element)
				}
				out += size
			}
			in += w.right
		}
	}
}

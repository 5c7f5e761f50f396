package preprocess

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"edgelens"
)

// Version identifies everything that determines the tensor of an image: the
// decoder's flags, the method of resizing, the order of the steps. It is part of
// the key of every cached result, so change it whenever a tensor may change.
// Settings that change pixels are added to it (Preprocessor.Version).
const Version = "4-linear"

// Config holds the limits for images, and the options of decoding.
type Config struct {
	// MaxPixels is the maximum width times height. The default of 250 million is
	// beyond any camera; MaxMemory is the limit that protects the machine.
	MaxPixels int64
	// MaxSide is the maximum width and the maximum height in pixels.
	MaxSide int
	// MaxMemory is how many bytes decoding one image may take, with a copy of the encoded
	// image. A JPEG that would take more is decoded at 1/2, 1/4 or 1/8 of its size;
	// any other image is rejected. 0 is no limit.
	MaxMemory int64
	// MaxScans is the maximum number of scans in a JPEG. Each scan of a
	// progressive JPEG costs a pass over the whole image however few bytes it
	// has; encoders write about ten. A large JPEG may have fewer.
	MaxScans int
	// ReduceJPEG decodes a JPEG at 1/2, 1/4 or 1/8 of its size: the smallest at which
	// each side of what is shown of it is still at least this many times the model's.
	// That takes less time and memory, and changes pixels and so, a little, the scores
	// (docs/adr/0014-reduced-decode.md). 0, the default, decodes every image in full;
	// else 1 to 64.
	ReduceJPEG float64
	// Background is the color behind transparent images, as #rrggbb.
	Background string
	// Fit is how images are shown for which neither the request, the device nor the model
	// has a fit; empty for edgelens.DefaultFit.
	Fit edgelens.Fit
}

// DefaultConfig returns the limits for a small machine.
func DefaultConfig() Config {
	return Config{MaxPixels: 250_000_000, MaxSide: 65535, MaxMemory: defaultMemory, MaxScans: 100, Background: white, Fit: edgelens.DefaultFit}
}

const (
	// defaultMemory is what one image may have of the default of decode.memory. It is
	// enough for a progressive JPEG of 50 megapixels with colors at half resolution, a
	// baseline one of 110, and 44 in every other coding of eight bits but TIFF: lossless WebP
	// with transparency takes eight bytes a pixel.
	defaultMemory = 352 << 20
	white         = "#ffffff"
)

// OpenCV's own limits (CV_IO_MAX_IMAGE_PIXELS, CV_IO_MAX_IMAGE_WIDTH), above
// which ours could not be kept. They also keep every product of dimensions in
// this package far from overflowing an int64.
const (
	opencvMaxPixels = 1 << 30
	opencvMaxSide   = 1 << 20
	maxScans        = 10_000
	maxMargin       = 64
)

// Validate returns all errors of the settings, joined; nil if there are none.
func (c Config) Validate() error {
	var errs []error
	if c.MaxPixels < 1 || c.MaxPixels > opencvMaxPixels {
		errs = append(errs, fmt.Errorf("max_pixels must be from 1 to %d, not %d", opencvMaxPixels, c.MaxPixels))
	}
	if c.MaxSide < 1 || c.MaxSide > opencvMaxSide {
		errs = append(errs, fmt.Errorf("max_side must be from 1 to %d, not %d", opencvMaxSide, c.MaxSide))
	}
	if c.MaxScans < 1 || c.MaxScans > maxScans {
		errs = append(errs, fmt.Errorf("max_scans must be from 1 to %d, not %d", maxScans, c.MaxScans))
	}
	if k := c.ReduceJPEG; k != 0 && !(k >= 1 && k <= maxMargin) { // NaN too
		errs = append(errs, fmt.Errorf("reduce_jpeg must be 0 or from 1 to %d, not %v", maxMargin, k))
	}
	if c.MaxMemory < 0 {
		errs = append(errs, fmt.Errorf("max_memory must be 0 (no limit) or a number of bytes, not %d", c.MaxMemory))
	}
	if _, ok := parseColor(c.Background); !ok {
		errs = append(errs, fmt.Errorf("background must be a color such as %s, not %q", white, c.Background))
	}
	if c.Fit.Check() != nil {
		errs = append(errs, fmt.Errorf("fit must be center, stretch, sweep or pad, not %.40q", c.Fit))
	}
	return errors.Join(errs...)
}

// parseColor reads #rrggbb; empty is white.
func parseColor(text string) (bgrColor, bool) {
	if text == "" {
		text = white
	}
	rgb, err := hex.DecodeString(strings.TrimPrefix(text, "#"))
	if err != nil || len(rgb) != 3 || text[0] != '#' {
		return bgrColor{}, false
	}
	return bgrColor{rgb[2], rgb[1], rgb[0]}, true
}

// version is Version and the settings that change pixels.
func (c Config) version() string {
	version := Version
	if c.ReduceJPEG != 0 {
		version += "-reduced-" + strconv.FormatFloat(c.ReduceJPEG, 'g', -1, 64)
	}
	if c.MaxMemory != defaultMemory {
		version += "-within-" + strconv.FormatInt(c.MaxMemory, 10)
	}
	if background := strings.ToLower(c.Background); background != "" && background != white {
		version += "-on-" + background
	}
	return version
}

// allow checks an image's dimensions against the limits.
func (c Config) allow(format string, width, height int64) error {
	if width < 1 || height < 1 {
		return refuse(edgelens.ErrBadImage, format, "it claims to be %dx%d pixels; save the image again and send that", width, height)
	}
	if width > int64(c.MaxSide) || height > int64(c.MaxSide) {
		return refuse(edgelens.ErrBadImage, format, "it is %dx%d pixels and %d a side is the limit; send it smaller", width, height, c.MaxSide)
	}
	if width*height > c.MaxPixels {
		return refuse(edgelens.ErrBadImage, format, "it is %dx%d = %d pixels and %d is the limit; send it smaller", width, height, width*height, c.MaxPixels)
	}
	return nil
}

// refuse returns an error that wraps sentinel, with the action that failed and
// what the user can do.
func refuse(sentinel error, format, sentence string, args ...any) error {
	return fmt.Errorf("check %s: %w: %s", format, sentinel, fmt.Sprintf(sentence, args...))
}

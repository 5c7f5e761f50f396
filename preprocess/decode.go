//go:build cgo

package preprocess

import (
	"errors"
	"fmt"
	"image"

	"gocv.io/x/gocv"

	"edgelens"
	"edgelens/models"
)

// decode decodes an image that inspect has passed, or of a JPEG what is shown, and blends
// it over the background. damaged reports that data was wrong or missing and that the
// decoder has filled the gaps. The raster must be freed before s is used again.
//
// The result never contains an earlier image: every decoder writes all of its raster,
// or fails, and then the memory is cleared (docs/adr/0018-libjpeg.md).
func (p *Preprocessor) decode(s *scratch, h header, into []models.InputBuffer) (r raster, damaged bool, err error) {
	switch h.format {
	case "jpeg":
		size := eighths(h, into, p.limits.ReduceJPEG, p.limits.MaxMemory)
		return decodeJPEG(&s.pixels, h, size, shownOf(h, size, into))
	case "png":
		return decodePNG(&s.pixels, h, p.background)
	case "webp":
		r, err = decodeWebP(&s.pixels, h, p.background)
		return r, false, err
	}
	r, err = decodeInGo(&s.pixels, h, p.background)
	return r, false, err
}

// decodeInGo decodes rare formats, and those for which Go is fast enough.
func decodeInGo(buffer *pixelBuffer, h header, background bgrColor) (r raster, err error) {
	channels := 3
	if h.format == "bmp" {
		channels = int(h.channels)
	}
	if r, err = buffer.take(h.width, h.height, channels); err != nil {
		return raster{}, err
	}
	switch h.format {
	case "bmp":
		if err = decodeBMP(r.bgr, h.data); err != nil {
			err = fmt.Errorf("decode bmp: %w: %w", edgelens.ErrBadImage, err)
		}
	case "gif":
		err = decodeGIF(r.bgr, h, background)
	case "tiff":
		err = decodeTIFF(r.bgr, h, background)
	default:
		err = errors.New("decode the image: no decoder for " + h.format)
	}
	if err != nil {
		r.discard()
		return raster{}, err
	}
	if channels == 4 {
		r.bgr = flatten(r.bgr, background)
	}
	return r, nil
}

// decodeWebP decodes a WebP, or the first frame of an animated one on its canvas.
func decodeWebP(buffer *pixelBuffer, h header, background bgrColor) (raster, error) {
	if h.frame == nil {
		return decodeByOpenCV(h.data, h, background)
	}
	f := h.frame
	frame, err := decodeByOpenCV(f.file(), header{format: h.format, width: f.width, height: f.height}, background)
	if err != nil || f.width == h.width && f.height == h.height {
		return frame, err
	}
	defer frame.free()
	canvas, err := buffer.take(h.width, h.height, 3)
	if err != nil {
		return raster{}, err
	}
	fill(canvas.bgr, background)
	for y := range f.height {
		copy(canvas.bgr[3*((f.y+y)*h.width+f.x):], frame.bgr[3*y*f.width:3*(y+1)*f.width])
	}
	return canvas, nil
}

// decodeByOpenCV decodes an image, and blends it over the background.
// IMDecodeIntoMat returns its errors for each call, while those of IMDecode pass
// through one variable for all goroutines; they name lines of OpenCV's source, which
// do not help the user.
//
// The Mat is a fresh one for every image: imdecode reports junk as a success and
// leaves the previous content in its destination, which would be another client's
// image. An error of the image itself shows as an empty Mat.
func decodeByOpenCV(encoded []byte, h header, background bgrColor) (raster, error) {
	mat := gocv.NewMat()
	pixels, err := matOf(&mat, encoded, h)
	if err != nil {
		mat.Close()
		return raster{}, err
	}
	if mat.Channels() == 4 {
		pixels = flatten(pixels, background)
	}
	return raster{bgr: pixels, width: h.width, height: h.height, whole: image.Pt(h.width, h.height), opencv: mat, isMat: true}, nil
}

// matOf decodes into an empty Mat, in three or four channels of eight bits, and
// returns its pixels.
func matOf(mat *gocv.Mat, encoded []byte, h header) ([]byte, error) {
	damaged := fmt.Errorf("decode %s: %w: it is damaged or of a rare kind; save the image again and send that", h.format, edgelens.ErrBadImage)
	if err := gocv.IMDecodeIntoMat(encoded, gocv.IMReadUnchanged|gocv.IMReadIgnoreOrientation, mat); err != nil {
		return nil, damaged
	}
	if mat.Empty() || mat.Cols() != h.width || mat.Rows() != h.height || mat.Type() != gocv.MatTypeCV8UC3 && mat.Type() != gocv.MatTypeCV8UC4 {
		return nil, damaged
	}
	pixels, err := mat.DataPtrUint8()
	if err != nil || len(pixels) != h.width*h.height*mat.Channels() {
		return nil, damaged
	}
	return pixels, nil
}

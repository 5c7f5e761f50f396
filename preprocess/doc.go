// Package preprocess turns an encoded image into the input tensor of a
// model, in four steps:
//
//  1. Check. Header and structure are read in Go, so that no decoder ever sees a
//     format other than its own, an image over the limits, a truncated file or
//     a small file that claims a huge image. Bytes before an image, harmless
//     damage and a missing end mark are ignored, as browsers do.
//  2. Decode, to 8-bit BGR: libjpeg-turbo (JPEG; at a reduced size depending on
//     Config.ReduceJPEG and Config.MaxMemory), libpng (PNG), OpenCV (WebP), Go
//     (GIF, TIFF, BMP). Transparent pixels are blended over Config.Background.
//  3. Cut and resize. What the view shows (docs/adr/0025-fit.md) is resized to the
//     model's input, bilinearly between the four nearest pixels, without averaging
//     when it shrinks (INTER_LINEAR). MobileNets were trained and evaluated on images
//     resized this way; averaging (INTER_AREA) looks smoother to people, but lowers
//     the score of the right class and costs as much as decoding (docs/adr/0005).
//  4. Pack. The small image is rotated by its EXIF orientation,
//     put in RGB order (or is gray already), and each pixel is mapped to an
//     element of the tensor by a table of 256 entries.
//
// Only decoding and resizing need cgo (libjpeg-turbo, libpng, and OpenCV by way of gocv); in
// a build without it New returns an error. No gocv type leaves this package.
package preprocess

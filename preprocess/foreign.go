package preprocess

import (
	"bytes"

	"edgelens"
)

// heic is the default format of phones' cameras.
const heic = "a HEIC"

// foreign maps the magic numbers of formats that are not allowed to their names, so
// that the error can name the probable format. Several of them (NITF, DICOM, EXR,
// HDR) OpenCV would pass to GDAL, GDCM or a temporary file.
var foreign = []struct {
	offset int
	magic  string
	name   string
}{
	{0, "GIF8", "a GIF of an unknown version"},
	{0, "II+\x00", "a BigTIFF"},
	{0, "MM\x00+", "a BigTIFF"},
	{0, "v/1\x01", "an OpenEXR image"},
	{0, "#?R", "a Radiance HDR image"},
	{128, "DICM", "a DICOM file"},
	{0, "NITF", "a NITF file"},
	{0, "NSIF", "a NITF file"},
	{0, "%PDF", "a PDF"},
	{0, "<svg", "an SVG"},
	{0, "<?xml", "an SVG or another XML file"},
	{4, "ftypavi", "an AVIF"},
	{4, "ftyphei", heic},
	{4, "ftyphev", heic},
	{4, "ftypmif1", heic},
	{4, "ftypmsf1", heic},
	{4, "ftyp", "a video"},
	{0, "\x1A\x45\xDF\xA3", "a video"},
	{0, "\x00\x00\x00\x0CjP  ", "a JPEG 2000"},
	{0, "\xFF\x4F\xFF\x51", "a JPEG 2000"},
	{0, "\x00\x00\x00\x0CJXL ", "a JPEG XL"},
	{0, "\xFF\x0A", "a JPEG XL"},
	{0, "8BPS", "a Photoshop file"},
	{0, "\x00\x00\x01\x00", "an icon"},
	{0, "qoif", "a QOI image"},
	{0, "P4", "a PBM image"},
	{0, "P5", "a PGM image"},
	{0, "P6", "a PPM image"},
	{0, "P7", "a PAM image"},
	{0, "\x59\xA6\x6A\x95", "a Sun raster"},
	{0, "PK\x03\x04", "a zip archive"},
	{0, "\x1F\x8B", "a gzip archive"},
	{0, "\x89PNG", "a PNG damaged by a transfer in text mode"},
	{0, "\x8AMNG", "an MNG"},
	{0, "data:", "a data URI, which must be decoded first"},
	{0, "/9j/", "base64 text, which must be decoded first"},
	{0, "iVBORw0KGgo", "base64 text, which must be decoded first"},
	{0, "<!DOCTYPE", "an HTML page"},
	{0, "<!doctype", "an HTML page"},
	{0, "<html", "an HTML page"},
	{0, "{", "JSON"},
}

// unknownFormat returns the error for bytes in none of the supported formats, with
// and without the bytes before the image.
func unknownFormat(encoded, image []byte) error {
	for _, f := range foreign {
		if !hasMagic(encoded, f.offset, f.magic) && !hasMagic(image, f.offset, f.magic) {
			continue
		}
		if f.name == heic {
			return refuse(edgelens.ErrUnsupportedFormat, "image", "it seems to be a HEIC. On an iPhone or iPad choose Settings > Camera > Formats > Most Compatible, on other phones switch off the setting \"high efficiency images\", or send a %s file", accepted)
		}
		return refuse(edgelens.ErrUnsupportedFormat, "image", "it seems to be %s; send a %s file", f.name, accepted)
	}
	return refuse(edgelens.ErrUnsupportedFormat, "image", "its format is unknown; send a %s file", accepted)
}

func hasMagic(b []byte, offset int, magic string) bool {
	return len(b) > offset && bytes.HasPrefix(b[offset:], []byte(magic))
}

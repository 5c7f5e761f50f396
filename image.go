package edgelens

// ImageInfo is what is known of an image.
type ImageInfo struct {
	// Width and Height are in pixels, as stored in the file, before EXIF
	// orientation is applied.
	Width, Height int
	// Format is "jpeg", "png", "webp", "gif", "tiff" or "bmp".
	Format string
	// SHA256 is the hex digest of the encoded bytes.
	SHA256 string
	// Damaged reports that some of the image's data is wrong or missing: the
	// decoder has filled the gaps, and the predictions may be about the filling.
	Damaged bool `json:",omitempty"`
}

// Problem describes in a sentence what is wrong with an image that was
// recognized nevertheless; "" if nothing is.
func (i ImageInfo) Problem() string {
	if !i.Damaged {
		return ""
	}
	return "The image is damaged: some of its data is wrong or missing, and the answer may be about what the decoder has filled in. Send the image again."
}

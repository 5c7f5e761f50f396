package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	"edgelens"
)

// Images provides images that were recognized.
type Images interface {
	// Image returns the encoded image of a job. Its error is an
	// edgelens.ErrNotFound if there is none, or it was deleted.
	Image(ctx context.Context, jobID string) ([]byte, error)
}

// GetResultImage implements StrictServerInterface.
func (s *Server) GetResultImage(ctx context.Context, r GetResultImageRequestObject) (GetResultImageResponseObject, error) {
	result, err := s.visibleResult(ctx, r.Id.String())
	if err != nil {
		return nil, err
	}
	image, err := s.image(ctx, result.JobID)
	if errors.Is(err, edgelens.ErrNotFound) {
		err = fmt.Errorf("%w: the image of result %s is not kept; the setting ledger.keep_images keeps the images of jobs", edgelens.ErrNotFound, r.Id)
	}
	if err != nil {
		return nil, err
	}
	etag := etagOf(image)
	if isCurrent(text(r.Params.IfNoneMatch), etag) {
		return GetResultImage304Response{Headers: NotModifiedResponseHeaders{ETag: etag}}, nil
	}
	return GetResultImage200AsteriskResponse{
		Body: bytes.NewReader(image), ContentLength: int64(len(image)), ContentType: imageType(image),
		// It may show a person, so no cache may share it; and it must not run as a page, whatever its bytes are.
		Headers: GetResultImage200ResponseHeaders{ETag: etag, CacheControl: "private", XContentTypeOptions: "nosniff"},
	}, nil
}

// image returns an ErrNotFound if there was no job.
func (s *Server) image(ctx context.Context, jobID string) ([]byte, error) {
	if jobID == "" {
		return nil, edgelens.ErrNotFound
	}
	return s.images.Image(ctx, jobID)
}

// imageType detects the supported formats by their first bytes. Browsers should not
// display anything else, which no recognition could read either.
func imageType(image []byte) string {
	switch found := http.DetectContentType(image); found {
	case "image/jpeg", "image/png", "image/webp", "image/bmp":
		return found
	default:
		return "application/octet-stream"
	}
}

// noImages are the Images of a server that stores none.
type noImages struct{}

func (noImages) Image(context.Context, string) ([]byte, error) {
	return nil, edgelens.ErrNotFound
}

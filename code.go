package edgelens

import "errors"

// codes gives every sentinel its short stable name, which appears in responses,
// logs and metrics.
var codes = []struct {
	err  error
	code string
}{
	{ErrNoImage, "no_image"},
	{ErrInvalid, "invalid_request"},
	{ErrTooLarge, "too_large"},
	{ErrUnsupportedFormat, "unsupported_format"},
	{ErrBadImage, "bad_image"},
	{ErrUnauthorized, "unauthorized"},
	{ErrForbidden, "forbidden"},
	{ErrUnknownModel, "unknown_model"},
	{ErrNotFound, "not_found"},
	{ErrFinished, "finished"},
	{ErrInUse, "in_use"},
	{ErrConflict, "conflict"},
	{ErrDiskFull, "disk_full"},
	{ErrStorage, "storage"},
	{ErrBusy, "busy"},
	{ErrStopping, "not_accepting"},
	{ErrDeadline, "deadline"},
	{ErrCanceled, "canceled"},
	{ErrNoModel, "no_model"},
	{ErrModel, "model_unusable"},
	{ErrInference, "inference_failed"},
}

// Code returns the short name of the sentinel that err wraps: "ok" for nil,
// "internal" where it wraps none.
func Code(err error) string {
	if err == nil {
		return "ok"
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return "internal"
}

package edgelens

import (
	"errors"
	"time"
)

// The sentinel errors. Every error that leaves a package of this module wraps
// one of them with the action that failed ("decode jpeg: ..."); each adapter maps
// them to its own codes in one table, and a test over Sentinels proves that the
// table is complete.
var (
	// ErrNoImage: the request carries no image.
	ErrNoImage = errors.New("no image was given")
	// ErrInvalid: an option or the form of the request is wrong.
	ErrInvalid = errors.New("the request is not valid")
	// ErrTooLarge: the body or the encoded image is over the limit.
	ErrTooLarge = errors.New("the upload is too large")
	// ErrUnsupportedFormat: not one of the allowed image formats.
	ErrUnsupportedFormat = errors.New("the image format is not supported")
	// ErrBadImage: an allowed format, but corrupt, truncated or refused.
	ErrBadImage = errors.New("the image cannot be used")
	// ErrUnauthorized: the client has no valid key, and one is needed.
	ErrUnauthorized = errors.New("a valid key is needed")
	// ErrForbidden: the client's key does not permit this.
	ErrForbidden = errors.New("the key does not permit this")
	// ErrUnknownModel: no model of that name.
	ErrUnknownModel = errors.New("there is no such model")
	// ErrNotFound: no such thing.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the request contradicts the present state.
	ErrConflict = errors.New("the request conflicts with an earlier one")
	// ErrFinished: a job or command has ended and cannot change. It is an
	// ErrConflict.
	ErrFinished error = conflict{"it has ended already"}
	// ErrInUse: another process holds the folder. It is an ErrConflict.
	ErrInUse error = conflict{"another edgelens is using it"}
	// ErrDiskFull: nothing can be stored, so nothing is accepted.
	ErrDiskFull = errors.New("the disk is full")
	// ErrStorage: the storage cannot be written, or its capacity is reserved for
	// what was accepted before. Nothing can be stored, so nothing is accepted.
	ErrStorage = errors.New("nothing can be stored")
	// ErrBusy: no free slot now; retrying later will help.
	ErrBusy = errors.New("the service is busy")
	// ErrStopping: the service is shutting down or not ready yet.
	ErrStopping = errors.New("the service is not accepting work")
	// ErrDeadline: the request's deadline passed before the result was ready.
	ErrDeadline = errors.New("the deadline passed")
	// ErrCanceled: the caller canceled the request or disconnected.
	ErrCanceled = errors.New("the request was canceled")
	// ErrModel: a model file cannot be loaded, or a model cannot be used.
	ErrModel = errors.New("the model cannot be used")
	// ErrNoModel: the model is known and its file is missing. It is an ErrModel.
	ErrNoModel error = noModel{}
	// ErrInference: the interpreter failed while running.
	ErrInference = errors.New("the inference failed")
)

// Sentinels returns every sentinel error, for tests that prove a mapping
// complete.
func Sentinels() []error {
	return []error{
		ErrNoImage, ErrInvalid, ErrTooLarge, ErrUnsupportedFormat, ErrBadImage,
		ErrUnauthorized, ErrForbidden, ErrUnknownModel, ErrNotFound, ErrFinished, ErrInUse, ErrConflict, ErrDiskFull, ErrStorage, ErrBusy, ErrStopping, ErrDeadline,
		ErrCanceled, ErrNoModel, ErrModel, ErrInference,
	}
}

// conflict is a distinct kind of ErrConflict.
type conflict struct{ text string }

func (c conflict) Error() string { return c.text }

// Is makes errors.Is(err, ErrConflict) true.
func (conflict) Is(target error) bool { return target == ErrConflict }

type noModel struct{}

func (noModel) Error() string { return "the model is not here" }

// Is makes errors.Is(ErrNoModel, ErrModel) true.
func (noModel) Is(target error) bool { return target == ErrModel }

// Busy is an ErrBusy with the time after which a retry is worth it.
type Busy struct {
	// RetryAfter is the predicted time until a slot is free.
	RetryAfter time.Duration
	// Reason is a sentence for the user.
	Reason string
}

// Error returns the reason.
func (b *Busy) Error() string { return b.Reason }

// Is makes errors.Is(err, ErrBusy) true.
func (b *Busy) Is(target error) bool { return target == ErrBusy }

// NoRoom is an ErrStorage whose reason may be sent to a client: it reveals no
// internals.
type NoRoom struct {
	// Reason is a sentence for the user.
	Reason string
}

// Error returns the reason.
func (n *NoRoom) Error() string { return n.Reason }

// Is makes errors.Is(err, ErrStorage) true.
func (n *NoRoom) Is(target error) bool { return target == ErrStorage }

// NotStored reports whether err means that something could not be stored for a
// cause that may pass: a retry is worth it.
func NotStored(err error) bool { return errors.Is(err, ErrDiskFull) || errors.Is(err, ErrStorage) }

// Package sandbox decodes images in other processes. The decoders of libjpeg-turbo, libpng
// and OpenCV are C and C++ that read what strangers send: an error in one of them, or a file
// that takes minutes or gigabytes, must cost one image and not the service.
//
// Helpers are processes of the same program (Main) with the work of package preprocess: check,
// decode, resize, pack. A helper has no files, no network and no right to start a program
// (seccomp, Landlock), little memory beyond what the image's header calls for (RLIMIT_DATA),
// and Config.Timeout for an image. It is killed after that, and replaced. An image that ended a
// helper is quarantined: it is rejected without being decoded again.
//
// Images go in and tensors come out through memory without a name (memfd_create(2)) that both
// processes have open; requests and responses are packets of a Unix socket. What a helper
// answers is validated: it may have been taken over by its image
// (docs/adr/0035-decoding-in-a-box.md).
package sandbox

// Package kernelcheck compares the kernels that are to run a model with reference kernels,
// before they do. A defect of a library, a driver or a processor can make fast kernels
// compute wrongly, and they then name wrong classes with all decimals
// (docs/adr/0030-kernel-check.md).
//
// The reference kernels are those of TensorFlow Lite without a delegate. Healthy kernels
// round in other ways and so differ a little; the check fails on gross disagreement only.
package kernelcheck

// Version is that of the images, the figures and the limits. Verdicts of another one are
// not used.
const Version = 1

"""TensorFlow Lite's C library through ctypes: just enough for one classifier.

The declarations are those of tensorflow/lite/c/c_api.h and of
tensorflow/lite/delegates/xnnpack/xnnpack_delegate.h, TensorFlow Lite 2.17 to 2.20.
"""

import ctypes
from ctypes import POINTER, c_char_p, c_float, c_int, c_int32, c_size_t, c_uint32, c_void_p

import numpy as np

_DTYPES = {3: np.uint8, 9: np.int8}  # kTfLiteUInt8, kTfLiteInt8
_QS8, _QU8 = 1, 2  # quantized operators that XNNPACK takes only when asked


class _Quantization(ctypes.Structure):
    _fields_ = [("scale", c_float), ("zero_point", c_int32)]


# The options in any layout: the first word is the number of threads, and the flags are in
# the second or, from 2.20 on, the third. The rest reads zeros.
_XNNPackOptions = c_uint32 * 64


_SIGNATURES = {
    "TfLiteVersion": (c_char_p, []),
    "TfLiteModelCreateFromFile": (c_void_p, [c_char_p]),
    "TfLiteModelDelete": (None, [c_void_p]),
    "TfLiteInterpreterOptionsCreate": (c_void_p, []),
    "TfLiteInterpreterOptionsDelete": (None, [c_void_p]),
    "TfLiteInterpreterOptionsSetNumThreads": (None, [c_void_p, c_int32]),
    "TfLiteInterpreterOptionsAddDelegate": (None, [c_void_p, c_void_p]),
    "TfLiteXNNPackDelegateCreate": (c_void_p, [POINTER(_XNNPackOptions)]),
    "TfLiteXNNPackDelegateGetFlags": (c_int, [c_void_p]),
    "TfLiteXNNPackDelegateDelete": (None, [c_void_p]),
    "TfLiteInterpreterCreate": (c_void_p, [c_void_p, c_void_p]),
    "TfLiteInterpreterDelete": (None, [c_void_p]),
    "TfLiteInterpreterAllocateTensors": (c_int, [c_void_p]),
    "TfLiteInterpreterGetInputTensor": (c_void_p, [c_void_p, c_int32]),
    "TfLiteInterpreterGetOutputTensor": (c_void_p, [c_void_p, c_int32]),
    "TfLiteInterpreterInvoke": (c_int, [c_void_p]),
    "TfLiteTensorType": (c_int, [c_void_p]),
    "TfLiteTensorNumDims": (c_int32, [c_void_p]),
    "TfLiteTensorDim": (c_int32, [c_void_p, c_int32]),
    "TfLiteTensorQuantizationParams": (_Quantization, [c_void_p]),
    "TfLiteTensorCopyFromBuffer": (c_int, [c_void_p, c_void_p, c_size_t]),
    "TfLiteTensorCopyToBuffer": (c_int, [c_void_p, c_void_p, c_size_t]),
}


class Tensor:
    """What is to be known of an input or output."""

    def __init__(self, library, handle):
        dtype = library.TfLiteTensorType(handle)
        if dtype not in _DTYPES:
            raise ValueError(f"a tensor has type {dtype}; uint8 and int8 can be used")
        self.handle = handle
        self.dtype = np.dtype(_DTYPES[dtype])
        self.shape = tuple(library.TfLiteTensorDim(handle, i) for i in range(library.TfLiteTensorNumDims(handle)))
        quantization = library.TfLiteTensorQuantizationParams(handle)
        self.scale, self.zero_point = quantization.scale, quantization.zero_point


class Interpreter:
    """A model, ready to run. Not for two threads at a time."""

    def __init__(self, library, model, xnnpack=False, threads=1):
        self._delegate = self._interpreter = None  # for close, wherever this fails
        self._library = ctypes.CDLL(library)
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, arguments
        self._model = self._library.TfLiteModelCreateFromFile(str(model).encode())
        if not self._model:
            raise ValueError(f"{model} is no TensorFlow Lite model")
        try:
            self._open(xnnpack, threads)
        except Exception:
            self.close()
            raise

    def _open(self, xnnpack, threads):
        lib = self._library
        options = lib.TfLiteInterpreterOptionsCreate()
        try:
            lib.TfLiteInterpreterOptionsSetNumThreads(options, threads)
            if xnnpack:
                self._delegate = self._xnnpack(threads)
                lib.TfLiteInterpreterOptionsAddDelegate(options, self._delegate)
            self._interpreter = lib.TfLiteInterpreterCreate(self._model, options)
        finally:
            lib.TfLiteInterpreterOptionsDelete(options)
        if not self._interpreter:
            raise RuntimeError("TensorFlow Lite takes this model " + ("without XNNPACK only" if xnnpack else "not at all"))
        if lib.TfLiteInterpreterAllocateTensors(self._interpreter) != 0:
            raise RuntimeError("the tensors cannot be allocated")
        self.input = Tensor(lib, lib.TfLiteInterpreterGetInputTensor(self._interpreter, 0))
        self.output = Tensor(lib, lib.TfLiteInterpreterGetOutputTensor(self._interpreter, 0))

    def _xnnpack(self, threads):
        """A delegate that takes quantized operators, whichever layout the options have."""
        lib, flags = self._library, _QS8 | _QU8
        for options in (_XNNPackOptions(threads, flags), _XNNPackOptions(threads, 0, flags)):
            delegate = lib.TfLiteXNNPackDelegateCreate(options)
            if delegate and lib.TfLiteXNNPackDelegateGetFlags(delegate) & flags == flags:
                return delegate
            lib.TfLiteXNNPackDelegateDelete(delegate)
        raise RuntimeError("the options of this library's XNNPACK are laid out in no known way")

    def version(self):
        return self._library.TfLiteVersion().decode()

    def invoke(self, tensor):
        """Runs the model on an array of the input's type and size; returns the output."""
        if tensor.dtype != self.input.dtype or tensor.size != np.prod(self.input.shape):
            raise ValueError(f"an input of {self.input.shape} {self.input.dtype} is needed, not {tensor.shape} {tensor.dtype}")
        lib, tensor = self._library, np.ascontiguousarray(tensor)
        output = np.empty(self.output.shape, self.output.dtype)
        if (
            lib.TfLiteTensorCopyFromBuffer(self.input.handle, tensor.ctypes.data, tensor.nbytes) != 0
            or lib.TfLiteInterpreterInvoke(self._interpreter) != 0
            or lib.TfLiteTensorCopyToBuffer(self.output.handle, output.ctypes.data, output.nbytes) != 0
        ):
            raise RuntimeError("the model cannot be run")
        return output

    def close(self):
        """Frees it, the delegate after the interpreter that uses it. May be called twice."""
        lib = self._library
        for free, name in (
            (lib.TfLiteInterpreterDelete, "_interpreter"),
            (lib.TfLiteXNNPackDelegateDelete, "_delegate"),
            (lib.TfLiteModelDelete, "_model"),
        ):
            if getattr(self, name):
                free(getattr(self, name))
                setattr(self, name, None)

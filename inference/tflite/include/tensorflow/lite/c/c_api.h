// What edgelens and github.com/mattn/go-tflite v1.0.10 use of TensorFlow Lite's C API, as
// versions 2.17 to 2.20 export it. The package that brings the library has no headers
// (docs/adr/0027-tflite-2.17.md), and these come first on the include path, so that a
// library of the user's own (TFLITE_ROOT) is called by the same declarations.
//
// The names, types, values and layouts are an interface, and so are not ours to choose;
// inference/tflite/api_test.go compiles and calls them.
#ifndef EDGELENS_TENSORFLOW_LITE_C_C_API_H_
#define EDGELENS_TENSORFLOW_LITE_C_C_API_H_

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// --- types ---------------------------------------------------------------------

typedef enum {
	kTfLiteOk = 0,
	kTfLiteError = 1,
	kTfLiteDelegateError = 2,
	kTfLiteApplicationError = 3,
	kTfLiteDelegateDataNotFound = 4,
	kTfLiteDelegateDataWriteError = 5,
	kTfLiteDelegateDataReadError = 6,
	kTfLiteUnresolvedOps = 7,
	kTfLiteCancelled = 8,
} TfLiteStatus;

// Of the element types only those that edgelens or go-tflite name.
typedef enum {
	kTfLiteNoType = 0,
	kTfLiteFloat32 = 1,
	kTfLiteInt32 = 2,
	kTfLiteUInt8 = 3,
	kTfLiteInt64 = 4,
	kTfLiteString = 5,
	kTfLiteBool = 6,
	kTfLiteInt16 = 7,
	kTfLiteComplex64 = 8,
	kTfLiteInt8 = 9,
} TfLiteType;

// A real value is scale * (quantized value - zero_point).
typedef struct {
	float scale;
	int32_t zero_point;
} TfLiteQuantizationParams;

// Only the library looks into these.
typedef struct TfLiteModel TfLiteModel;
typedef struct TfLiteInterpreterOptions TfLiteInterpreterOptions;
typedef struct TfLiteInterpreter TfLiteInterpreter;
typedef struct TfLiteSignatureRunner TfLiteSignatureRunner;
typedef struct TfLiteDelegate TfLiteDelegate;
typedef struct TfLiteTensor TfLiteTensor;

// How the library reports an error: the data it was registered with, and a format of printf.
typedef void (*edgelens_tflite_reporter)(void* data, const char* format, va_list args);

// --- library -------------------------------------------------------------------

const char* TfLiteVersion(void);
const char* TfLiteExtensionApisVersion(void);
int TfLiteSchemaVersion(void);

// --- model: of memory, which must outlive it, or of a file ----------------------

TfLiteModel* TfLiteModelCreate(const void* data, size_t size);
TfLiteModel* TfLiteModelCreateWithErrorReporter(const void* data, size_t size, edgelens_tflite_reporter reporter, void* reporter_data);
TfLiteModel* TfLiteModelCreateFromFile(const char* path);
TfLiteModel* TfLiteModelCreateFromFileWithErrorReporter(const char* path, edgelens_tflite_reporter reporter, void* reporter_data);
void TfLiteModelDelete(TfLiteModel* model);

// --- options of interpreters, which copy them -----------------------------------

TfLiteInterpreterOptions* TfLiteInterpreterOptionsCreate(void);
TfLiteInterpreterOptions* TfLiteInterpreterOptionsCopy(const TfLiteInterpreterOptions* options);
void TfLiteInterpreterOptionsDelete(TfLiteInterpreterOptions* options);
void TfLiteInterpreterOptionsSetNumThreads(TfLiteInterpreterOptions* options, int32_t threads);
void TfLiteInterpreterOptionsAddDelegate(TfLiteInterpreterOptions* options, TfLiteDelegate* delegate);
void TfLiteInterpreterOptionsSetErrorReporter(TfLiteInterpreterOptions* options, edgelens_tflite_reporter reporter, void* reporter_data);
TfLiteStatus TfLiteInterpreterOptionsEnableCancellation(TfLiteInterpreterOptions* options, bool enable);

// --- interpreter: the model must outlive it --------------------------------------

TfLiteInterpreter* TfLiteInterpreterCreate(const TfLiteModel* model, const TfLiteInterpreterOptions* options);
void TfLiteInterpreterDelete(TfLiteInterpreter* interpreter);
TfLiteStatus TfLiteInterpreterAllocateTensors(TfLiteInterpreter* interpreter);
TfLiteStatus TfLiteInterpreterInvoke(TfLiteInterpreter* interpreter);
TfLiteStatus TfLiteInterpreterCancel(const TfLiteInterpreter* interpreter);

int32_t TfLiteInterpreterGetInputTensorCount(const TfLiteInterpreter* interpreter);
TfLiteTensor* TfLiteInterpreterGetInputTensor(const TfLiteInterpreter* interpreter, int32_t index);
TfLiteStatus TfLiteInterpreterResizeInputTensor(TfLiteInterpreter* interpreter, int32_t index, const int* dims, int32_t dims_size);
int32_t TfLiteInterpreterGetOutputTensorCount(const TfLiteInterpreter* interpreter);
const TfLiteTensor* TfLiteInterpreterGetOutputTensor(const TfLiteInterpreter* interpreter, int32_t index);

// Indexes count all tensors of the first graph.
const int* TfLiteInterpreterInputTensorIndices(const TfLiteInterpreter* interpreter);
const int* TfLiteInterpreterOutputTensorIndices(const TfLiteInterpreter* interpreter);
TfLiteTensor* TfLiteInterpreterGetTensor(const TfLiteInterpreter* interpreter, int index);

// --- tensors ---------------------------------------------------------------------

TfLiteType TfLiteTensorType(const TfLiteTensor* tensor);
int32_t TfLiteTensorNumDims(const TfLiteTensor* tensor);
int32_t TfLiteTensorDim(const TfLiteTensor* tensor, int32_t index);
size_t TfLiteTensorByteSize(const TfLiteTensor* tensor);
void* TfLiteTensorData(const TfLiteTensor* tensor);
const char* TfLiteTensorName(const TfLiteTensor* tensor);
TfLiteQuantizationParams TfLiteTensorQuantizationParams(const TfLiteTensor* tensor);
TfLiteStatus TfLiteTensorCopyFromBuffer(TfLiteTensor* tensor, const void* data, size_t size);
TfLiteStatus TfLiteTensorCopyToBuffer(const TfLiteTensor* tensor, void* data, size_t size);

// --- signatures: named entries of a model ------------------------------------------

int32_t TfLiteInterpreterGetSignatureCount(const TfLiteInterpreter* interpreter);
const char* TfLiteInterpreterGetSignatureKey(const TfLiteInterpreter* interpreter, int32_t index);
TfLiteSignatureRunner* TfLiteInterpreterGetSignatureRunner(const TfLiteInterpreter* interpreter, const char* key);
size_t TfLiteSignatureRunnerGetInputCount(const TfLiteSignatureRunner* runner);
const char* TfLiteSignatureRunnerGetInputName(const TfLiteSignatureRunner* runner, int32_t index);
TfLiteStatus TfLiteSignatureRunnerResizeInputTensor(TfLiteSignatureRunner* runner, const char* name, const int* dims, int32_t dims_size);
TfLiteStatus TfLiteSignatureRunnerAllocateTensors(TfLiteSignatureRunner* runner);
TfLiteTensor* TfLiteSignatureRunnerGetInputTensor(TfLiteSignatureRunner* runner, const char* name);
TfLiteStatus TfLiteSignatureRunnerInvoke(TfLiteSignatureRunner* runner);
TfLiteStatus TfLiteSignatureRunnerCancel(TfLiteSignatureRunner* runner);
size_t TfLiteSignatureRunnerGetOutputCount(const TfLiteSignatureRunner* runner);
const char* TfLiteSignatureRunnerGetOutputName(const TfLiteSignatureRunner* runner, int32_t index);
const TfLiteTensor* TfLiteSignatureRunnerGetOutputTensor(const TfLiteSignatureRunner* runner, const char* name);
void TfLiteSignatureRunnerDelete(TfLiteSignatureRunner* runner);

#ifdef __cplusplus
}
#endif

#endif

// The part of TensorFlow Lite's c_api_experimental.h (Apache-2.0,
// https://github.com/tensorflow/tensorflow/blob/v2.9.0/tensorflow/lite/c/c_api_experimental.h)
// that github.com/mattn/go-tflite v1.0.5 calls. The npm package that brings
// the library leaves the header out. A TFLITE_ROOT that has the whole header
// comes first on the include path.
#ifndef TENSORFLOW_LITE_C_C_API_EXPERIMENTAL_H_
#define TENSORFLOW_LITE_C_C_API_EXPERIMENTAL_H_

#include <tensorflow/lite/c/c_api.h>
#include <tensorflow/lite/c/common.h>

#ifdef __cplusplus
extern "C" {
#endif

// An enum in tensorflow/lite/builtin_ops.h, where it has an int's size.
typedef int TfLiteBuiltinOperator;

TFL_CAPI_EXPORT extern TfLiteStatus TfLiteInterpreterResetVariableTensors(
    TfLiteInterpreter* interpreter);

TFL_CAPI_EXPORT extern void TfLiteInterpreterOptionsAddBuiltinOp(
    TfLiteInterpreterOptions* options, TfLiteBuiltinOperator op,
    const TfLiteRegistration* registration, int32_t min_version,
    int32_t max_version);

TFL_CAPI_EXPORT extern void TfLiteInterpreterOptionsAddCustomOp(
    TfLiteInterpreterOptions* options, const char* name,
    const TfLiteRegistration* registration, int32_t min_version,
    int32_t max_version);

TFL_CAPI_EXPORT extern void TfLiteInterpreterOptionsSetUseNNAPI(
    TfLiteInterpreterOptions* options, bool enable);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // TENSORFLOW_LITE_C_C_API_EXPERIMENTAL_H_

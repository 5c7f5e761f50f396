// The experimental functions and the structures that github.com/mattn/go-tflite v1.0.10
// compiles with; see c_api.h. edgelens calls none of them. The structures are laid out as in
// TensorFlow Lite 2.17 to 2.20, of TfLiteContext only the beginning: it is never
// allocated here.
#ifndef EDGELENS_TENSORFLOW_LITE_C_C_API_EXPERIMENTAL_H_
#define EDGELENS_TENSORFLOW_LITE_C_C_API_EXPERIMENTAL_H_

#include <tensorflow/lite/c/c_api.h>

#ifdef __cplusplus
extern "C" {
#endif

// --- arrays and quantization: data of variable length follows the size -----------

typedef struct TfLiteIntArray {
	int size;
	int data[];
} TfLiteIntArray;

typedef struct TfLiteFloatArray {
	int size;
	float data[];
} TfLiteFloatArray;

typedef enum {
	kTfLiteNoQuantization = 0,
	kTfLiteAffineQuantization = 1,
} TfLiteQuantizationType;

typedef struct {
	TfLiteQuantizationType type;
	void* params; // a TfLiteAffineQuantization, for that type
} TfLiteQuantization;

typedef struct {
	TfLiteFloatArray* scale;
	TfLiteIntArray* zero_point;
	int32_t quantized_dimension;
} TfLiteAffineQuantization;

// --- tensor ----------------------------------------------------------------------

typedef enum {
	kTfLiteMemNone = 0,
	kTfLiteMmapRo,
	kTfLiteArenaRw,
	kTfLiteArenaRwPersistent,
	kTfLiteDynamic,
	kTfLitePersistentRo,
	kTfLiteCustom,
} TfLiteAllocationType;

// Pointers to other types share the place.
typedef union {
	char* raw;
	void* data;
} TfLitePtrUnion;

struct TfLiteTensor {
	TfLiteType type;
	TfLitePtrUnion data;
	TfLiteIntArray* dims;
	TfLiteQuantizationParams params;
	TfLiteAllocationType allocation_type;
	size_t bytes;
	const void* allocation;
	const char* name;
	TfLiteDelegate* delegate;
	int buffer_handle;
	bool data_is_stale;
	bool is_variable;
	TfLiteQuantization quantization;
	void* sparsity;
	const TfLiteIntArray* dims_signature;
};

// --- operators of one's own --------------------------------------------------------

typedef struct TfLiteNode TfLiteNode;
typedef struct TfLiteContext TfLiteContext;

typedef struct TfLiteRegistration {
	void* (*init)(TfLiteContext* context, const char* buffer, size_t length);
	void (*free)(TfLiteContext* context, void* buffer);
	TfLiteStatus (*prepare)(TfLiteContext* context, TfLiteNode* node);
	TfLiteStatus (*invoke)(TfLiteContext* context, TfLiteNode* node);
	const char* (*profiling_string)(const TfLiteContext* context, const TfLiteNode* node);
	int32_t builtin_code;
	const char* custom_name;
	int version;
	void* registration_external;
	void* async_kernel;
	uint64_t inplace_operator;
} TfLiteRegistration;

struct TfLiteContext {
	size_t tensors_size;
	TfLiteStatus (*GetExecutionPlan)(TfLiteContext* context, TfLiteIntArray** plan);
	TfLiteTensor* tensors;
	void* impl_;
	TfLiteStatus (*ResizeTensor)(TfLiteContext* context, TfLiteTensor* tensor, TfLiteIntArray* size);
	void (*ReportError)(TfLiteContext* context, const char* format, ...);
	TfLiteStatus (*AddTensors)(TfLiteContext* context, int count, int* first_index);
	TfLiteStatus (*GetNodeAndRegistration)(TfLiteContext* context, int index, TfLiteNode** node, TfLiteRegistration** registration);
};

// An enum elsewhere, of an int's size.
typedef int TfLiteBuiltinOperator;

void TfLiteInterpreterOptionsAddBuiltinOp(TfLiteInterpreterOptions* options, TfLiteBuiltinOperator op, const TfLiteRegistration* registration,
	int32_t min_version, int32_t max_version);
void TfLiteInterpreterOptionsAddCustomOp(TfLiteInterpreterOptions* options, const char* name, const TfLiteRegistration* registration,
	int32_t min_version, int32_t max_version);

// --- options and interpreters ------------------------------------------------------

void TfLiteInterpreterOptionsSetUseNNAPI(TfLiteInterpreterOptions* options, bool enable);
void TfLiteInterpreterOptionsSetEnableDelegateFallback(TfLiteInterpreterOptions* options, bool enable);

TfLiteStatus TfLiteInterpreterResetVariableTensors(TfLiteInterpreter* interpreter);
int32_t TfLiteInterpreterGetVariableTensorCount(const TfLiteInterpreter* interpreter);
TfLiteTensor* TfLiteInterpreterGetVariableTensor(const TfLiteInterpreter* interpreter, int32_t index);
int32_t TfLiteInterpreterGetInputTensorIndex(const TfLiteInterpreter* interpreter, int32_t index);
int32_t TfLiteInterpreterGetOutputTensorIndex(const TfLiteInterpreter* interpreter, int32_t index);
TfLiteStatus TfLiteInterpreterModifyGraphWithDelegate(const TfLiteInterpreter* interpreter, TfLiteDelegate* delegate);
TfLiteStatus TfLiteInterpreterEnsureTensorDataIsReadable(TfLiteInterpreter* interpreter, int index);

#ifdef __cplusplus
}
#endif

#endif

//go:build cgo

package tflite

/*
#include <stdlib.h>
#include <tensorflow/lite/c/c_api.h>

// What TensorFlow Lite's API for delegates offers to look at a graph
// (tensorflow/lite/c/c_api_opaque.h), as 2.17 to 2.20 have it. The library for armv7 lacks
// these functions, as it does XNNPACK (docs/adr/0032-armv7.md).
typedef struct TfLiteOpaqueContext TfLiteOpaqueContext;
typedef struct TfLiteOpaqueNode TfLiteOpaqueNode;
typedef struct TfLiteOperator TfLiteOperator;

typedef struct {
	int size;
	int data[];
} edgelens_plan; // TfLiteIntArray

typedef struct {
	void* data;
	TfLiteStatus (*Prepare)(TfLiteOpaqueContext* context, TfLiteDelegate* delegate, void* data);
	void* buffers[3]; // three functions that are not needed
	int64_t flags;
} edgelens_delegate_builder; // TfLiteOpaqueDelegateBuilder

extern TfLiteDelegate* TfLiteOpaqueDelegateCreate(const edgelens_delegate_builder* builder) __attribute__((weak));
extern void TfLiteOpaqueDelegateDelete(TfLiteDelegate* delegate) __attribute__((weak));
extern TfLiteStatus TfLiteOpaqueContextGetExecutionPlan(TfLiteOpaqueContext* context, edgelens_plan** plan) __attribute__((weak));
extern size_t TfLiteOpaqueContextGetNumNodes(const TfLiteOpaqueContext* context) __attribute__((weak));
extern TfLiteStatus TfLiteOpaqueContextGetNodeAndRegistration(TfLiteOpaqueContext* context, int index, TfLiteOpaqueNode** node, TfLiteOperator** op) __attribute__((weak));
extern int32_t TfLiteOperatorGetBuiltInCode(const TfLiteOperator* op);

enum {
	EDGELENS_DELEGATE_CODE = 51,            // of a node that a delegate put in place of others
	EDGELENS_ALLOWS_DYNAMIC_TENSORS = 1 << 0, // flag: nothing is asked of the graph
};

// edgelens_seen counts the nodes of the first graph.
typedef struct {
	int graphs;    // that were looked at
	int planned;   // nodes that run
	int delegates; // of them put in by a delegate
	int nodes;     // all, with those that a delegate has replaced
} edgelens_seen;

// edgelens_look counts, and takes no node. An error leaves the counts at 0.
static TfLiteStatus edgelens_look(TfLiteOpaqueContext* context, TfLiteDelegate* delegate, void* data) {
	edgelens_seen* seen = data;
	edgelens_plan* plan = NULL;
	int delegates = 0;
	(void)delegate;
	if (seen->graphs++ > 0) return kTfLiteOk; // the others do not run: package tflitefile refuses control flow
	if (TfLiteOpaqueContextGetExecutionPlan(context, &plan) != kTfLiteOk) return kTfLiteOk;
	for (int i = 0; i < plan->size; i++) {
		TfLiteOpaqueNode* node = NULL;
		TfLiteOperator* op = NULL;
		if (TfLiteOpaqueContextGetNodeAndRegistration(context, plan->data[i], &node, &op) != kTfLiteOk) return kTfLiteOk;
		delegates += TfLiteOperatorGetBuiltInCode(op) == EDGELENS_DELEGATE_CODE;
	}
	seen->planned = plan->size;
	seen->delegates = delegates;
	seen->nodes = (int)TfLiteOpaqueContextGetNumNodes(context);
	return kTfLiteOk;
}

static TfLiteDelegate* edgelens_observer_create(edgelens_seen* seen) {
	if (!TfLiteOpaqueDelegateCreate || !TfLiteOpaqueDelegateDelete || !TfLiteOpaqueContextGetExecutionPlan ||
		!TfLiteOpaqueContextGetNumNodes || !TfLiteOpaqueContextGetNodeAndRegistration) return NULL;
	edgelens_delegate_builder builder = {
		.data = seen, .Prepare = edgelens_look, .flags = EDGELENS_ALLOWS_DYNAMIC_TENSORS,
	};
	return TfLiteOpaqueDelegateCreate(&builder);
}
*/
import "C"

import "unsafe"

// observer is a delegate that takes no operator: added after another one, it counts
// what that took. It must outlive the interpreter.
type observer struct {
	delegate *C.TfLiteDelegate
	seen     *C.edgelens_seen
}

// newObserver returns nil where the library has no functions to look at a graph with.
func newObserver() *observer {
	seen := (*C.edgelens_seen)(C.calloc(1, C.sizeof_edgelens_seen))
	delegate := C.edgelens_observer_create(seen)
	if delegate == nil {
		C.free(unsafe.Pointer(seen))
		return nil
	}
	return &observer{delegate: delegate, seen: seen}
}

// counts returns how many operators the graph has, and how many of them the delegate took.
// Both are 0 if it could not look.
func (o *observer) counts() (operators, delegated int) {
	if o == nil {
		return 0, 0
	}
	operators = int(o.seen.nodes - o.seen.delegates)
	return operators, operators - int(o.seen.planned-o.seen.delegates)
}

// Ptr and Delete make it a delegates.Delegater of go-tflite.
func (o *observer) Ptr() unsafe.Pointer { return unsafe.Pointer(o.delegate) }

// Delete is safe to call twice.
func (o *observer) Delete() {
	if o != nil && o.delegate != nil {
		C.TfLiteOpaqueDelegateDelete(o.delegate)
		C.free(unsafe.Pointer(o.seen))
		o.delegate, o.seen = nil, nil
	}
}

package record

// SuitePeers is the suite of services side by side.
const SuitePeers = "peers"

// The kinds of requests, for Case.Kind.
const (
	KindSync   = "sync"   // the whole way, past the cache
	KindCached = "cached" // an image that was seen before
	KindAsync  = "async"  // a job: submit, and ask until it is done
	KindMixed  = "mixed"  // of ten requests seven sync, two cached and one async
)

// The kinds of what runs without a service, for Case.Kind; others are the names of stages.
const (
	KindCeiling = "ceiling" // the whole way in a bare loop
	KindInvoke  = "invoke"  // the model alone
)

// The figures of a model.
const (
	FigureInit          = "init_seconds"
	FigureFirst         = "first_inference_seconds"
	FigureWarmup        = "warmup_seconds" // mean
	FigureMemoryInit    = "memory_init_bytes"
	FigureMemoryOverall = "memory_overall_bytes"
	FigureFile          = "file_bytes"
)

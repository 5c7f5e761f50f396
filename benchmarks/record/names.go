package record

// SuitePeers is the suite of services that are compared.
const SuitePeers = "peers"

// The kinds of requests, for Case.Kind.
const (
	KindSync   = "sync"   // full recognition, bypassing the cache
	KindCached = "cached" // a result from the cache
	KindAsync  = "async"  // a job: submit, and poll until it is done
	KindMixed  = "mixed"  // of ten requests seven sync, two cached and one async
)

// The kinds of measurements without a service, for Case.Kind; others are the names of stages.
const (
	KindCeiling = "ceiling" // full recognition in a bare loop
	KindInvoke  = "invoke"  // the model alone
)

// The figures of a model.
const (
	FigureInit          = "init_seconds"
	FigureFirst         = "first_inference_seconds"
	FigureWarmup        = "warmup_seconds" // mean
	FigureMemoryInit    = "memory_init_bytes"
	FigureMemoryOverall = "memory_overall_bytes"
	FigureMemoryFurther = "memory_further_bytes" // private, of each further interpreter
	FigureFile          = "file_bytes"
)

// The part of LiteRT's C API that this package uses, declared for LiteRT 2.3.0, and
// the calls to it. The functions are looked up by name in the library that
// edgelens_litert_load opens; that happens once in a process, before all other calls.
//
// Each call that can fail returns LiteRT's status, 0 if good, and writes LiteRT's
// messages of this call into a report of the caller.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE // dlinfo, fopencookie
#endif
#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	EDGELENS_LITERT_ALIGNMENT = 64, // of memory that LiteRT uses without a copy
	EDGELENS_LITERT_MARGIN = 128,   // XNNPACK may read so many bytes past a tensor
	EDGELENS_LITERT_DIMENSIONS = 8,
};

typedef struct {
	size_t used;
	char text[2048];
} edgelens_litert_report;

typedef struct {
	uint32_t rank : 7;
	uint32_t has_strides : 1;
	int32_t dimensions[EDGELENS_LITERT_DIMENSIONS];
	uint32_t strides[EDGELENS_LITERT_DIMENSIONS];
} edgelens_litert_layout;

typedef struct {
	int32_t element;
	edgelens_litert_layout layout;
} edgelens_litert_type;

typedef struct {
	int32_t tag;
	struct {
		int32_t type;
		union {
			int64_t number;
			const char* text;
		};
	} value;
} edgelens_litert_option;

_Static_assert(sizeof(edgelens_litert_layout) == 68, "LiteRtLayout has 68 bytes");
_Static_assert(sizeof(edgelens_litert_type) == 72, "LiteRtRankedTensorType has 72 bytes");
_Static_assert(sizeof(edgelens_litert_option) == 24, "LiteRtEnvOption has 24 bytes");

enum {
	EDGELENS_LITERT_CPU = 1, // the set of accelerators: a bit each
	EDGELENS_LITERT_GPU = 2,
	EDGELENS_LITERT_NUMBER = 2, // the types of an option's value
	EDGELENS_LITERT_TEXT = 8,
	EDGELENS_LITERT_FOLDER = 22,   // the option with the folder of accelerators' libraries
	EDGELENS_LITERT_REGISTER = 24, // the option with the accelerators to register
	EDGELENS_LITERT_SEVERITY = 25, // the option with the lowest severity of messages
	EDGELENS_LITERT_ERROR = 3,
};

static struct {
	int (*CreateEnvironment)(int, const edgelens_litert_option*, void**);
	int (*CreateModelFromBuffer)(void* environment, const void*, size_t, void**);
	int (*CreateOptions)(void**);
	int (*SetOptionsHardwareAccelerators)(void*, int);
	int (*CreateOpaqueOptions)(const char*, void*, void (*)(void*), void**);
	int (*AddOpaqueOptions)(void*, void*);
	int (*CreateCompiledModel)(void* environment, void* model, void* options, void**);
	int (*CompiledModelIsFullyAccelerated)(void*, bool*);
	int (*GetCompiledModelInputTensorLayout)(void*, size_t signature, size_t, edgelens_litert_layout*);
	int (*GetCompiledModelOutputTensorLayouts)(void*, size_t signature, size_t, edgelens_litert_layout*, bool allocate);
	int (*CreateTensorBufferFromHostMemory)(const edgelens_litert_type*, void*, size_t, void (*)(void*), void**);
	int (*RunCompiledModel)(void*, size_t signature, size_t, void**, size_t, void**);
	void (*DestroyTensorBuffer)(void*);
	void (*DestroyCompiledModel)(void*);
	void (*DestroyOpaqueOptions)(void*);
	void (*DestroyOptions)(void*);
	void (*DestroyModel)(void*);
	void (*DestroyEnvironment)(void*);
} edgelens_litert;

// Where this thread's messages go; none are kept outside a call.
static __thread edgelens_litert_report* edgelens_litert_current;

static ssize_t edgelens_litert_keep(void* cookie, const char* text, size_t size) {
	(void)cookie;
	edgelens_litert_report* r = edgelens_litert_current;
	if (r != NULL) {
		size_t room = sizeof r->text - r->used;
		size_t n = size < room ? size : room;
		memcpy(r->text + r->used, text, n);
		r->used += n;
	}
	return (ssize_t)size;
}

// What the libraries see as stderr and stdout.
static FILE* edgelens_litert_stream;

static bool edgelens_litert_open_stream(void) {
	if (edgelens_litert_stream != NULL) return true;
	cookie_io_functions_t functions = {.write = edgelens_litert_keep};
	edgelens_litert_stream = fopencookie(NULL, "w", functions);
	return edgelens_litert_stream != NULL && setvbuf(edgelens_litert_stream, NULL, _IONBF, 0) == 0;
}

// LiteRT and the libraries inside it print to stderr and stdout, have no callback for
// messages, and give up those of a model that cannot be compiled. A library refers to
// a variable of another one by one entry of its table of addresses; this lets it refer to
// a replacement, for this library alone.
static bool edgelens_litert_replace(void* library, const char* variable, void* replacement) {
	struct link_map* map = NULL;
	if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0) return false;
	const ElfW(Rela)* relocations = NULL;
	const ElfW(Sym)* symbols = NULL;
	const char* names = NULL;
	size_t size = 0;
	for (const ElfW(Dyn)* d = map->l_ld; d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_RELA) relocations = (const void*)d->d_un.d_ptr;
		if (d->d_tag == DT_RELASZ) size = d->d_un.d_val;
		if (d->d_tag == DT_SYMTAB) symbols = (const void*)d->d_un.d_ptr;
		if (d->d_tag == DT_STRTAB) names = (const void*)d->d_un.d_ptr;
	}
	if (relocations == NULL || symbols == NULL || names == NULL) return false;
	for (size_t i = 0; i < size / sizeof *relocations; i++) {
		// ELF64, the form of both architectures that have a library
		const ElfW(Sym)* symbol = &symbols[ELF64_R_SYM(relocations[i].r_info)];
		if (strcmp(names + symbol->st_name, variable) != 0) continue;
		void** entry = (void**)(map->l_addr + relocations[i].r_offset);
		uintptr_t page = (uintptr_t)entry & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
		size_t length = (uintptr_t)(entry + 1) - page;
		// The linker made the table read-only after it had filled it.
		if (mprotect((void*)page, length, PROT_READ | PROT_WRITE) != 0) return false;
		*entry = replacement;
		return mprotect((void*)page, length, PROT_READ) == 0;
	}
	return false;
}

// edgelens_litert_silence drops what the library prints by C++'s std::cout and
// std::cerr: it gets a stream without a destination.
static bool edgelens_litert_silence(void* library) {
	// std::ostream has 272 bytes; a stream is never destroyed.
	static _Alignas(64) char stream[512];
	void (*construct)(void* stream, void* destination) = NULL;
	void* symbol = dlsym(library, "_ZNSoC1EPSt15basic_streambufIcSt11char_traitsIcEE");
	if (symbol == NULL) return false;
	memcpy(&construct, &symbol, sizeof symbol);
	construct(stream, NULL);
	return edgelens_litert_replace(library, "_ZSt4cout", stream) && edgelens_litert_replace(library, "_ZSt4cerr", stream);
}

// edgelens_litert_load returns NULL, or what went wrong for the caller to free. A library
// that was opened stays open: it may have threads.
static char* edgelens_litert_load(const char* path) {
	char* problem = NULL;
	void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL) return strdup(dlerror());
	const struct {
		void* at;
		const char* name;
	} functions[] = {
#define F(name) {&edgelens_litert.name, "LiteRt" #name}
		F(CreateEnvironment), F(CreateModelFromBuffer), F(CreateOptions), F(SetOptionsHardwareAccelerators),
		F(CreateOpaqueOptions), F(AddOpaqueOptions), F(CreateCompiledModel), F(CompiledModelIsFullyAccelerated), F(GetCompiledModelInputTensorLayout),
		F(GetCompiledModelOutputTensorLayouts), F(CreateTensorBufferFromHostMemory), F(RunCompiledModel),
		F(DestroyTensorBuffer), F(DestroyCompiledModel), F(DestroyOpaqueOptions), F(DestroyOptions), F(DestroyModel),
		F(DestroyEnvironment),
#undef F
	};
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		void* f = dlsym(library, functions[i].name);
		if (f == NULL) {
			if (asprintf(&problem, "the library has no function %s", functions[i].name) < 0) abort();
			return problem;
		}
		memcpy(functions[i].at, &f, sizeof f);
	}
	if (!edgelens_litert_open_stream() || !edgelens_litert_replace(library, "stderr", &edgelens_litert_stream) || !edgelens_litert_silence(library))
		return strdup("its messages cannot be captured");
	return NULL;
}

// edgelens_litert_load_gpu opens the accelerator's library before LiteRT does, which then
// gets the same one. It returns NULL, or what went wrong for the caller to free.
static char* edgelens_litert_load_gpu(const char* path) {
	void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL) return strdup(dlerror());
	if (!edgelens_litert_replace(library, "stderr", &edgelens_litert_stream) || !edgelens_litert_replace(library, "stdout", &edgelens_litert_stream))
		return strdup("its messages cannot be captured");
	return NULL;
}

// The messages of CALL go to REPORT.
#define EDGELENS_LITERT_CALL(report, call) \
	((report)->used = 0, edgelens_litert_call_end((edgelens_litert_current = (report), (call))))

static int edgelens_litert_call_end(int status) {
	edgelens_litert_current = NULL;
	return status;
}

// edgelens_litert_environment creates the environment for the CPU and, if folder is not
// NULL, for the GPU, whose library is in that folder.
static int edgelens_litert_environment(const char* folder, void** environment, edgelens_litert_report* report) {
	// Registering explicitly: otherwise each start looks for libraries of GPUs.
	const int accelerators = folder == NULL ? EDGELENS_LITERT_CPU : EDGELENS_LITERT_CPU | EDGELENS_LITERT_GPU;
	const edgelens_litert_option options[] = {
		{EDGELENS_LITERT_REGISTER, {EDGELENS_LITERT_NUMBER, {.number = accelerators}}},
		{EDGELENS_LITERT_SEVERITY, {EDGELENS_LITERT_NUMBER, {.number = EDGELENS_LITERT_ERROR}}},
		{EDGELENS_LITERT_FOLDER, {EDGELENS_LITERT_TEXT, {.text = folder}}},
	};
	return EDGELENS_LITERT_CALL(report, edgelens_litert.CreateEnvironment(folder == NULL ? 2 : 3, options, environment));
}

static int edgelens_litert_model(void* environment, const void* file, size_t size, void** model, edgelens_litert_report* report) {
	return EDGELENS_LITERT_CALL(report, edgelens_litert.CreateModelFromBuffer(environment, file, size, model));
}

// edgelens_litert_target chooses one accelerator and adds its options, text in TOML.
static int edgelens_litert_target(void* options, int accelerator, const char* text) {
	int status = edgelens_litert.SetOptionsHardwareAccelerators(options, accelerator);
	if (status != 0) return status;
	char* copy = strdup(text);
	void* opaque = NULL;
	status = edgelens_litert.CreateOpaqueOptions(accelerator == EDGELENS_LITERT_GPU ? "gpu_options" : "xnnpack", copy, free, &opaque);
	if (status != 0) {
		free(copy);
		return status;
	}
	status = edgelens_litert.AddOpaqueOptions(options, opaque); // which owns them then
	if (status != 0) edgelens_litert.DestroyOpaqueOptions(opaque);
	return status;
}

static int edgelens_litert_compile_with(void* environment, void* model, int accelerator, const char* text, void** compiled) {
	void* options = NULL;
	int status = edgelens_litert.CreateOptions(&options);
	if (status != 0) return status;
	status = edgelens_litert_target(options, accelerator, text);
	if (status == 0) status = edgelens_litert.CreateCompiledModel(environment, model, options, compiled);
	edgelens_litert.DestroyOptions(options);
	return status;
}

static int edgelens_litert_compile(void* environment, void* model, int accelerator, const char* text, void** compiled, edgelens_litert_report* report) {
	return EDGELENS_LITERT_CALL(report, edgelens_litert_compile_with(environment, model, accelerator, text, compiled));
}

// edgelens_litert_whole finds out whether the accelerator runs the whole graph. For the
// CPU it is always false.
static int edgelens_litert_whole(void* compiled, bool* whole, edgelens_litert_report* report) {
	return EDGELENS_LITERT_CALL(report, edgelens_litert.CompiledModelIsFullyAccelerated(compiled, whole));
}

static int edgelens_litert_allocate_both(void* compiled, edgelens_litert_layout* input, edgelens_litert_layout* output) {
	int status = edgelens_litert.GetCompiledModelOutputTensorLayouts(compiled, 0, 1, output, true);
	return status != 0 ? status : edgelens_litert.GetCompiledModelInputTensorLayout(compiled, 0, 0, input);
}

// edgelens_litert_allocate allocates the tensors and returns their layouts.
static int edgelens_litert_allocate(void* compiled, edgelens_litert_layout* input, edgelens_litert_layout* output, edgelens_litert_report* report) {
	return EDGELENS_LITERT_CALL(report, edgelens_litert_allocate_both(compiled, input, output));
}

static int edgelens_litert_buffer(int32_t element, const edgelens_litert_layout* layout, void* memory, size_t size, void** buffer, edgelens_litert_report* report) {
	const edgelens_litert_type type = {.element = element, .layout = *layout};
	return EDGELENS_LITERT_CALL(report, edgelens_litert.CreateTensorBufferFromHostMemory(&type, memory, size, NULL, buffer));
}

static int edgelens_litert_run(void* compiled, void* input, void* output, edgelens_litert_report* report) {
	return EDGELENS_LITERT_CALL(report, edgelens_litert.RunCompiledModel(compiled, 0, 1, &input, 1, &output));
}

static void edgelens_litert_destroy_buffer(void* buffer) { edgelens_litert.DestroyTensorBuffer(buffer); }
static void edgelens_litert_destroy_compiled(void* compiled) { edgelens_litert.DestroyCompiledModel(compiled); }
static void edgelens_litert_destroy_model(void* model) { edgelens_litert.DestroyModel(model); }
static void edgelens_litert_destroy_environment(void* environment) { edgelens_litert.DestroyEnvironment(environment); }

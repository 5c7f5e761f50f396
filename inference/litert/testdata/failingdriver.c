/* A Vulkan driver for tests: the driver DRIVER (a macro, its path in quotes), that fails
 * from the moment on at which the file named by the environment variable
 * EDGELENS_TEST_DRIVER_FAILS exists. The file's first letter is how: l, the device is
 * lost; h, the driver hangs; a, it aborts. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void (*function)(void);
typedef function (*lookup)(void *of, const char *name);
typedef int (*submit)(void *queue, uint32_t count, const void *submits, uint64_t fence);

enum { OUT_OF_DEVICE_MEMORY = -2, DEVICE_LOST = -4 };

static submit real_submit;
static lookup real_device_lookup;

static function symbol(const char *name) {
	static void *driver;
	function f = NULL;
	if (driver == NULL) driver = dlopen(DRIVER, RTLD_NOW | RTLD_LOCAL);
	if (driver == NULL) abort();
	void *found = dlsym(driver, name);
	memcpy(&f, &found, sizeof f);
	return f;
}

static int failing_submit(void *queue, uint32_t count, const void *submits, uint64_t fence) {
	char how = 0;
	const char *path = getenv("EDGELENS_TEST_DRIVER_FAILS");
	int file = path == NULL ? -1 : open(path, O_RDONLY);
	if (file >= 0) {
		if (read(file, &how, 1) != 1) how = 0;
		close(file);
	}
	if (how == 'l') return DEVICE_LOST;
	if (how == 'm') return OUT_OF_DEVICE_MEMORY;
	if (how == 'a') abort();
	while (how == 'h') pause();
	return real_submit(queue, count, submits, fence);
}

static function device_lookup(void *device, const char *name) {
	function f = real_device_lookup(device, name);
	if (f == NULL || strcmp(name, "vkQueueSubmit") != 0) return f;
	real_submit = (submit)f;
	return (function)failing_submit;
}

function vk_icdGetInstanceProcAddr(void *instance, const char *name) {
	function f = ((lookup)symbol("vk_icdGetInstanceProcAddr"))(instance, name);
	if (f == NULL || strcmp(name, "vkGetDeviceProcAddr") != 0) return f;
	real_device_lookup = (lookup)f;
	return (function)device_lookup;
}

int vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
	return ((int (*)(uint32_t *))symbol("vk_icdNegotiateLoaderICDInterfaceVersion"))(version);
}

function vk_icdGetPhysicalDeviceProcAddr(void *instance, const char *name) {
	return ((lookup)symbol("vk_icdGetPhysicalDeviceProcAddr"))(instance, name);
}

package litert

// Package is the Python package that has the libraries of Version, in wheels for
// Linux on amd64 and arm64.
const Package = "ai-edge-litert"

// The file names of LiteRT's libraries, in the folder ai_edge_litert of the wheels.
const (
	// LibraryFile is LiteRT itself.
	LibraryFile = "libLiteRt.so"
	// GPULibraryFile is its accelerator for graphics processors, by WebGPU on Vulkan. It
	// belongs into the folder of LibraryFile and is needed for a GPU only.
	GPULibraryFile = "libLiteRtWebGpuAccelerator.so"
)

// Digests returns the SHA-256, in hex, of each library of Version for an architecture
// (runtime.GOARCH) by its file name; nil where there is none. scripts/setup-litert has
// them, too.
func Digests(architecture string) map[string]string {
	switch architecture {
	case "amd64":
		return map[string]string{
			LibraryFile:    "eec47eb35e2924b3166015887e652a58edc9af823ae38e02bf83bef2548300bb",
			GPULibraryFile: "b67f193ae6eb8ad3a15349f54aba696c97d6f981c92bc2eb1096cbe9e2835b25",
		}
	case "arm64":
		return map[string]string{
			LibraryFile:    "b57687dc234d2b8b0598aef5a9c961ed24263df8f8b3f56adbee1cff618e544b",
			GPULibraryFile: "5f271fa4a36f9dd8d1f8514971b2e80f46bd92b1066509cdd9c0716723d6091a",
		}
	}
	return nil
}

package litert

import "runtime"

// Package is the Python package that has the library, and FolderInWheel the folder of its
// libraries.
const (
	Package       = "ai-edge-litert"
	FolderInWheel = "ai_edge_litert"
)

// The file names of LiteRT's libraries.
const (
	// LibraryFile is LiteRT itself.
	LibraryFile = "libLiteRt.so"
	// GPULibraryFile is its accelerator for graphics processors, by WebGPU on Vulkan. It
	// belongs into the folder of LibraryFile and is needed for a GPU only.
	GPULibraryFile = "libLiteRtWebGpuAccelerator.so"
)

// Wheel is a wheel of Package in Version.
type Wheel struct {
	// Platform and Python are pip's names of it; the libraries are the same for each Python.
	Platform, Python string
	// SHA256 is in hex.
	SHA256 string
	// Files are the libraries in it.
	Files []File
}

// File is a library.
type File struct {
	Name   string
	SHA256 string // hex
}

// Wheels are those of the architectures (GOARCH) that there are libraries for.
var Wheels = map[string]Wheel{
	"amd64": {
		Platform: "manylinux_2_27_x86_64", Python: "3.11", SHA256: "1f15078a6725d2357d9de9221664c29afa0545d807559c5f7199ce5e40b96b23",
		Files: []File{
			{LibraryFile, "eec47eb35e2924b3166015887e652a58edc9af823ae38e02bf83bef2548300bb"},
			{GPULibraryFile, "b67f193ae6eb8ad3a15349f54aba696c97d6f981c92bc2eb1096cbe9e2835b25"},
		},
	},
	"arm64": {
		Platform: "manylinux_2_27_aarch64", Python: "3.11", SHA256: "853fc608f96da87bd5f3458465dfb9abbf18d5ae6b94eceacead407146f175ae",
		Files: []File{
			{LibraryFile, "b57687dc234d2b8b0598aef5a9c961ed24263df8f8b3f56adbee1cff618e544b"},
			{GPULibraryFile, "5f271fa4a36f9dd8d1f8514971b2e80f46bd92b1066509cdd9c0716723d6091a"},
		},
	},
}

// LibraryDigest returns the digest ("sha256:" and hex) of the library, which New checks;
// "" where there is none for this architecture.
func LibraryDigest() string {
	if sum := digestOf(LibraryFile); sum != "" {
		return "sha256:" + sum
	}
	return ""
}

func digestOf(name string) string {
	for _, file := range Wheels[runtime.GOARCH].Files {
		if file.Name == name {
			return file.SHA256
		}
	}
	return ""
}

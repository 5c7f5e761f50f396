package litert

import "runtime"

// Package is the Python package that has the library, and FolderInWheel the folder of its
// libraries.
const (
	Package       = "ai-edge-litert"
	FolderInWheel = "ai_edge_litert"
)

// Wheel is a wheel of Package in Version.
type Wheel struct {
	// Platform and Python are pip's names of it; the libraries are the same for each Python.
	Platform, Python string
	// SHA256 is in hex.
	SHA256 string
	// Files are the libraries in it; the first is the one that New opens.
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
		Files: []File{{libraryName, "eec47eb35e2924b3166015887e652a58edc9af823ae38e02bf83bef2548300bb"}},
	},
	"arm64": {
		Platform: "manylinux_2_27_aarch64", Python: "3.11", SHA256: "853fc608f96da87bd5f3458465dfb9abbf18d5ae6b94eceacead407146f175ae",
		Files: []File{{libraryName, "b57687dc234d2b8b0598aef5a9c961ed24263df8f8b3f56adbee1cff618e544b"}},
	},
}

// LibraryDigest returns the SHA-256 of the only library that New opens here, in hex; ""
// where there is none.
func LibraryDigest() string {
	if wheel, ok := Wheels[runtime.GOARCH]; ok {
		return wheel.Files[0].SHA256
	}
	return ""
}

package litert

import "runtime"

// libraryDigests are the SHA-256 of the library of Version by architecture, as the
// Python package ai-edge-litert has it; scripts/setup-litert has them, too.
var libraryDigests = map[string]string{
	"amd64": "eec47eb35e2924b3166015887e652a58edc9af823ae38e02bf83bef2548300bb",
	"arm64": "b57687dc234d2b8b0598aef5a9c961ed24263df8f8b3f56adbee1cff618e544b",
}

// LibraryDigest returns the digest ("sha256:" and hex) of the library, which New checks;
// "" where there is none for this architecture.
func LibraryDigest() string {
	if sum := libraryDigests[runtime.GOARCH]; sum != "" {
		return "sha256:" + sum
	}
	return ""
}

package litert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"edgelens"
	"edgelens/inference"
)

// Version is the version of LiteRT that this package is written for. Other versions
// have functions of the same names with other arguments.
const Version = "2.3.0"

// RootVariable is the environment variable with the library's folder.
const RootVariable = "LITERT_ROOT"

// besideProgram lists where the library may be, relative to the program's folder: as
// installed, and as set-up puts it for a program in bin/.
var besideProgram = []string{"../lib/edgelens", "../build/litert"}

// Find returns the path of the library: in the folder of RootVariable where that is
// set, else in the given folder, unless that is "", or beside the program. The error wraps
// edgelens.ErrModel and inference.ErrNotInstalled, and contains the places that were looked
// at.
func Find(folder string) (string, error) {
	if !IsAvailable(runtime.GOARCH) {
		return "", unavailable(runtime.GOARCH)
	}
	if root := os.Getenv(RootVariable); root != "" {
		path := filepath.Join(root, LibraryFile)
		if !isFile(path) {
			return "", notInstalled(RootVariable+" is "+root+", and there is no "+LibraryFile+" in it", nil)
		}
		return path, nil
	}
	var places []string
	if folder != "" {
		places = append(places, folder)
	}
	program, err := os.Executable()
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		return "", notInstalled("the program's own folder is unknown", err)
	}
	for _, beside := range besideProgram {
		places = append(places, filepath.Join(filepath.Dir(program), beside))
	}
	for _, place := range places {
		if path := filepath.Join(place, LibraryFile); isFile(path) {
			return path, nil
		}
	}
	return "", notInstalled(fmt.Sprintf("there is no %s in %s", LibraryFile, strings.Join(places[:len(places)-1], " or ")), nil)
}

// IsAvailable reports whether there is a library for an architecture (GOARCH).
func IsAvailable(architecture string) bool {
	_, ok := Wheels[architecture]
	return ok
}

// unavailable returns the error about an architecture without a library.
func unavailable(architecture string) error {
	return fmt.Errorf("%w: LiteRT is %w: there is none for %s, only for amd64 and arm64", edgelens.ErrModel, inference.ErrNotInstalled, architecture)
}

// locate returns the library at path, a file or a folder that holds it, or the one
// that Find finds if path is "".
func locate(path string) (string, error) {
	if path == "" {
		return Find("")
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", notInstalled("there is no "+path, nil)
	case err != nil:
		return "", notInstalled("its library cannot be read", err)
	case info.IsDir():
		path = filepath.Join(path, LibraryFile)
		if !isFile(path) {
			return "", notInstalled("there is no "+path, nil)
		}
	}
	return path, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// install is the command that fetches the libraries.
const install = "`edgelens runtime install litert`"

// notInstalled returns the error about an absent library, with what to do.
func notInstalled(why string, cause error) error {
	const do = "install it by " + install + ", or copy " + LibraryFile + " of the Python package " + Package + " " + Version + " there"
	if cause != nil {
		return fmt.Errorf("%w: LiteRT is %w: %s (%w); %s", edgelens.ErrModel, inference.ErrNotInstalled, why, cause, do)
	}
	return fmt.Errorf("%w: LiteRT is %w: %s; %s", edgelens.ErrModel, inference.ErrNotInstalled, why, do)
}

